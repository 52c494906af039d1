"""Conditions out of conditions: a + b, 0.5 * a, a | b, ~a. No operand is changed.

a + b    both:          log p(a | x) + log p(b | x), the product of the two
w * a    to a power:    w log p(a | x); a - b is a + (-1) * b, away from b
a | b    one of them:   log(p(a | x) + p(b | x)), exact where they exclude each other, as two classes of one classifier
~a       not a:         log(1 - p(a | x))

An activation, as of `unit`, can be weighed and added, but is no probability: `|` and `~` refuse it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ppgn.conditions._parts import drawn, in_nats, varies
from ppgn.types import Complemented, Condition, Rng


class Algebra(Condition, Protocol):
    """The operators, which every condition here has; one of somebody else's may be an operand, on either side."""

    def __add__(self, other: Condition, /) -> AllOf:
        """Both."""
        return all_of([self, other]) if isinstance(other, Condition) else NotImplemented

    def __radd__(self, other: Condition | int, /) -> Condition:
        """Both; 0 + a is a, so that `sum` works."""
        if isinstance(other, Condition):
            return all_of([other, self])
        return self if other == 0 else NotImplemented

    def __mul__(self, weight: float, /) -> AllOf:
        """To the power `weight`."""
        return all_of([self], [weight]) if isinstance(weight, int | float) else NotImplemented

    def __rmul__(self, weight: float, /) -> AllOf:
        """To the power `weight`."""
        return self * weight

    def __neg__(self) -> AllOf:
        """Away from it."""
        return self * -1.0

    def __sub__(self, other: Condition, /) -> AllOf:
        """This, and away from the other."""
        return all_of([self, other], [1.0, -1.0]) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: Condition, /) -> AnyOf:
        """One of them."""
        return any_of([self, other]) if isinstance(other, Condition) else NotImplemented

    def __ror__(self, other: Condition, /) -> AnyOf:
        """One of them."""
        return any_of([other, self]) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> Condition:
        """Its opposite."""
        return complement(self)


def all_of(conditions: Sequence[Condition], weights: Sequence[float] | None = None) -> AllOf:
    """sum of weight log p(condition | x): a + b and 0.5 * a, of any conditions; without weights each counts once.

    Sums inside become one sum. Views that stand side by side show the same view. Raises ValueError for no condition, or
    weights that are not one finite number each.

    >>> from ppgn.conditions import unconditional
    >>> all_of([unconditional() + unconditional(), 0.5 * unconditional()]).weights
    (1.0, 1.0, 0.5)
    """
    weights = [1.0] * len(conditions) if weights is None else weights
    if not conditions or len(weights) != len(conditions) or not all(map(math.isfinite, weights)):
        raise ValueError(
            f"weights must be one finite number for each of at least one condition, got {len(conditions)} conditions "
            f"and weights {list(weights)}"
        )
    flat: list[tuple[Condition, float]] = []
    for condition, weight in zip(conditions, weights, strict=True):
        inside = (condition.conditions, condition.weights) if isinstance(condition, AllOf) else ((condition,), (1.0,))
        flat += [(one, float(weight) * own) for one, own in zip(*inside, strict=True)]
    return AllOf(tuple(one for one, _ in flat), tuple(own for _, own in flat))


@dataclass(frozen=True)
class AllOf(Algebra):
    """See `all_of`."""

    conditions: tuple[Condition, ...]
    weights: tuple[float, ...]

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        terms = [w * one.log_prob(x) for one, w in zip(self.conditions, self.weights, strict=True)]
        return torch.stack([term.to(_widest(terms)) for term in terms]).sum(0)

    @property
    def nats(self) -> bool:
        """If all are."""
        return all(map(in_nats, self.conditions))

    @property
    def varies(self) -> bool:
        """If one does."""
        return any(map(varies, self.conditions))

    def drawn(self, rng: Rng, step: int, like: Tensor) -> AllOf:
        """All as they are at that step."""
        return replace(self, conditions=tuple(drawn(one, rng, step, like) for one in self.conditions))

    def rows(self, index: Tensor) -> AllOf:
        """The same for those chains."""
        return replace(self, conditions=tuple(one.rows(index) for one in self.conditions))


def any_of(conditions: Sequence[Condition]) -> AnyOf:
    """log of the sum of p(condition | x): a | b, of any conditions whose log_prob is nats.

    Where several can hold at once the sum counts them twice, and may exceed 1. Raises ValueError for no condition,
    TypeError for one that is an activation.

    >>> from ppgn.conditions import unconditional
    >>> any_of([unconditional(), unconditional()]).log_prob(torch.zeros(1, 1, 2, 2))
    tensor([0.6931])
    """
    if not conditions:
        raise ValueError("any_of needs at least one condition, got none")
    for condition in conditions:
        if not in_nats(condition):
            raise TypeError(
                f"a | b adds probabilities, so that each must be in nats, but {type(condition).__name__} is an "
                "activation; for a unit ask for objective='log_prob'"
            )
    flat = [one for given in conditions for one in (given.conditions if isinstance(given, AnyOf) else (given,))]
    return AnyOf(tuple(flat))


@dataclass(frozen=True)
class AnyOf(Algebra):
    """See `any_of`."""

    conditions: tuple[Condition, ...]

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        terms = [one.log_prob(x) for one in self.conditions]
        return torch.stack([term.to(_widest(terms)) for term in terms]).logsumexp(0)

    @property
    def varies(self) -> bool:
        """If one does."""
        return any(map(varies, self.conditions))

    def drawn(self, rng: Rng, step: int, like: Tensor) -> AnyOf:
        """All as they are at that step."""
        return replace(self, conditions=tuple(drawn(one, rng, step, like) for one in self.conditions))

    def rows(self, index: Tensor) -> AnyOf:
        """The same for those chains."""
        return replace(self, conditions=tuple(one.rows(index) for one in self.conditions))


def complement(condition: Condition) -> Condition:
    """log(1 - p(condition | x)): ~a, of a condition that knows it, as a class; ~~a is a.

    Raises TypeError for one that does not: a density or an activation has no opposite; -1 * a leads away from it.

    >>> import ppgn
    >>> digits = ppgn.load("mnist")
    >>> no_seven = ~ppgn.conditions.class_label(digits.classifier, 7)
    """
    if isinstance(condition, Complement):
        return condition.condition
    if not isinstance(condition, Complemented) or not in_nats(condition):
        raise TypeError(
            f"~a needs the probability of an event, as of class_label, but {type(condition).__name__} has none here "
            "(a density or an activation); -1 * a leads away from it"
        )
    return Complement(condition)


@dataclass(frozen=True)
class Complement(Algebra):
    """See `complement`."""

    condition: Complemented

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        return self.condition.log_complement(x)

    def rows(self, index: Tensor) -> Condition:
        """The same for those chains."""
        return complement(self.condition.rows(index))


def _widest(terms: Sequence[Tensor]) -> torch.dtype:
    """The type that holds all: known pixels are told in float64, classes in float32."""
    widest = terms[0].dtype
    for term in terms[1:]:
        widest = torch.promote_types(widest, term.dtype)
    return widest
