"""No prior: every code is as good as any other, as in DGN-AM (paper Eq. 10, eps_prior = 0)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def none() -> NoPrior:
    """A prior whose score is zero everywhere. It has no density: a flat one over all codes cannot be normalised."""
    return NoPrior()


@dataclass(frozen=True)
class NoPrior:
    """See `none`."""

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """Zeros shaped as h."""
        return torch.zeros_like(h)
