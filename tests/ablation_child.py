"""A helper of tests/ablation/test_killed.py: ablations in forks that are killed while they walk and write.

Written to stdout, a line a kill: the cells that had their rows.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from ppgn import ablation

DESIGN = ablation.of_axes(
    {"variant": ["ppgn-h"], "eps_noise": [0, 0.5, 1, 1.5, 2]}, n=1, steps=2, seeds=2, labels=[3, 7]
)
KILLS = 3


def run(out, shard=(1, 1)):
    """The design's rows."""
    return ablation.run(DESIGN, out, shard=shard, progress=False)


def fork(out):
    """The process of a run."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run(out)
            status = 0
        finally:
            os._exit(status)
    return child


def rows_in(out):
    """How many cells have their row."""
    return len(list((out / "cells").glob("*.json")))


def killed(out, chance):
    """Kill a run at a random moment after one or two more cells."""
    before, until = rows_in(out), time.monotonic() + 60
    child = fork(out)
    while rows_in(out) < before + chance.randint(1, 2) and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(chance.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(folder):
    torch.set_num_threads(1)
    chance, cut = random.Random(0), folder / "cut"
    for _ in range(KILLS):
        killed(cut, chance)
        print(*sorted(path.stem for path in (cut / "cells").glob("*.json")), flush=True)
    kept = {path: path.stat().st_mtime_ns for path in (cut / "cells").glob("*.json")}
    run(cut)
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items()), "a finished cell was redone"
    for child in (fork(folder / "both"), fork(folder / "both")):
        assert os.waitpid(child, 0)[1] == 0
    run(folder / "whole")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
