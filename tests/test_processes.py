"""Two processes do what one does with the whole batch; started as people start them, killed and resumed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import process_child
import pytest
import torch

from ppgn import files
from ppgn.data import Batch
from ppgn.training import processes

HERE = Path(__file__).parent
STEPS, EVERY = 20, 7
ACCELERATE = ["accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_machines", "1", "--num_processes",
              "2", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port"]  # fmt: skip
TORCHRUN = ["torch.distributed.run", "--nproc-per-node", "2", "--master-port"]


def start(launcher, *arguments, **environment):
    """Two processes; gloo, where there is no GPU."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, port, str(HERE / "process_child.py"), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(HERE),
             **environment},
    )  # fmt: skip


def tensors(path):
    return files.read_tensors(path / "checkpoint.safetensors")[0]


@pytest.fixture(scope="module")
def both(tmp_path_factory, small_digits):
    """(folder of one process, of two, the metrics that each said at the end)."""
    out, said = tmp_path_factory.mktemp("processes"), {}
    pair = start(ACCELERATE, small_digits, out / "two", STEPS, EVERY, *process_child.FAMILIES)
    alone = subprocess.run(
        [sys.executable, str(HERE / "process_child.py"), small_digits, str(out / "one"), str(STEPS), str(EVERY),
         *process_child.FAMILIES],
        check=True, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(HERE)},
    )  # fmt: skip
    text, _ = pair.communicate(timeout=240)
    assert pair.returncode == 0, text
    for name, lines in (("one", alone.stdout), ("two", text)):
        rows = [
            line.split()
            for line in lines.splitlines()
            if line.split()[:1] and line.split()[0] in process_child.FAMILIES
        ]
        said[name] = {family: [float(value) for value in values] for family, *values in rows}
        assert len(rows) == len(process_child.FAMILIES)  # one process of the two speaks
    return out / "one", out / "two", said


@pytest.mark.slow
@pytest.mark.parametrize("family", process_child.FAMILIES)
def test_two_processes_are_one_with_the_whole_batch(family, both):
    """To the rounding of sums, noise, clipped gradients, penalties and the free bits included."""
    one, two, said = both
    known, found = tensors(one / family), tensors(two / family)
    assert found.keys() == known.keys()
    for key, value in known.items():
        assert torch.allclose(found[key], value, rtol=0, atol=1e-9), key
    assert said["two"][family] == pytest.approx(said["one"][family], rel=1e-9)
    assert files.read_tensors(two / family / "model.safetensors")[0].keys()
    sheets = [sorted((out / family / "samples").iterdir()) for out in (one, two)]
    assert [sheet.name for sheet in sheets[1]] == ["epoch-0001.png", "epoch-0002.png", "epoch-0003.png"]
    for a, b in zip(*sheets, strict=True):
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.slow
def test_two_killed_processes_go_on_to_the_same_bits(tmp_path, small_digits, both):
    _, two, _ = both
    out = tmp_path / "pixels"
    killed = start(TORCHRUN, small_digits, tmp_path, STEPS, EVERY, "pixels", KILL_AT=str(EVERY + 5))
    text, _ = killed.communicate(timeout=120)
    assert "Signal 9 (SIGKILL)" in text
    assert files.read_tensors(out / "checkpoint.safetensors")[1]["step"] == EVERY
    again = start(TORCHRUN, small_digits, tmp_path, STEPS, EVERY, "pixels")
    text, _ = again.communicate(timeout=120)
    assert again.returncode == 0, text
    known, found = tensors(two / "pixels"), tensors(out)
    assert all(torch.equal(found[key], value) for key, value in known.items())


@pytest.mark.slow
def test_what_stops_the_main_process_stops_all(tmp_path, small_digits):
    (tmp_path / "pixels").mkdir()
    (tmp_path / "pixels" / "mine.txt").write_text("keep")
    process = start(TORCHRUN, small_digits, tmp_path, STEPS, EVERY, "pixels")
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "FileExistsError: the output folder must be new or empty" in text
    assert "RuntimeError: the main process stopped with FileExistsError" in text


@pytest.fixture
def as_process(monkeypatch):
    """Pretend to be process r of n."""

    def be(r, n):
        monkeypatch.setattr(processes, "count", lambda: n)
        monkeypatch.setattr(processes, "index", lambda: r)

    return be


def test_parts_make_the_whole(as_process):
    """Rows and noise alike: every row once, in the same places."""
    whole = Batch(torch.arange(12.0).view(6, 1, 1, 2), torch.arange(6))
    parts = []
    for r in range(3):
        as_process(r, 3)
        part = processes.own_part(whole)
        noise = processes.drawn(lambda n: torch.arange(float(n)), len(part.images))
        wide = processes.drawn(lambda n: torch.arange(2.0 * n).view(2, n), len(part.images), dim=1)
        assert noise.tolist() == part.labels.tolist()
        assert wide.tolist() == [part.labels.tolist(), (6 + part.labels).tolist()]
        parts.append(part)
    assert torch.stack([part.labels for part in parts], 1).flatten().tolist() == list(range(6))
    assert torch.equal(torch.stack([part.images for part in parts], 1).flatten(0, 1), whole.images)


def test_batches_that_cannot_be_shared(as_process):
    as_process(0, 2)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 2 processes, got 3"):
        processes.own_part(torch.zeros(3, 1))
    with pytest.raises(TypeError, match=r"batches must be tensors or ppgn\.data\.Batch, got list"):
        processes.own_part([torch.zeros(2)])


def test_alone_nothing_is_copied_or_changed():
    batch, value = torch.zeros(3, 1), torch.ones(2)
    assert processes.own_part(batch) is batch
    assert processes.mean(value) is value
    assert processes.least(value) is value
    processes.average([value])
    assert value.tolist() == [1, 1]
    assert processes.main_first(lambda: 5) == 5
    assert processes.is_main()


def test_the_device():
    assert processes.join("cpu") == torch.device("cpu")
    assert isinstance(processes.join(), torch.device)
    with pytest.raises(ValueError, match="device must be one that torch has here, got 'abacus'"):
        processes.join("abacus")
