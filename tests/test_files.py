from __future__ import annotations

import json
import os

import pytest
import torch

from ppgn import files


def leftovers(folder):
    return [name for name in os.listdir(folder) if name.startswith(".")]


def test_tensors_round_trip(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write_tensors(path, {"x": torch.arange(6.0).view(2, 3).T, "n": torch.tensor(3)}, {"step": 5})
    tensors, header = files.read_tensors(path, files.sha256(path))
    assert torch.equal(tensors["x"], torch.arange(6.0).view(2, 3).T)
    assert int(tensors["n"]) == 3
    assert header == {"step": 5}


@pytest.mark.parametrize("harm", [lambda b: b[:-7], lambda b: b[:5], lambda b: b"", lambda b: b"\xff" * 8 + b[8:]])
def test_a_cut_or_damaged_file_is_named(tmp_path, harm):
    path = tmp_path / "a.safetensors"
    files.write_tensors(path, {"x": torch.zeros(9)}, {})
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(files.DamagedFileError, match=r"a\.safetensors must be a whole safetensors file"):
        files.read_tensors(path)


def test_a_header_that_is_no_json_is_named(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", {"ppgn": "{"})
    with pytest.raises(files.DamagedFileError, match=r"a\.safetensors.*header"):
        files.read_tensors(tmp_path / "a.safetensors")


def test_one_changed_bit_is_caught_by_the_hash(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write_tensors(path, {"x": torch.zeros(9)}, {})
    digest, content = files.sha256(path), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(files.DamagedFileError, match=f"must have sha256 {digest}, got"):
        files.read_tensors(path, digest)


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text('{"a": ')
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert not leftovers(tmp_path)


def test_a_folder_comes_whole_or_not_at_all(tmp_path):
    out = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError), files.new_folder(out) as temporary:
        (temporary / "half").write_text("x")
        raise RuntimeError
    assert not out.exists()
    assert not leftovers(tmp_path / "deep")
    with files.new_folder(out) as temporary:
        (temporary / "whole").write_text("x")
    assert os.listdir(out) == ["whole"]


def test_an_existing_folder_is_kept_unless_told(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    with (
        pytest.raises(FileExistsError, match=r"must be new or empty.*has files in it"),
        files.new_folder(tmp_path / "out"),
    ):
        pass
    assert (tmp_path / "out" / "precious").exists()
    with files.new_folder(tmp_path / "out", overwrite="precious") as temporary:
        (temporary / "new").write_text("x")
    assert os.listdir(tmp_path / "out") == ["new"]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="must be a folder"):
        files.check_new_folder(tmp_path / "file")
    with pytest.raises(OSError, match="output folder must be writable"):
        files.check_new_folder(tmp_path / "file" / "below")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that refuses writes to everybody")
def test_an_unwritable_place():
    with pytest.raises(OSError, match="output folder must be writable: /proc/nowhere/out cannot be made"):
        files.check_new_folder(files.Path("/proc/nowhere/out"))


def test_json_that_is_none(tmp_path):
    (tmp_path / "run.json").write_text('{"a": ')
    with pytest.raises(files.DamagedFileError, match=r"run\.json must be JSON"):
        files.read_json(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(files.DamagedFileError, match="JSON object, got list"):
        files.read_json(tmp_path / "run.json")


def test_fingerprints_follow_the_numbers():
    a, b = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    b.load_state_dict(a.state_dict())
    assert files.fingerprint(a) == files.fingerprint(b)
    with torch.no_grad():
        b.bias[1] += 1e-6
    assert files.fingerprint(a) != files.fingerprint(b)
