"""Numbers that change with the step. Every number of a sampler may be one: a float, or a function of the step."""

from __future__ import annotations

from dataclasses import dataclass

from ppgn.types import Schedule


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
