"""Does memory grow with the steps? Peak resident memory of whole processes that walk 16 chains for longer and longer.

python benchmarks/memory.py
"""

from __future__ import annotations

import subprocess
import sys

import tables

CODE = """
import resource, torch, ppgn
torch.set_num_threads(1)
pipeline = ppgn.load("mnist")
pipeline = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 7))
ppgn.sample(pipeline, 16, {steps}, seed=0, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak(steps: int) -> float:
    """Peak resident memory in MiB of a process of its own."""
    out = subprocess.run([sys.executable, "-c", CODE.format(steps=steps)], check=True, capture_output=True, text=True)
    return float(out.stdout)


def main() -> None:
    rows = [[str(steps), f"{peak(steps):.0f}"] for steps in (50, 500, 5000)]
    tables.write("memory", ["steps", "peak MiB"], rows, "16 chains of the default pipeline of `mnist`, frames kept.")


if __name__ == "__main__":
    main()
