"""A helper of test_kill: trainings in forks that are killed (SIGKILL) while they train, save and draw their sheets.

    kill_training_child.py DIGITS.npz OUT STEPS KILLS

Written to stdout, a line a kill: the family and the step of the checkpoint that it left.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import process_child
import torch

from ppgn import files

FAMILIES = ("gan", "vae")
EVERY = 6


def fork(family, digits, out, steps, batches=process_child.batches):
    """The process of a run, which goes on from what there is."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            process_child.batches = batches
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


def doomed(step, delay, stream=process_child.batches):
    """The batches of a process that is killed `delay` seconds after this step began, whatever it does by then."""

    def kill():
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)

    def batches(images, start):
        thread = threading.Thread(target=kill, daemon=True)
        for at, batch in enumerate(stream(images, start), start):
            if at >= step and not thread.is_alive():
                thread.start()
            yield batch

    return batches


def main(digits, out, steps, kills):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    chance = random.Random(0)
    for family in FAMILIES:
        ended(fork(family, digits, out / "whole", steps))
        path = out / "cut" / family / "checkpoint.safetensors"
        for step in sorted(chance.sample(range(2, steps - 30), kills)):
            if ended(fork(family, digits, out / "cut", steps, doomed(step, chance.uniform(0, 0.03)))):
                print(family, files.read_tensors(path)[1]["step"], flush=True)
        ended(fork(family, digits, out / "cut", steps))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
