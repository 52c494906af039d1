"""Can a classifier tell samples from real images? If no better than by chance, the features hold no difference it sees.

A logistic regression on features learns from one half of either set and is tested on the other half (Lopez-Paz & Oquab
2017).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppgn.evaluation.figures import LEVEL, Figure, share

FEWEST, RIDGE, ITERATIONS = 20, 1e-3, 25


class TwoSample(NamedTuple):
    """Of the tested halves: the share told right, 0.5 by chance, and how probable so much is if there is nothing to
    tell (sign test, one-sided)."""

    accuracy: Figure
    p_value: Figure


def two_sample(features: Tensor, reference: Tensor, seed: int = 0, level: float = LEVEL) -> TwoSample:
    """Of features (N, d) and (N, d), row i of both of one class if drawn class by class; the seed halves them.

    Each tested sample is paired with a real image. Under equal laws either of a pair is as probable to be more like a
    sample, whatever the classifier has learned: so the p-value, of how often it is the sample, is exact, at any N.
    Raises ValueError for fewer than 20 of either, or unequal numbers.
    """
    n = len(features)
    if len(reference) != n:
        raise ValueError(f"the two-sample test needs as many images of either kind, got {n} and {len(reference)}")
    if n < FEWEST:
        raise ValueError(f"the two-sample test needs at least {FEWEST} images of either kind, got {n}")
    rng = np.random.default_rng([seed, 4])
    order = torch.from_numpy(rng.permutation(n))  # one for both: halves with the same numbers of every class
    a, b = features.double()[order], reference.double()[order]
    half = n // 2
    learned, tested = torch.cat([a[:half], b[:half]]), torch.cat([a[half:], b[half:]])
    middle, scale = learned.mean(0), learned.std(0)
    scale = torch.where(scale > 0, scale, 1.0)
    weights = _logistic(_with_one((learned - middle) / scale))
    logits = _with_one((tested - middle) / scale) @ weights
    of_sample, of_real = logits[: n - half], logits[n - half :]
    right = torch.cat([of_sample > 0, of_real <= 0])
    return TwoSample(share(right, level), Figure(_p_value(of_sample, of_real)))


def _p_value(of_sample: Tensor, of_real: Tensor) -> float:
    """Of so many pairs, or more, being told apart rightly; those of equal logits are none."""
    from scipy.stats import binom  # takes half a second to import

    rightly, wrongly = int((of_sample > of_real).sum()), int((of_sample < of_real).sum())
    return float(binom.sf(rightly - 1, rightly + wrongly, 0.5))


def _logistic(x: Tensor) -> Tensor:
    """Weights (d + 1,) of the penalised logistic regression, first half of the rows against the second (Newton)."""
    n, d = x.shape
    y = (torch.arange(n) < n // 2).double()
    penalty = RIDGE * n * torch.eye(d, dtype=x.dtype)
    penalty[-1, -1] = 0  # of the intercept, none
    weights = torch.zeros(d, dtype=x.dtype)
    for _ in range(ITERATIONS):
        chance = torch.sigmoid(x @ weights)
        slope = x.T @ (chance - y) + penalty @ weights
        curve = (x * (chance * (1 - chance))[:, None]).T @ x + penalty
        step = torch.linalg.solve(curve + 1e-9 * torch.eye(d, dtype=x.dtype), slope)
        weights = weights - step / max(1.0, float(step.norm()))  # no longer than 1: Newton alone may run away
    return weights


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
