"""The Fréchet distance of two sets of features, each taken for a normal: FID, if the features were Inception's.

|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))        Heusel et al. 2017
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ppgn.evaluation.figures import LEVEL, Figure, about, jackknife

BLOCKS = 50


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
    """The squared Wasserstein distance of two normals. Biased upwards by about 1/N: compare at equal N only."""
    root = torch.linalg.eigvals(a.covariance @ b.covariance).sqrt().real.sum()
    return float((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * root)


def frechet_with_error(features: Tensor, reference: Tensor, level: float = LEVEL) -> Figure:
    """The distance of features (N, d) to reference (M, d), with the jackknife's error over the first set.

    The error is of the draw of the N, the reference held fixed: what two sets beside one reference differ by. It says
    nothing of the bias, which both share. Raises ValueError unless N > d and M > d.
    """
    fixed, n, d = moments(reference), *features.shape
    value = frechet_distance(moments(features), fixed)
    if n - -(-n // BLOCKS) <= d:
        return Figure(value)  # without a block no covariance is left
    return about(value, jackknife(lambda part: frechet_distance(moments(part), fixed), features, BLOCKS), level)
