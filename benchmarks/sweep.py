"""Which epsilons for the bundle's default? A small grid over the step and the condition's power.

    python benchmarks/sweep.py --data mnist.npz               # about 10 minutes on 2 cores

The walk's epsilons are (d, gamma d, sqrt(2 d)): Langevin steps of size d, in units of the denoiser's sigma^2.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import quality
import tables
import torch

import ppgn
from ppgn import data, evaluation, pretrained

N, STEPS = 500, 200
GRID = [(share, gamma) for share in (0.1, 0.3, 0.5) for gamma in (1.0, 3.0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    arguments = parser.parse_args()
    test = data.load(str(arguments.data), "test")
    reference = evaluation.moments(evaluation.features(quality.JUDGE, data.to_float(test.images)))
    real = data.load(str(arguments.data)).per_class(N // 10)
    floor = quality.score(data.to_float(real.images), real.labels, reference)
    labels = torch.arange(10).repeat_interleave(N // 10)
    sigma = pretrained.describe("mnist")["variants"]["ppgn-h"]["prior"]["sigma"]
    rows = []
    for share, gamma in GRID:
        d = share * sigma**2
        settings = {"eps_prior": d, "eps_condition": gamma * d, "eps_noise": math.sqrt(2 * d)}
        pipeline = pretrained.load("mnist", "ppgn-h", settings=settings, batch_size=250)
        condition = ppgn.conditions.class_label(pipeline.classifier, labels)
        samples = ppgn.sample(pipeline.given(condition), N, STEPS, seed=10, frames=0)
        found = quality.score(samples.images, labels, reference)
        rows.append([f"{share:g} sigma^2", f"{gamma:g}", *quality.row("", [found], floor)[1:-1]])
        print(rows[-1], flush=True)
    note = f"n = {N}, {STEPS} steps, seed 10, floor at the same n; columns as in the table above."
    head = ["d", "gamma", "judge agrees", "guide agrees", "distance", "over floor", "diversity"]
    tables.write("sweep", head, rows, note)


if __name__ == "__main__":
    main()
