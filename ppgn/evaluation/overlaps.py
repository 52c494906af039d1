"""How two sets of features overlap, by balls about every point that reach its k-th nearest neighbour of its own kind.

precision   share of samples inside any real image's ball       recall     share of real images in any sample's ball
density     in how many real balls a sample lies, over k        coverage   share of real balls that hold a sample

Kynkäänniemi et al. 2019; Naeem et al. 2020. For two equal sets of N, E density = 1 and
E coverage = 1 - (N-1)...(N-k) / ((2N-1)...(2N-k)); precision and recall are below 1 there, by how much depends on d.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ppgn.evaluation.figures import LEVEL, Figure, mean, share

K, PART = 5, 500


class Overlap(NamedTuple):
    """Errors are of the set that is counted, the balls held fixed."""

    precision: Figure
    recall: Figure
    density: Figure
    coverage: Figure


def overlap(samples: Tensor, real: Tensor, k: int = K, level: float = LEVEL) -> Overlap:
    """Of features (N, d) and (M, d); about N M distances, some hundred rows at a time.

    Raises ValueError unless N > k and M > k.
    """
    reach, own = radii(real, k), radii(samples, k)
    inside, recalled, nearest = [], torch.zeros(len(real), dtype=torch.bool), torch.full((len(real),), math.inf)
    nearest, real = nearest.double(), real.double()
    for part, radius in zip(samples.double().split(PART), own.split(PART), strict=True):
        distance = torch.cdist(part, real)
        inside.append((distance < reach).sum(1))
        recalled |= (distance < radius[:, None]).any(0)
        nearest = torch.minimum(nearest, distance.amin(0))
    balls = torch.cat(inside)
    return Overlap(
        share(balls > 0, level), share(recalled, level), mean(balls / k, level), share(nearest < reach, level)
    )


def radii(features: Tensor, k: int = K) -> Tensor:
    """(N,) the distance of each row of (N, d) to its k-th nearest other row. Raises ValueError unless N > k >= 1."""
    if not 1 <= k < len(features):
        raise ValueError(f"more images than neighbours are needed, k = {k}, got {len(features)} images")
    points = features.double()
    found = [torch.cdist(part, points).kthvalue(k + 1, dim=1).values for part in points.split(PART)]  # 1st: itself
    return torch.cat(found)


def expected_coverage(n: int, k: int = K) -> float:
    """Of two sets of n that are equal in law: a ball is empty if its centre's k nearest of all are of its own kind.

    >>> round(expected_coverage(10_000), 4)
    0.9688
    """
    return 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
