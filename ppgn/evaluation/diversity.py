"""How different the images of one class are: 0 for a collapsed sampler, the real images' for a right one."""

from __future__ import annotations

import torch
from torch import Tensor

from ppgn.evaluation.figures import LEVEL, Figure, about

PART = 500


def spread(features: Tensor, labels: Tensor) -> float:
    """Mean distance of two different images of one class, averaged over classes; divide by the real images' spread."""
    value = spread_in_classes(features, labels).value
    assert value is not None
    return value


def spread_in_classes(features: Tensor, labels: Tensor, level: float = LEVEL) -> Figure:
    """`spread` of features (N, d), labels (N,), with its standard error, of a mean over pairs (Hoeffding 1948).

    The error needs 3 images of every class. Raises ValueError for a class of 1.
    """
    means, variances = [], []
    for label in labels.unique():
        rows = features[labels == label].double()
        n = len(rows)
        if n < 2:
            raise ValueError(f"at least 2 images of every class are needed, class {int(label)} has {n}")
        each = torch.cat([torch.cdist(part, rows).sum(1) for part in rows.split(PART)]) / (n - 1)
        means.append(each.mean())
        variances.append(4 * each.var() / n if n > 2 else torch.tensor(torch.nan))
    value, variance = float(torch.stack(means).mean()), float(torch.stack(variances).double().sum())
    return about(value, variance**0.5 / len(means), level) if variance == variance else Figure(value)
