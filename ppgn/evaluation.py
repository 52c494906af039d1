"""Figures of merit of samples, each from a judge that was never the condition.

Distances depend on the features they are measured in: a number means something only beside the floor of real images,
at the same n, through the same judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Judge(Protocol):
    """A classifier that also shows the features it decides by, as `ppgn.models.ResidualClassifier`."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        ...

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, d)."""
        ...


def agreement(judge: Judge, images: Tensor, labels: Tensor) -> float:
    """The share of images (N, C, H, W) that the judge gives their label (N,)."""
    return float((in_parts(judge, images).argmax(1) == labels).float().mean())


def features(judge: Judge, images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, d), in the judge's features."""
    return in_parts(judge.features, images)


class Moments(NamedTuple):
    """Mean (d,) and covariance (d, d) of features, float64: all that the Fréchet distance asks of a set of images."""

    mean: Tensor
    covariance: Tensor


def moments(features: Tensor) -> Moments:
    """Moments of features (N, d). Raises ValueError unless N > d: the covariance would be singular."""
    n, d = features.shape
    if n <= d:
        raise ValueError(f"more samples than features are needed, {d} features, got {n} samples")
    return Moments(features.double().mean(0), torch.cov(features.double().T))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), the squared Wasserstein distance of two normals.

    Heusel et al. 2017 (as FID, with Inception features). Biased upwards by about 1/N: compare at equal N only.
    """
    root = torch.linalg.eigvals(a.covariance @ b.covariance).sqrt().real.sum()
    return float((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * root)


def spread(features: Tensor, labels: Tensor) -> float:
    """Mean distance of two different images of one class, averaged over classes; divide by the real images' spread."""
    means = []
    for label in labels.unique():
        rows = features[labels == label].double()
        n = len(rows)
        if n < 2:
            raise ValueError(f"at least 2 images of every class are needed, class {int(label)} has {n}")
        means.append(torch.cdist(rows, rows).sum() / (n * (n - 1)))
    return float(torch.stack(means).mean())


@torch.no_grad()
def in_parts(function: Callable[[Tensor], Tensor], images: Tensor, size: int = 500) -> Tensor:
    """The function of all rows, some hundred at a time, without gradients."""
    return torch.cat([function(part) for part in images.split(size)])
