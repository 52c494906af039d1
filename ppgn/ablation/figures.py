"""The figures of images in a judge's features, beside real images: numbers, or the reasons why there are none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ppgn import evaluation, records
from ppgn.evaluation.overlaps import K

OVERLAPS = ("coverage", "density", "precision", "recall")
NONE = "no real images to measure it from"
OTHERS = "the real images are of other classes than the samples"


@dataclass(frozen=True)
class Real:
    """Real images in a judge's features, which others are held against.

    moments    of all of them
    spread     mean distance of two of a class
    features   (N, d) of each, and its label (N,); None: only the other numbers are known
    """

    moments: evaluation.Moments | None = None
    spread: float | None = None
    features: Tensor | None = None
    labels: Tensor | None = None


def figures(
    judge: evaluation.Judge, images: Tensor, labels: Tensor, real: Real, same: bool, seed: int = 0
) -> dict[str, float | str]:
    """Of images (N, C, H, W), as many of each label (N,): see `ppgn.ablation.tables.NAMES`.

    same   whether their classes are those of the real images
    seed   overlaps are with as many real images, others for each seed
    """
    device, dtype = records.of_device(judge)
    images = images.to(device, dtype)
    features = evaluation.features(judge, images).cpu()
    return {
        "judge": evaluation.agreement(judge, images, labels.to(device)),
        "distance": _distance(features, real.moments, same),
        "spread": _spread(features, labels, real.spread),
        **_overlaps(features, labels, real, same, seed),
    }


def unjudged(reason: str) -> dict[str, float | str]:
    """No figure, for one reason."""
    return dict.fromkeys(("judge", "distance", "spread", *OVERLAPS), reason)


def nth(labels: Tensor, n: int, i: int) -> Tensor:
    """Rows of n images of every class: i = 0 the first of each, 1 the next n, ... Of classes with too few, fewer."""
    return torch.cat([(labels == label).nonzero()[:, 0][i * n : (i + 1) * n] for label in labels.unique()])


def fewest(labels: Tensor) -> int:
    """So many images has the class that has the fewest."""
    return int(labels.unique(return_counts=True)[1].min())


def _distance(features: Tensor, moments: evaluation.Moments | None, same: bool) -> float | str:
    n, d = features.shape
    if moments is None:
        return NONE
    if not same:
        return OTHERS
    if n <= d:
        return f"it needs more samples than the judge has features, {d}; there are {n}"
    return max(0.0, evaluation.frechet_distance(evaluation.moments(features), moments))


def _spread(features: Tensor, labels: Tensor, real: float | None) -> float | str:
    if real is None:
        return NONE
    if fewest(labels) < 2:
        return "it needs two images of a class or more"
    return evaluation.spread(features, labels) / real if real > 0 else math.nan


def _overlaps(features: Tensor, labels: Tensor, real: Real, same: bool, seed: int) -> dict[str, float | str]:
    if real.features is None or real.labels is None:
        return dict.fromkeys(OVERLAPS, NONE)
    if not same:
        return dict.fromkeys(OVERLAPS, OTHERS)
    n, there = fewest(labels), fewest(real.labels)
    if n <= K:  # neighbours of another class are no measure of this one
        return dict.fromkeys(OVERLAPS, f"it needs more images of a class than neighbours, {K}; there are {n}")
    if there < n:
        return dict.fromkeys(OVERLAPS, f"it needs as many real images of a class as samples, {n}; there are {there}")
    rows = nth(real.labels, n, seed % (there // n))
    found = evaluation.overlap(features, real.features[rows], K)
    return {name: float(getattr(found, name).value) for name in OVERLAPS}
