"""Which images are compared: as many samples, real test images and real training images of every class.

A set with twice as many ones as sevens is far from one with as many of both whatever they look like; so where labels
are known all three sets have the same numbers of every class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppgn.data import ImageSet


class Real(NamedTuple):
    """Real images: those that a generator may have learned from, and those it has never seen."""

    train: ImageSet
    test: ImageSet


class Rows(NamedTuple):
    """(n,) int64 each; row i of all three is of one class where labels are known. Every stretch of rows has the classes
    in equal shares, in each class the order is random: what errors are taken from, by parts."""

    samples: Tensor
    test: Tensor
    train: Tensor


def drawn(given: int, labels: Tensor | None, real: Real, n: int | None, seed: int) -> Rows:
    """Rows of the samples (`n` at most, None: all `given`), of the test and of the training images.

    As many as all three sets have, class by class with labels (given,). Raises ValueError for n outside [1, given],
    or for a class that has no real images.
    """
    if n is not None and not 1 <= n <= given:
        raise ValueError(f"n must lie in [1, {given}], the number of samples, got {n}")
    rng = np.random.default_rng([seed, 1])
    chosen = _shuffled(torch.arange(given), rng)[:n]
    if labels is None:
        return _equal([chosen, *(_shuffled(torch.arange(len(part)), rng) for part in (real.test, real.train))])
    sets = real.test, real.train
    for part in sets:
        part.require_labels("an evaluation of samples with labels")
    classes = []
    for label in labels[chosen].unique():
        own = chosen[labels[chosen] == label]
        others = [_shuffled((part.labels == label).nonzero().flatten(), rng) for part in sets]
        if not all(map(len, others)):
            raise ValueError(f"real images of every class are needed, class {int(label)} has none")
        classes.append(_equal([own, *others]))
    joint = Rows(*(torch.cat(parts) for parts in zip(*classes, strict=True)))
    places = [(torch.arange(len(one.samples), dtype=torch.float64) + 0.5) / len(one.samples) for one in classes]
    order = torch.cat(places).argsort(stable=True)
    return Rows(*(part[order] for part in joint))


def _shuffled(rows: Tensor, rng: np.random.Generator) -> Tensor:
    return rows[torch.from_numpy(rng.permutation(len(rows)))]


def _equal(rows: list[Tensor]) -> Rows:
    size = min(map(len, rows))
    return Rows(*(part[:size] for part in rows))
