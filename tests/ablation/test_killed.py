"""Ablations killed (SIGKILL) while they walk and write, and two at once in a folder: they end in the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import ablation_child
import pytest

from ppgn import ablation


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    """(folder, [cells that had their rows, kill by kill]): one process forks the runs and kills them."""
    folder, here = tmp_path_factory.mktemp("ablations"), Path(ablation_child.__file__).parent
    out = subprocess.run(
        [sys.executable, str(here / "ablation_child.py"), str(folder)],
        check=True, stdout=subprocess.PIPE, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(here)},
    )  # fmt: skip
    return folder, [set(line.split()) for line in out.stdout.splitlines()]


def rows(folder):
    """All but the seconds, and the pictures."""
    found = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert found == ablation.read_rows(folder)
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


def test_kills_came_in_the_middle(kills):
    """Or nothing would be put to the test. The child itself makes sure that no finished cell was redone."""
    _, left = kills
    assert len(left) == ablation_child.KILLS
    assert 0 < len(left[0]) < len(left[-1]) < 10
    assert all(earlier <= later for earlier, later in pairwise(left))


@pytest.mark.parametrize("other", ["cut", "both"])
def test_a_killed_run_and_two_at_once_end_in_the_same_rows(kills, other):
    folder, _ = kills
    whole = rows(folder / "whole")
    assert len(whole) == 10
    assert all(row["error"] is None for row in whole)
    assert rows(folder / other) == whole
    for row in whole:
        name = Path("pictures") / f"{row['id']}.png"
        assert (folder / other / name).read_bytes() == (folder / "whole" / name).read_bytes()
