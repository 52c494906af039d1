"""No condition: the walk follows the prior alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ppgn.conditions._algebra import Algebra


def unconditional() -> Unconditional:
    """Every image will do: log p = 0, so that the walk follows the prior alone."""
    return Unconditional()


@dataclass(frozen=True)
class Unconditional(Algebra):
    """See `unconditional`."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, ...) -> zeros (B,) that keep x's graph."""
        return 0.0 * x.flatten(1).sum(1)

    def rows(self, index: Tensor) -> Unconditional:
        """Itself."""
        return self
