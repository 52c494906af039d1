"""Is a classifier that was never seen in training as good a condition? Other people's, judged by neither.

    python benchmarks/swap.py                          # about 40 minutes on one core

Each walk stands beside the truth for the same classifier: draws of the prior alone, kept by rejection.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import tables
import thirdparty
import torch
from judging import Classifier, Score, kept_by_rejection, score
from torch import Tensor

import ppgn
from ppgn import evaluation, files, pretrained
from ppgn.pretrained.catalogue import WEIGHTS

BATCH = 100  # chains evaluated together


@dataclass(frozen=True)
class Case:
    """A pipeline, the bundle whose judge looks on, and the classifier that it is walked under.

    each, draws, steps   chains a class, draws of the prior for the truth, steps of both
    """

    name: str
    pipeline: Callable[[], ppgn.Pipeline]
    judged_by: str
    condition: str
    classifier: Callable[[], Classifier]
    each: int
    draws: int
    steps: int


def own(bundle: str) -> Classifier:
    return pretrained.network(bundle, "classifier")


def natural() -> ppgn.Pipeline:
    """Latents of TAEF2 at CIFAR's size."""
    return pretrained.natural(thirdparty.taef2(), 32, batch_size=BATCH)


def cases(each: int) -> list[Case]:
    digits, clothes, things = (
        partial(pretrained.load, bundle, batch_size=BATCH) for bundle in ("mnist", "fashion", "cifar10")
    )
    many, few = (each, 20 * each, 200), (each // 3, 8 * each, 120)
    return [
        Case("mnist", digits, "mnist", "its own", partial(own, "mnist"), *many),
        Case("mnist", digits, "mnist", "LeNet-5 (csinva)", thirdparty.lenet, *many),
        Case("fashion", clothes, "fashion", "its own", partial(own, "fashion"), *many),
        Case("cifar10", things, "cifar10", "its own", partial(own, "cifar10"), *many),
        Case("cifar10", things, "cifar10", "ResNet-20 (akamaster)", thirdparty.resnet20, *many),
        Case("natural, 32 px", natural, "cifar10", "ResNet-20 (akamaster)", thirdparty.resnet20, *few),
    ]


def measured(case: Case, seed: int, prior: Tensor, seconds: float) -> tuple[Score, Score]:
    """(walk, truth), both by the bundle's judge."""
    judge = pretrained.network(case.judged_by, "judge")
    found, _ = files.read_tensors(WEIGHTS / case.judged_by / "reference.safetensors")
    reference = evaluation.Moments(found["mean"], found["covariance"])
    guide = case.classifier()
    labels = torch.arange(10).repeat_interleave(case.each)
    pipeline = case.pipeline().given(ppgn.conditions.class_label(guide, labels))
    began = time.perf_counter()
    images = ppgn.sample(pipeline, len(labels), case.steps, seed, frames=0).images
    walk = score(images, labels, judge, guide, reference, time.perf_counter() - began)
    try:
        kept, theirs = kept_by_rejection(prior, guide, case.each, seed)
    except RuntimeError:  # no draw of some class
        return walk, Score(math.nan, math.nan, math.nan, math.nan, seconds)
    return walk, score(kept, theirs, judge, guide, reference, seconds)


def draws(case: Case, seed: int) -> tuple[Tensor, float]:
    """Of the prior alone, and the seconds they took."""
    began = time.perf_counter()
    images = ppgn.sample(case.pipeline(), case.draws, case.steps, 1000 + seed, frames=0).images
    return images, time.perf_counter() - began


def row(case: Case, pairs: list[tuple[Score, Score]]) -> list[str]:
    walks, truths = zip(*pairs, strict=True)
    seconds = statistics.fmean(one.seconds for one in walks) / (10 * case.each) * 1000
    return [
        case.name, case.condition,
        told([100 * one.guide for one in walks], ".1f", " %"),
        told([100 * one.judge for one in walks], ".1f", " %"),
        told([100 * one.judge for one in truths], ".1f", " %"),
        told([100 * (walk.judge - truth.judge) for walk, truth in pairs], ".1f"),
        told([walk.spread / truth.spread for walk, truth in pairs], ".2f"),
        told([walk.distance / truth.distance for walk, truth in pairs], ".2f"),
        f"{seconds:.0f}",
    ]  # fmt: skip


def told(values: list[float], form: str, unit: str = "") -> str:
    """Mean and error, or - where there were too few images for one of them."""
    return tables.mean_and_error(values, form) + unit if all(map(math.isfinite, values)) else "-"


HEAD = [
    "generator and prior", "condition", "it agrees", "judge agrees", "truth: judge agrees", "judge - truth",
    "diversity / truth", "distance / truth", "s per 1,000",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=30, help="chains a class")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", help="one generator; the table is printed and not written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [case for case in cases(arguments.each) if arguments.only in (None, case.name)]
    found: dict[int, list[tuple[Score, Score]]] = {i: [] for i in range(len(chosen))}
    for seed in range(arguments.seeds):
        prior: dict[str, tuple[Tensor, float]] = {}
        for i, case in enumerate(chosen):
            if case.name not in prior:
                prior[case.name] = draws(case, seed)
            found[i].append(measured(case, seed, *prior[case.name]))
            print(case.name, case.condition, seed, found[i][-1], flush=True)
    rows = [row(case, found[i]) for i, case in enumerate(chosen)]
    real = ", ".join(
        f"{bundle} {pretrained.card(bundle, 'judge').measured['test accuracy']:.1%}"
        for bundle in dict.fromkeys(case.judged_by for case in chosen)
    )
    note = (
        f"{arguments.each} chains a class (natural: a third), seeds 0..{arguments.seeds - 1} with the standard error "
        "over them; the judge is the bundle's (natural: cifar10's), which is no condition in any row; with real test "
        f"images it agrees in {real}. Truth: draws of the same prior without a condition, kept with the probability "
        "that the row's classifier gives; - where one side has too few images. No row is exact."
    )
    if arguments.only is None:
        tables.write("swap", HEAD, rows, note)
    else:
        print(*rows, sep="\n")


if __name__ == "__main__":
    main()
