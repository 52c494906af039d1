"""Runs killed (SIGKILL) while they walk or train and write their files: they go on to the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import kill_child
import kill_training_child
import pytest
import torch

RUNS = 25
TRAINING_STEPS, TRAINING_KILLS = 96, 10


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    """(folder, [(number, kernel, steps that its checkpoint had)]): one process forks the runs and kills them."""
    folder, here = tmp_path_factory.mktemp("kill"), Path(__file__).parent
    out = subprocess.run(
        [sys.executable, str(here / "kill_child.py"), str(folder), str(RUNS)],
        check=True, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(here)},
    )  # fmt: skip
    rows = [line.split() for line in out.stdout.splitlines()]
    return folder, [(int(i), kernel, int(steps)) for i, kernel, steps in rows]


@pytest.mark.slow
def test_kills_came_in_the_middle(kills):
    """Or nothing would be put to the test: all but a few left an unfinished run, at many different steps."""
    _, rows = kills
    left = [steps for _, kernel, steps in rows if 0 < steps < kill_child.STEPS[kernel]]
    assert len(rows) == RUNS
    assert len(left) >= 0.8 * RUNS
    assert len(set(left)) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("kernel", kill_child.KERNELS)
def test_a_killed_run_goes_on_to_the_same_bits(kernel, kills):
    folder, rows = kills
    own = [(i, steps) for i, name, steps in rows if name == kernel]
    assert len(own) == RUNS // len(kill_child.KERNELS)
    for i, _ in own:
        whole = kill_child.run(kernel, i).tensors()
        again = kill_child.run(kernel, i, folder / f"{i}.safetensors").tensors()
        assert again.keys() == whole.keys()
        for name, value in whole.items():
            assert torch.equal(again[name], value), f"{name} of run {i}"
        stay = kill_child.run(kernel, i, folder / f"{i}.safetensors").tensors()  # once at its end, it stays there
        assert torch.equal(stay["codes"], whole["codes"])


@pytest.mark.slow
def test_nothing_but_checkpoints_and_their_temporaries_is_left(kills):
    """A kill in the middle of a write leaves at most its temporary file, which no later run takes for anything."""
    folder, rows = kills
    names = {path.name for path in folder.iterdir()}
    assert {f"{i}.safetensors" for i, _, _ in rows} <= names
    assert len(names) <= 2 * RUNS


@pytest.fixture(scope="module")
def trainings(tmp_path_factory, small_digits):
    """(folder, {family: steps of the checkpoints that its kills left})."""
    folder, here = tmp_path_factory.mktemp("trainings"), Path(__file__).parent
    script = str(here / "kill_training_child.py")
    out = subprocess.run(
        [sys.executable, script, small_digits, str(folder), str(TRAINING_STEPS), str(TRAINING_KILLS)],
        check=True, capture_output=True, text=True, timeout=400,
        env={**os.environ, "PYTHONPATH": str(here)},
    )  # fmt: skip
    rows = [line.split() for line in out.stdout.splitlines()]
    families = kill_training_child.FAMILIES
    return folder, {name: [int(step) for family, step in rows if family == name] for name in families}


@pytest.mark.slow
@pytest.mark.parametrize("family", kill_training_child.FAMILIES)
def test_a_training_killed_ten_times_goes_on_to_the_same_bits(family, trainings):
    """Weights, optimizers and contact sheets; and nothing half-written is left."""
    folder, steps = trainings
    assert len(steps[family]) == TRAINING_KILLS
    assert steps[family] == sorted(steps[family])
    assert len(set(steps[family])) >= 3
    assert 0 < steps[family][-1] < TRAINING_STEPS
    whole, cut = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
                  for f in (folder / "whole" / family, folder / "cut" / family))  # fmt: skip
    assert len(whole) > TRAINING_STEPS // 8
    assert cut.keys() == whole.keys()
    assert all(cut[name] == content for name, content in whole.items())
