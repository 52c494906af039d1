"""How real a discriminator finds the image: its log-odds as the condition.

logit D(x) = log D(x) / (1 - D(x)) = log p_data(x) / p_G(x)    of the best D         (Goodfellow et al. 2014, Prop. 1)

so that p_G(x) e^logit is p_data: a generator's own prior under this condition is its discriminator's picture of the
data (discriminator driven latent sampling: Che et al. 2020; as a prior, `ppgn.priors.discriminator`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from ppgn.checks import require_eval, shown
from ppgn.conditions._algebra import Algebra


def realism(discriminator: Callable[[Tensor], Tensor], *, ceiling: float = math.inf) -> Realism:
    """The image is real: the discriminator's log-odds, in nats.

    discriminator   x (B, C, H, W) in [0, 1] -> logits (B,) or (B, 1), positive for real, in eval mode; logits, not
                    probabilities, of a cross-entropy loss (a hinge or a critic's value is no log-odds)
    ceiling         M, in nats: log sigmoid(logit - M) in place of the logit, which is logit - M well below M and never
                    above 0, so that rejection can draw it. It is log p(real | x) where made images are e^M times as
                    many as real ones; 0: log D. The law p_G sigmoid(logit - M) is p_data up to a factor
                    1 / (1 + e^(logit - M))

    The gradient reaches every pixel. Raises ValueError for a discriminator in train mode or a ceiling that is NaN or
    -inf, and when it first meets images, for a discriminator that gives more than one logit an image.

    >>> import torch
    >>> brighter = realism(lambda x: x.flatten(1).sum(1) - 2)
    >>> brighter.log_prob(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2))
    tensor([-2.,  2.])
    """
    require_eval(discriminator, "discriminator")
    if not ceiling > -math.inf:
        raise ValueError(f"ceiling must be a number of nats, or inf for none, got {ceiling}")
    return Realism(discriminator, ceiling)


@dataclass(frozen=True)
class Realism(Algebra):
    """See `realism`."""

    discriminator: Callable[[Tensor], Tensor]
    ceiling: float = math.inf

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        logit = shown(self.discriminator, x, "discriminator")
        if logit.shape not in ((len(x),), (len(x), 1)):
            raise ValueError(
                f"discriminator must give one logit an image, (B,) or (B, 1) with B = {len(x)}, "
                f"got shape {tuple(logit.shape)}"
            )
        logit = logit.flatten()
        return logit if self.ceiling == math.inf else logsigmoid(logit - self.ceiling)

    def rows(self, index: Tensor) -> Realism:
        """Itself: every chain is asked the same."""
        return self
