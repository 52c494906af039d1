"""What several scripts judge by: samples against their labels, and the truth that a condition of few classes allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ppgn import evaluation

Classifier = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Score:
    """Of one set of images: shares that judge and guide give their label, Fréchet distance, ... (NaN: too few)."""

    judge: float
    guide: float
    distance: float
    spread: float
    seconds: float


def score(
    images: Tensor,
    labels: Tensor,
    judge: evaluation.Judge,
    guide: Classifier,
    reference: evaluation.Moments,
    seconds: float = 0.0,
) -> Score:
    features = evaluation.features(judge, images)
    enough = len(features) > features.shape[1]  # for a covariance
    return Score(
        evaluation.agreement(judge, images, labels),
        float((evaluation.in_parts(guide, images).argmax(1) == labels).float().mean()),
        evaluation.frechet_distance(evaluation.moments(features), reference) if enough else math.nan,
        evaluation.spread(features, labels) if int(labels.unique(return_counts=True)[1].min()) > 1 else math.nan,
        seconds,
    )


def kept_by_rejection(images: Tensor, guide: Classifier, each: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draws of the prior and the labels they are kept under, y ~ p(y | x) by the guide: the first `each` of a class.

    What a perfect walk on p(h) p(y | G(h)) would give, y uniform; as many of all as the rarest class has, if that is
    fewer. Raises RuntimeError if a class has none.
    """
    chances = evaluation.in_parts(guide, images).softmax(1)
    chosen = torch.multinomial(chances, 1, generator=torch.Generator().manual_seed(seed))[:, 0]
    found = [(chosen == label).nonzero()[:, 0] for label in range(chances.shape[1])]
    each = min(each, *map(len, found))
    if each == 0:
        raise RuntimeError(f"{len(images)} draws must hold some of every class, got {[len(rows) for rows in found]}")
    rows = torch.cat([rows[:each] for rows in found])
    return images[rows], chosen[rows]
