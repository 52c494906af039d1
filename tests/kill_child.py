"""A helper of test_kill: runs of `ppgn.sample` in forks that are killed while they walk.

Written to stdout, a line a run: its number, its kernel, and the steps in its checkpoint when it was killed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import torch
from targets import Logistic, logistic_posterior

import ppgn
from ppgn import files, samplers

KERNELS = ("mala", "mala+isir", "smc", "rejection", "ula")
N, EVERY = 32, 5
STEPS = {"mala": 400, "mala+isir": 400, "smc": 160, "rejection": 200, "ula": 600}


def run(kernel, seed, checkpoint=None, every=1000):
    """One run to its end."""
    pipeline = logistic_posterior(Logistic(8.0, 3.5))  # p(y) = 0.0003: rejection takes a hundred steps
    sampler = {
        "mala": lambda p: samplers.mala(p, 0.2, warmup=60, precondition=True),
        "mala+isir": "mala+isir",  # whose warm-up is half of the run
        "smc": lambda p: samplers.smc(p, 0.2, settle=110, moves=2),
        "rejection": "rejection",
        "ula": lambda p: samplers.ula(p, 0.01),
    }[kernel]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ppgn.SamplingWarning)
        return ppgn.sample(
            pipeline, N, STEPS[kernel], seed, sampler, progress=False, thin=3, frames=5,
            checkpoint=checkpoint, checkpoint_every=every,
        )  # fmt: skip


def fork(kernel, seed, path):
    """The process of a run."""
    child = os.fork()
    if child == 0:
        try:
            run(kernel, seed, path, EVERY)
        finally:
            os._exit(0)
    return child


def wait_for_writes(path, count):
    """Until the file has been seen to be replaced so often, whatever the machine's speed."""
    last, seen, until = None, 0, time.monotonic() + 60
    while seen < count and time.monotonic() < until:
        now = path.stat().st_mtime_ns if path.exists() else None
        seen, last = seen + (now != last), now
        time.sleep(0.0005)


def killed(kernel, seed, path, chance):
    """Begin a run, kill it a random moment after a random checkpoint, and give the steps it left; -1: it had ended."""
    child = fork(kernel, seed, path)
    wait_for_writes(path, chance.randint(1, 12))
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        return -1
    tensors, _ = files.read_tensors(path)
    return len(tensors["log_condition"]) - 1


def main(folder, runs):
    torch.set_num_threads(1)
    chance = random.Random(0)
    for i in range(runs):
        kernel = KERNELS[i % len(KERNELS)]
        print(i, kernel, killed(kernel, i, folder / f"{i}.safetensors", chance), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
