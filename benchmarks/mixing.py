"""How well chains mix: what one of them visits, and how many of its steps are worth an independent draw.

Series are (k, n), k noted steps of n chains, as those of `ppgn.Samples.series`; -1 stands for a step that shows none of
what is counted.
"""

from __future__ import annotations

import math

import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from ppgn import evaluation
from ppgn.statistics import Statistic
from ppgn.types import State

CONFIDENT = 0.9  # the judge's probability from which on an image counts as a digit


def visited(series: Tensor) -> Tensor:
    """(k, n) whole numbers -> (n,) how many different ones each chain shows."""
    return torch.tensor([float(len(shown[shown >= 0].unique())) for shown in series.T])


def switches(series: Tensor) -> Tensor:
    """(k, n) whole numbers -> (n,) how often, in 100 steps, a chain shows another than the last that it showed."""
    shown = [column[column >= 0] for column in series.T]
    return torch.tensor([100 * float((one[1:] != one[:-1]).sum()) / len(series) for one in shown])


def autocorrelation_time(series: Tensor) -> float:
    """(k, n) numbers of n chains of one target -> steps for an independent draw: k n over their effective sample size.

    Chains that disagree count as slow. Infinite if some chain stands still.
    """
    if evaluation.stands_still(series):
        return math.inf
    return series.numel() / evaluation.effective_size(series, method="mean")


def r_hat(series: Tensor) -> float:
    """(k, n) -> `evaluation.r_hat`, infinite if some chain stands still."""
    return math.inf if evaluation.stands_still(series) else evaluation.r_hat(series)


def centres(features: Tensor, labels: Tensor, k: int, seed: int) -> Tensor:
    """(classes, k, d): k-means of each class's features (N, d), which stand for its modes."""
    own = [features[labels == label].double().numpy() for label in labels.unique()]
    return torch.stack([torch.from_numpy(kmeans2(one, k, minit="++", seed=seed)[0]) for one in own])


def digit_seen(judge: evaluation.Judge) -> Statistic:
    """Of a state: the class (n,) that the judge sees, -1 where it is not CONFIDENT."""

    @torch.no_grad()
    def seen(state: State) -> Tensor:
        p, label = judge(state.terms.image).softmax(1).max(1)
        return torch.where(p >= CONFIDENT, label, -1).float()

    return seen


def mode_seen(judge: evaluation.Judge, modes: Tensor, labels: Tensor) -> Statistic:
    """Of a state: the nearest (n,) of the modes (classes, k, d) of the class asked of each chain, -1 where the judge
    sees no such class."""
    seen = digit_seen(judge)

    @torch.no_grad()
    def nearest(state: State) -> Tensor:
        features = judge.features(state.terms.image).double()
        found = (features[:, None] - modes[labels]).square().sum(2).argmin(1)
        return torch.where(seen(state) == labels, found, -1).float()

    return nearest
