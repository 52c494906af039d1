"""How good are the digits? 1,000 samples, 100 a digit, by a judge that was never the condition.

    python benchmarks/quality.py --data mnist.npz             # about 20 minutes on 2 cores

Each row beside the floor: 1,000 real training images through the same judge, and their reconstructions G(E(x)).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tables
import torch
from torch import Tensor

import ppgn
from ppgn import data, evaluation, pretrained
from ppgn.random import streams

N, STEPS = 1000, 200
LABELS = torch.arange(10).repeat_interleave(N // 10)
JUDGE = pretrained.network("mnist", "judge")


@dataclass(frozen=True)
class Score:
    judge: float
    guide: float
    distance: float
    spread: float
    seconds: float


def score(images: Tensor, labels: Tensor, reference: evaluation.Moments, seconds: float = 0.0) -> Score:
    features = evaluation.features(JUDGE, images)
    guide = pretrained.network("mnist", "classifier")
    return Score(
        evaluation.agreement(JUDGE, images, labels),
        evaluation.agreement(guide, images, labels),
        evaluation.frechet_distance(evaluation.moments(features), reference),
        evaluation.spread(features, labels),
        seconds,
    )


def walk(variant: str | None, released: bool) -> Callable[[int], tuple[Tensor, float]]:
    """seed -> (images, seconds)."""

    def run(seed: int) -> tuple[Tensor, float]:
        pipeline = pretrained.load("mnist", variant, settings={"mode": "released"} if released else {}, batch_size=200)
        # the authors' objective and start: the target's own entry of the gradient, standard normal codes
        objective = "released" if released else "log_prob"
        condition = ppgn.conditions.class_label(pipeline.classifier, LABELS, objective=objective)
        start = streams(seed, N).normal(torch.empty(N, *pipeline.latent_shape), 0, "start") if released else None
        began = time.perf_counter()
        samples = ppgn.sample(pipeline.given(condition), N, STEPS, seed, start=start, frames=0)
        return samples.images, time.perf_counter() - began

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    test = data.load(str(arguments.data), "test")
    reference = evaluation.moments(evaluation.features(JUDGE, data.to_float(test.images)))
    real = data.load(str(arguments.data)).per_class(N // 10)
    x = data.to_float(real.images)
    floor = score(x, real.labels, reference)
    rows = [row("real training images", [floor], floor)]
    encoder = pretrained.network("mnist", "encoder")
    for name in ("generator", "generator-noiseless"):
        made = evaluation.in_parts(pretrained.network("mnist", name), evaluation.features(encoder, x))
        rows.append(row(f"their reconstructions, {name}", [score(made, real.labels, reference)], floor))
    described = pretrained.describe("mnist")
    runs = [(f"`{v}`, recommended settings", walk(v, False)) for v in described["variants"]]
    runs += [(f"`{v}`, the authors' released settings", walk(v, True)) for v in ("joint", "noiseless")]
    for name, run in runs:
        scores = []
        for seed in range(arguments.seeds):
            images, seconds = run(seed)
            scores.append(score(images, LABELS, reference, seconds))
            print(name, seed, scores[-1], flush=True)
        rows.append(row(name, scores, floor))
    note = (
        f"n = {N}, {STEPS} steps, seeds 0..{arguments.seeds - 1} with the standard error over them; distance: Fréchet, "
        f"in the {JUDGE.latent_shape[0]} features of the bundle's judge (sha256 "
        f"{pretrained.card('mnist', 'judge').sha256[:12]}), to the 10,000 test images; diversity: mean distance within "
        "a class over that of the real ones. No row is exact."
    )
    head = ["", "judge agrees", "guide agrees", "distance", "over floor", "diversity", "s per 1,000"]
    tables.write("quality", head, rows, note)


def row(name: str, scores: list[Score], floor: Score) -> list[str]:
    seconds = [s.seconds for s in scores]
    return [
        name,
        tables.mean_and_error([100 * s.judge for s in scores], ".1f") + " %",
        tables.mean_and_error([100 * s.guide for s in scores], ".1f") + " %",
        tables.mean_and_error([s.distance for s in scores], ".2f"),
        tables.mean_and_error([s.distance / floor.distance for s in scores], ".1f"),
        tables.mean_and_error([s.spread / floor.spread for s in scores], ".2f"),
        tables.mean_and_error(seconds, ".0f") if any(seconds) else "-",
    ]


if __name__ == "__main__":
    main()
