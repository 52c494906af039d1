"""The kernel distance of two sets of features: KID, if the features were Inception's; unbiased, unlike Fréchet's.

MMD^2 = mean k(a, a') + mean k(b, b') - 2 mean k(a, b), a != a', b != b',   k(a, b) = (a.b / d + 1)^3
                                                                             Bińkowski et al. 2018
Of sets drawn class by class, two different images of one set are of one class less often than two of two sets. That
alone would bring the distance below 0; the pairs within a class are weighted by n_c / (n_c - 1), which makes it right.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ppgn.evaluation.figures import LEVEL, Figure, mean

BLOCKS, PART = 10, 1000


def kernel_distance(a: Tensor, b: Tensor, labels: Tensor | None = None) -> float:
    """Of features (N, d) and (M, d); its expectation is 0 for two sets of one kind, so it may come out below.

    labels   (N,) the class of row i of both, if they were drawn class by class, N = M

    Raises ValueError for fewer than 2 rows, in all or of a class.

    >>> import torch
    >>> round(kernel_distance(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [1.0]])), 6)  # 1 + 8 - 2
    7.0
    """
    n, m = len(a), len(b)
    if min(n, m) < 2:
        raise ValueError(f"the kernel distance needs at least 2 images of either kind, got {n} and {m}")
    known = [torch.zeros(len(x), dtype=torch.int64) if labels is None else labels for x in (a, b)]
    return _within(a, known[0]) + _within(b, known[1]) - 2 * _total(a, b) / (n * m)


def kernel_with_error(
    features: Tensor, reference: Tensor, labels: Tensor | None = None, level: float = LEVEL
) -> Figure:
    """The mean of the distances of ten disjoint blocks of either set, with its standard error.

    Blocks share no image, so that the error is exact. Rows must be in random order; with labels, as `drawn` orders
    them. Raises ValueError for fewer than ten images a block, or two of a class.
    """
    n = min(len(features), len(reference))
    if n < BLOCKS * BLOCKS:
        raise ValueError(f"the kernel distance's error needs {BLOCKS} blocks of {BLOCKS} images, got {n} images")
    known = torch.zeros(len(features), dtype=torch.int64) if labels is None else labels
    parts = zip(*(x.tensor_split(BLOCKS) for x in (features, reference, known)), strict=True)
    return mean(torch.tensor([kernel_distance(a, b, None if labels is None else c) for a, b, c in parts]), level)


def _within(x: Tensor, labels: Tensor) -> float:
    """The mean of k over pairs of different rows, those within a class weighted so that classes keep their shares."""
    found = _total(x, x)
    for label in labels.unique():
        rows = x[labels == label].double()
        if len(rows) < 2:
            raise ValueError(
                f"the kernel distance needs at least 2 images of a class a block, class {int(label)} has 1"
            )
        every, same = _total(rows, rows), float(((rows * rows).sum(1) / x.shape[1] + 1).pow(3).sum())
        found += (every - same) * len(rows) / (len(rows) - 1) - every
    return found / len(x) ** 2


def _total(a: Tensor, b: Tensor) -> float:
    """The sum of k over all pairs."""
    b = b.double()
    return float(torch.stack([_k(part.double(), b).sum() for part in a.split(PART)]).sum())


def _k(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1).pow(3)
