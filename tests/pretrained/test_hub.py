from __future__ import annotations

import hashlib
import socket

import huggingface_hub
import pytest
from huggingface_hub import errors

from ppgn import files
from ppgn.pretrained import hub

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in hub.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PPGN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def served(home, monkeypatch):
    """A repository user/net with one file, in place of huggingface.co; the calls are kept."""
    calls = []

    def download(repo, file, *, revision, cache_dir, local_files_only):
        calls.append((repo, file, revision, local_files_only))
        path = cache_dir / f"models--{repo.replace('/', '--')}" / "snapshots" / "0123456789abcdef" / file
        if not path.exists():
            if local_files_only:
                raise errors.LocalEntryNotFoundError("Cannot find the requested files in the disk cache.")
            path.parent.mkdir(parents=True)
            path.write_bytes(CONTENT)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return calls


def failing(monkeypatch, error):
    def download(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)


def test_a_file_is_fetched_to_the_home_and_listed(home, served):
    path = hub.fetch("user/net", "model.safetensors", "v1", SHA256)
    assert path.read_bytes() == CONTENT
    assert home in path.parents
    assert served == [("user/net", "model.safetensors", "v1", False)]
    assert hub.cached() == [hub.Cached("user/net at 01234567", "model.safetensors", len(CONTENT), path)]


@pytest.mark.parametrize("switch", hub.OFFLINE)
def test_offline_the_cache_is_served_and_nothing_else(home, served, monkeypatch, switch):
    hub.fetch("user/net", "model.safetensors")
    monkeypatch.setenv(switch, "1")
    assert hub.fetch("user/net", "model.safetensors", sha256=SHA256).read_bytes() == CONTENT
    with pytest.raises(OSError, match=rf"user/net/other could not be fetched: offline mode is set \({switch}\)"):
        hub.fetch("user/net", "other")
    assert [offline for *_, offline in served] == [False, True, True]


def test_offline_is_off_for_zero(monkeypatch):
    for name in hub.OFFLINE:
        monkeypatch.setenv(name, "0")
    assert not hub.offline()


def test_another_sha256_names_both_and_the_file_to_delete(home, served):
    with pytest.raises(files.DamagedFileError) as caught:
        hub.fetch("user/net", "model.safetensors", sha256="0" * 64)
    message = str(caught.value)
    assert "0" * 64 in message
    assert SHA256 in message
    assert f"delete {home / 'hub'}" in message


def test_without_a_network_the_message_says_what_is_cached_and_where(home, served, monkeypatch):
    hub.fetch("user/net", "model.safetensors")
    cause = ConnectionError("Name or service not known")
    error = errors.LocalEntryNotFoundError("An error happened while trying to locate the file on the Hub")
    error.__cause__ = cause
    failing(monkeypatch, error)
    with pytest.raises(OSError, match=r"other/net/a\.bin at v2 could not be fetched") as caught:
        hub.fetch("other/net", "a.bin", "v2")
    message = str(caught.value)
    assert "ConnectionError: Name or service not known" in message
    assert f"Cached in {home}: user/net at 01234567" in message
    assert "PPGN_HOME" in message
    assert "weights=PATH" in message
    assert "\n" not in message


def test_the_library_itself_is_not_asked_to_reach_out_when_offline(home, monkeypatch):
    """With the real hf_hub_download: no socket is opened."""
    monkeypatch.setenv("PPGN_OFFLINE", "1")
    monkeypatch.setattr(socket, "socket", lambda *args, **kwargs: pytest.fail("a socket was opened"))
    with pytest.raises(OSError, match=r"offline mode is set \(PPGN_OFFLINE\)\. Cached in .*: nothing\."):
        hub.fetch("user/net", "model.safetensors")


def test_what_is_not_there_is_told_from_what_is_not_reached(home, monkeypatch):
    failing(monkeypatch, errors.EntryNotFoundError("404"))
    with pytest.raises(FileNotFoundError, match=r"user/net/model must be on huggingface\.co and open to you"):
        hub.fetch("user/net", "model")
    failing(monkeypatch, TimeoutError("The read operation timed out"))
    with pytest.raises(OSError, match="could not be fetched: TimeoutError: The read operation timed out"):
        hub.fetch("user/net", "model")


def test_the_home_is_read_when_asked(monkeypatch):
    monkeypatch.setenv("PPGN_HOME", "~/models")
    assert hub.home().name == "models"
    assert "~" not in str(hub.home())
    monkeypatch.delenv("PPGN_HOME")
    assert hub.home().parts[-2:] == (".cache", "ppgn")


def test_listing_leaves_out_what_the_library_keeps_for_itself(home):
    for name in (
        "hub/CACHEDIR.TAG", "hub/.locks/models--user--net/x.lock", "hub/models--user--net/refs/main",
        "hub/models--user--net/blobs/abc", "hub/models--user--net/snapshots/0a1b2c3d4e/folder/a.txt",
        "torchvision/resnet.pth",
    ):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"xy")
    assert [(one.source, one.file, one.size) for one in hub.cached()] == [
        ("torchvision", "resnet.pth", 2), ("user/net at 0a1b2c3d", "folder/a.txt", 2),
    ]  # fmt: skip
