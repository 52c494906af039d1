"""A number with what is known of its error, or the reason why there is none.

Shares carry Wilson's interval (Wilson 1927), which holds at 0 and 1 too; means a standard error and Student's interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

LEVEL = 0.95


@dataclass(frozen=True)
class Figure:
    """A number of a report.

    value      None if refused
    error      one standard error, None where there is none to tell
    interval   (low, high) at the report's level, None as above
    refused    why the images at hand cannot support the number; None if they do
    """

    value: float | None
    error: float | None = None
    interval: tuple[float, float] | None = None
    refused: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Only what is known."""
        fields = {"value": self.value, "error": self.error, "interval": self.interval, "refused": self.refused}
        return {name: list(x) if isinstance(x, tuple) else x for name, x in fields.items() if x is not None}

    def __str__(self) -> str:
        if self.value is None:
            return "refused"
        if self.error is None and self.interval is not None:
            return f"{self.value:.4g} [{self.interval[0]:.4g}, {self.interval[1]:.4g}]"
        return f"{self.value:.4g}" + ("" if self.error is None else f" ± {self.error:.2g}")


def refused(reason: str) -> Figure:
    """No number, and why."""
    return Figure(None, refused=reason)


def measured(function: Callable[..., Figure], *arguments: Any) -> Figure:
    """What the function finds; if it raises ValueError for what cannot be measured, a refusal with its reason."""
    try:
        return function(*arguments)
    except ValueError as error:
        return refused(str(error))


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a share, successes of n independent trials, that covers the truth at about `level`.

    Raises ValueError for n < 1, successes outside [0, n] or a level outside (0, 1).

    >>> low, high = wilson(95, 100)
    >>> round(low, 4), round(high, 4)
    (0.8882, 0.9785)
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"a share needs at least 1 image and successes among them, got {successes} of {n}")
    z, share = quantile(level), successes / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    scale = 1 + z * z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def share(hits: Tensor, level: float = LEVEL) -> Figure:
    """Of independent hits and misses (N,) bool: their share, with Wilson's interval."""
    n, successes = len(hits), int(hits.sum())
    interval = wilson(successes, n, level)
    return Figure(successes / n, interval=interval)


def mean(values: Tensor, level: float = LEVEL) -> Figure:
    """Of independent numbers (N,): their mean, with Student's interval. Raises ValueError for fewer than 2."""
    if len(values) < 2:
        raise ValueError(f"a mean with an error needs at least 2 numbers, got {len(values)}")
    from scipy.special import stdtrit  # a tenth of a second to import

    values = values.double()
    value, error = float(values.mean()), float(values.std() / math.sqrt(len(values)))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return Figure(value, error, (value - half, value + half))


def about(value: float, error: float, level: float = LEVEL) -> Figure:
    """A number with its standard error, and the normal interval that this gives."""
    half = quantile(level) * error
    return Figure(value, error, (value - half, value + half))


def quantile(level: float) -> float:
    """So many standard errors on each side of a normal's mean hold `level` of it."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, as 0.95, got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def jackknife(statistic: Callable[[Tensor], float], x: Tensor, blocks: int = 10) -> float:
    """The standard error of a smooth statistic of independent rows (N, ...), each of `blocks` parts left out in turn.

    ((b - 1) / b sum_j (t_j - mean t)^2)^(1/2) (Quenouille 1956, Tukey 1958). The rows must be in random order.
    """
    parts = x.tensor_split(blocks)
    without = [statistic(torch.cat([*parts[:j], *parts[j + 1 :]])) for j in range(blocks)]
    left = torch.tensor(without, dtype=torch.float64)
    return float(((blocks - 1) / blocks * (left - left.mean()).square().sum()).sqrt())
