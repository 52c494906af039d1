"""Numbers that change with the step. Every number of a sampler may be one: a float, or a function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ppgn.types import Schedule

Law = Literal["uniform", "log-uniform"]


def at(schedule: Schedule, step: int) -> float:
    """The number to use for step 0, 1, ...; NaN is refused by name of the step."""
    value = schedule(step) if callable(schedule) else schedule
    if value != value:
        raise ValueError(f"a schedule must give numbers, got NaN at step {step}")
    return value


@dataclass(frozen=True)
class linear:
    """From `start` at step 0 in equal parts to `end` at step `steps`, then constant.

    The released code's lr + (lr_end - lr) * i / n_iters; i runs to n_iters, so there are n_iters + 1 updates on the
    way.

    >>> decay = linear(1.0, 0.0, steps=4)
    >>> [decay(i) for i in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")

    def __call__(self, step: int) -> float:
        """The number at that step."""
        return self.start + (self.end - self.start) * min(step, self.steps) / self.steps


@dataclass(frozen=True)
class geometric:
    """From `start` at step 0 by equal factors to `end` at step `steps`, then constant; both positive.

    >>> [round(geometric(1.0, 0.01, steps=2)(i), 4) for i in (0, 1, 2, 5)]
    [1.0, 0.1, 0.01, 0.01]
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1 or not (self.start > 0 and self.end > 0):
            raise ValueError(f"steps must be at least 1 and both ends positive, got {self}")

    def __call__(self, step: int) -> float:
        """The number at that step."""
        return float(self.start * (self.end / self.start) ** (min(step, self.steps) / self.steps))


@dataclass(frozen=True)
class redrawn:
    """A number drawn anew every `every` steps, uniformly between `low` and `high`, by (seed, the draw's number) alone.

    The authors draw the prior's epsilon of their long chains like this, U(1e-6, 1e-2), at each restart; there it is a
    function of the lap, see `restarting`.

    law   "uniform", or "log-uniform": every factor as likely, of positive numbers

    Raises ValueError unless low < high are finite, and positive for "log-uniform", or for every < 1.

    >>> number = redrawn(1e-6, 1e-2, every=100, seed=0)
    >>> number(0) == number(99), number(0) == number(100)
    (True, False)
    """

    low: float
    high: float
    every: int
    seed: int
    law: Law = "uniform"

    def __post_init__(self) -> None:
        if self.law not in get_args(Law):
            raise ValueError(f"law must be one of {', '.join(get_args(Law))}, got {self.law!r}")
        positive = self.low > 0 or self.law == "uniform"
        if not (-math.inf < self.low < self.high < math.inf and positive) or self.every < 1:
            raise ValueError(
                f"low < high must be finite, and positive for a log-uniform law, and every at least 1, got {self}"
            )

    def __call__(self, step: int) -> float:
        """The number at that step."""
        place = float(np.random.default_rng([self.seed, step // self.every]).random())
        if self.law == "uniform":
            return self.low + (self.high - self.low) * place
        return float(self.low * (self.high / self.low) ** place)
