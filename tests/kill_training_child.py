"""A helper of test_kill: trainings in forks that are killed (SIGKILL) while they train, save and draw their sheets.

    kill_training_child.py DIGITS.npz OUT STEPS KILLS

Written to stdout, a line a kill: the family and the step of the checkpoint that it left.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import process_child
import torch

from ppgn import files

FAMILIES = ("gan", "vae")
EVERY = 6


def fork(family, digits, out, steps):
    """The process of a run, which goes on from what there is."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            process_child.run(family, digits, out, steps, EVERY)
            code = 0
        finally:
            os._exit(code)
    return child


def ended(child):
    """Wait for the process: True if it was killed, False if it came to its end."""
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("a run failed")
    return os.WIFSIGNALED(status)


def wait_for_writes(path, count, child):
    """Until the file has been replaced so often, or the run has ended; True in the first case."""
    last, seen = path.stat().st_mtime_ns if path.exists() else None, 0
    while seen < count:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        now = path.stat().st_mtime_ns if path.exists() else None
        seen, last = seen + (now != last), now
        time.sleep(0.0005)
    return True


def main(digits, out, steps, kills):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    chance = random.Random(0)
    for family in FAMILIES:
        ended(fork(family, digits, out / "whole", steps))
        path = out / "cut" / family / "checkpoint.safetensors"
        for _ in range(kills):
            child = fork(family, digits, out / "cut", steps)
            wait_for_writes(path, chance.randint(0, 1), child)
            time.sleep(chance.uniform(0.02, 0.3))
            os.kill(child, signal.SIGKILL)
            if ended(child):
                print(family, files.read_tensors(path)[1]["step"] if path.exists() else 0, flush=True)
        ended(fork(family, digits, out / "cut", steps))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
