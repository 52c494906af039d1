"""How a noted number of chains mixed: effective sample size and R-hat, by arviz (the extra `diagnostics`).

A series is (k, n), k draws of n chains, as those of `ppgn.Samples.series`. Chains of different labels sample different
things and are never compared. Chains are halved (Vehtari et al. 2021): those that disagree, or drift, count as slow.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

from torch import Tensor

from ppgn import diagnostics


def effective_size(series: Tensor, labels: Tensor | None = None, method: Literal["bulk", "mean"] = "bulk") -> float:
    """So many independent draws the n chains are worth, summed over labels (n,), None: all of one.

    method   bulk: of the ranks, which no heavy tail spoils; mean: of the numbers themselves
    """
    return sum(float(_arviz("ess", part, method=method)) for part in _by_label(series, labels))


def r_hat(series: Tensor, labels: Tensor | None = None) -> float:
    """Rank-normalised R-hat, the largest over labels (n,), None: all of one. 1 if chains agree.

    >>> import torch
    >>> draws = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    >>> round(r_hat(draws), 1), r_hat(draws + 10 * torch.arange(4)) > 2
    (1.0, True)
    """
    return max(float(_arviz("rhat", part)) for part in _by_label(series, labels))


def stands_still(series: Tensor) -> bool:
    """Whether some chain never moves: of such a one neither figure can tell when it will."""
    return bool((series == series[0]).all(0).any())


def _by_label(series: Tensor, labels: Tensor | None) -> list[Tensor]:
    return [series] if labels is None else [series[:, labels == label] for label in labels.unique()]


def _arviz(name: str, series: Tensor, **settings: str) -> Any:
    function = getattr(diagnostics.import_arviz(), name)
    with warnings.catch_warnings():  # many short chains are no mistake
        warnings.filterwarnings("ignore", "More chains")
        return function(series.double().T.numpy(), **settings)
