"""One chain that visits several conditions in turn, as the authors' chain over classes (their second script)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ppgn.conditions._algebra import Algebra
from ppgn.conditions._parts import drawn, in_nats
from ppgn.types import Condition, Rng


def in_turn(conditions: Sequence[Condition], every: int, *, again: bool = True) -> InTurn:
    """Each of the conditions for `every` steps, one after the other.

    again   after the last the first has its turn once more; False: the last stays

    Moves 1..every follow the first condition, the next `every` the second, and so on; what a run notes as the
    log-condition after a move is of what the next one follows. Where no step was taken, and for `log_prob`, it is the
    first. The walks that are not exact take it (mala_approx, ula, activation_max, annealed); exact ones refuse it.
    Raises ValueError for no conditions or every < 1.

    >>> import ppgn
    >>> digits = ppgn.load("mnist", "ppgn-h")
    >>> one, seven = (ppgn.conditions.class_label(digits.classifier, label) for label in (1, 7))
    >>> samples = ppgn.sample(digits.given(in_turn([one, seven], every=2)), n=2, steps=4, seed=0, progress=False)
    """
    if not conditions:
        raise ValueError("in_turn needs at least one condition, got none")
    if every < 1:
        raise ValueError(f"every must be at least 1 step, got {every}")
    return InTurn(tuple(conditions), every, again)


@dataclass(frozen=True)
class InTurn(Algebra):
    """See `in_turn`."""

    conditions: tuple[Condition, ...]
    every: int
    again: bool = True

    @property
    def varies(self) -> bool:
        """Always."""
        return True

    @property
    def nats(self) -> bool:
        """If all are."""
        return all(map(in_nats, self.conditions))

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,) of the first."""
        return self.conditions[0].log_prob(x)

    def rows(self, index: Tensor) -> InTurn:
        """The same turns for those chains."""
        return replace(self, conditions=tuple(one.rows(index) for one in self.conditions))

    def drawn(self, rng: Rng, step: int, like: Tensor) -> Condition:
        """The condition whose turn it is at that step, as it then is; like (B, ...)."""
        return drawn(self.at(step), rng, step, like)

    def at(self, step: int) -> Condition:
        """The condition whose turn it is after so many steps: what the next move follows."""
        turn, number = step // self.every, len(self.conditions)
        return self.conditions[turn % number if self.again else min(turn, number - 1)]
