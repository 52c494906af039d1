"""How good are the digits? 1,000 samples, 100 a digit, by a judge that was never the condition.

    python benchmarks/quality.py --data mnist.npz             # about 20 minutes on 2 cores

Each row beside the floors, 1,000 real training images through the same judge and their reconstructions G(E(x)), and
beside the truth that a condition of few classes allows: draws of the prior alone, kept by rejection.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import judging
import tables
import torch
from judging import Score
from torch import Tensor

import ppgn
from ppgn import data, evaluation, pretrained
from ppgn.random import streams

N, STEPS = 1000, 200
DRAWS = 2000  # of the prior, for 100 of every class
LABELS = torch.arange(10).repeat_interleave(N // 10)
JUDGE = pretrained.network("mnist", "judge")


def score(images: Tensor, labels: Tensor, reference: evaluation.Moments, seconds: float = 0.0) -> Score:
    return judging.score(images, labels, JUDGE, pretrained.network("mnist", "classifier"), reference, seconds)


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


def truth(seed: int) -> tuple[Tensor, float]:
    """The default's own prior, walked without a condition, kept by rejection; seconds for all draws that took."""
    pipeline = pretrained.load("mnist", batch_size=200)
    assert pipeline.classifier is not None
    began = time.perf_counter()
    images = ppgn.sample(pipeline, DRAWS, STEPS, seed, frames=0).images
    kept, _ = judging.kept_by_rejection(images, pipeline.classifier, N // 10, seed)
    assert len(kept) == N, f"{DRAWS} draws hold {len(kept) // 10} of the rarest class"
    return kept, time.perf_counter() - began


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
    rows = [[*row("real training images", [floor], floor), "-", "-", "-"]]
    encoder = pretrained.network("mnist", "encoder")
    rebuilt = {}
    for name in ("generator", "generator-noiseless"):
        made = evaluation.in_parts(pretrained.network("mnist", name), evaluation.features(encoder, x))
        rebuilt[name] = score(made, real.labels, reference)
        rows.append([*row(f"their reconstructions, {name}", [rebuilt[name]], floor), "-", "-", "1.0"])

    def measured(name: str, run: Callable[[int], tuple[Tensor, float]]) -> list[Score]:
        scores = []
        for seed in range(arguments.seeds):
            images, seconds = run(seed)
            scores.append(score(images, LABELS, reference, seconds))
            print(name, seed, scores[-1], flush=True)
        return scores

    described = pretrained.describe("mnist")
    standard = measured("truth", truth)
    found = [(f"`{described['default']}` without a condition, kept by rejection", described["default"], standard)]
    for variant in (described["default"], "ppgn-h"):
        name = f"`{variant}`, recommended settings"
        found.append((name, variant, measured(name, walk(variant, False))))
    for variant in ("joint", "noiseless"):
        name = f"`{variant}`, the authors' released settings"
        found.append((name, variant, measured(name, walk(variant, True))))
    for name, variant, scores in found:
        own = rebuilt[described["variants"][variant]["generator"]]
        rows.append([*row(name, scores, floor), *against(scores, standard, own)])
    note = (
        f"n = {N}, {STEPS} steps, seeds 0..{arguments.seeds - 1} with the standard error over them; distance: Fréchet, "
        f"in the {JUDGE.latent_shape[0]} features of the bundle's judge (sha256 "
        f"{pretrained.card('mnist', 'judge').sha256[:12]}), to the 10,000 test images; diversity: mean distance within "
        "a class over that of the real ones. The truth is the row kept by rejection; reconstructions are those of the "
        "row's own generator. No row is exact."
    )
    tables.write("quality", HEAD, rows, note)


HEAD = [
    "", "judge agrees", "guide agrees", "distance", "over floor", "diversity", "s per 1,000",
    "judge - truth", "diversity / truth", "distance / reconstructions",
]  # fmt: skip


def against(scores: list[Score], standard: list[Score], rebuilt: Score) -> list[str]:
    """Judge's agreement less the truth's, in points; diversity over the truth's; distance over reconstructions'."""
    judge, spread = (statistics.fmean(getattr(s, name) for s in standard) for name in ("judge", "spread"))
    return [
        tables.mean_and_error([100 * (s.judge - judge) for s in scores], ".1f"),
        tables.mean_and_error([s.spread / spread for s in scores], ".2f"),
        tables.mean_and_error([s.distance / rebuilt.distance for s in scores], ".2f"),
    ]


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
