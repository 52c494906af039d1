"""A prior that sees what is known: the image with its known pixels in their place, as the authors' inpainting has it.

Their encoder is shown the composite, so that E(composite) - h pulls the code towards that of the whole picture
(Nguyen et al. 2017, Sec. 4.4; their sampler.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ppgn.types import Filling, Prior


def composited(prior: Prior, known: Filling) -> Composited:
    """The prior, shown the composite of the image and what is known of it; of use where it looks at images (`joint`).

    known   the condition that holds the known pixels, as `ppgn.conditions.inpaint(...)`

    >>> import torch
    >>> from ppgn import conditions, priors
    >>> left = torch.tensor([[True, False]])
    >>> known = conditions.inpaint(torch.ones(1, 1, 2), left)
    >>> code = composited(priors.joint(lambda x: x.flatten(1)), known)
    >>> code.score(torch.zeros(1, 2), torch.tensor([[[[0.5, 0.25]]]]))
    tensor([[0.5000, 1.0000]])
    """
    return Composited(prior, known)


@dataclass(frozen=True)
class Composited:
    """See `composited`."""

    prior: Prior
    known: Filling

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """The prior's score at h, x with what is known in its place."""
        return self.prior.score(h, self.known.composite(x))

    def rows(self, index: Tensor) -> Composited:
        """The same for those chains."""
        return replace(self, known=self.known.rows(index))
