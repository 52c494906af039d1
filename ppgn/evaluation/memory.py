"""Does a generator repeat its training images? How near each sample is to the nearest of them, beside unseen real ones.

Real test images are no copies, and still some are near. A sample is suspect if it is nearer than all but 1 % of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ppgn.evaluation.figures import LEVEL, Figure, share

QUANTILE, PART = 0.01, 250


@dataclass(frozen=True)
class Nearest:
    """Of each row the Euclidean distance (N,) to the nearest row of another set, and which that is, (N,)."""

    distance: Tensor
    index: Tensor


def nearest(x: Tensor, reference: Tensor) -> Nearest:
    """The nearest of reference (M, ...) to each of x (N, ...), some hundred rows at a time; uint8 is brought to [0, 1].

    >>> import torch
    >>> nearest(torch.tensor([[0.0], [9.0]]), torch.tensor([[8.0], [1.0]]))
    Nearest(distance=tensor([1., 1.], dtype=torch.float64), index=tensor([1, 0]))
    """
    x, reference = _rows(x), _rows(reference)
    squares = reference.square().sum(1)
    # |r|^2 - 2 x.r is least where the distance is; the distance itself is then taken exactly, so that a copy's is 0
    index = torch.cat([(squares - 2 * part @ reference.T).argmin(1) for part in x.split(PART)])
    return Nearest((x.double() - reference[index].double()).square().sum(1).sqrt(), index)


def memorised(samples: Nearest, real: Nearest, level: float = LEVEL) -> Figure:
    """The share of samples nearer to a training image than 1 % of real unseen images are; 0.01 where none is a copy.

    Raises ValueError for fewer than 100 real images: they have no such quantile.
    """
    if len(real.distance) * QUANTILE < 1:
        raise ValueError(f"the 1 % quantile needs at least 100 real images, got {len(real.distance)}")
    return share(samples.distance < real.distance.quantile(QUANTILE), level)


def _rows(x: Tensor) -> Tensor:
    return x.flatten(1).float() / 255 if x.dtype == torch.uint8 else x.flatten(1)
