"""What the two sides of a GAN make less, as functions of the discriminator's logits alone.

A logit d = log D / (1 - D) is positive for what looks real. `real` (B,) are those of real images, `made` (B,) those of
G's; all losses are means, in nats where they are cross-entropies.

    MINIMAX          G makes log(1 - D) less; the game's value is 2 JSD - 2 log 2     (Goodfellow et al. 2014, Eq. 1)
    NON_SATURATING   G makes -log D less: the same fixed point, a gradient where D is sure          (the same, Sec. 3)
    HINGE            margins of 1; D's best loss is 2 - 2 TV     (Lim & Ye 2017; Miyato et al. 2018, Eq. 16 and 17)
    RELATIVISTIC     each real image against one made: softplus(-(d_real - d_made))         (R3GAN: Huang et al. 2024)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

PairLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class GANLoss:
    """Two functions (real, made) -> scalar: what D makes less, and what G makes less.

    paired   whether G's depends on the real logits too, which then have to be computed for it
    """

    name: str
    discriminator: PairLoss
    generator: PairLoss
    paired: bool = False


def logistic(real: Tensor, made: Tensor) -> Tensor:
    """-E log D(real) - E log(1 - D(made)), D's side of both minimax and non-saturating.

    >>> print(f"{logistic(torch.zeros(4), torch.zeros(4)):.4f}")  # 2 log 2: D knows nothing
    1.3863
    """
    return softplus(-real).mean() + softplus(made).mean()


def saturating(real: Tensor, made: Tensor) -> Tensor:
    """E log(1 - D(made)): G's side of the minimax game. Its gradient vanishes as D(made) -> 0."""
    return -softplus(made).mean()


def non_saturating(real: Tensor, made: Tensor) -> Tensor:
    """-E log D(made). Its gradient by a logit goes to -1 as D(made) -> 0."""
    return softplus(-made).mean()


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """E max(0, 1 - d_real) + E max(0, 1 + d_made): D's side."""
    return (1 - real).relu().mean() + (1 + made).relu().mean()


def raising(real: Tensor, made: Tensor) -> Tensor:
    """-E d_made: G's side of the hinge loss."""
    return -made.mean()


def relativistic(real: Tensor, made: Tensor) -> Tensor:
    """E softplus(-(d_real - d_made)), pair by pair: D's side. Both must be (B,)."""
    return softplus(made - real).mean()


def relativistic_generator(real: Tensor, made: Tensor) -> Tensor:
    """E softplus(-(d_made - d_real)): G's side."""
    return softplus(real - made).mean()


MINIMAX = GANLoss("minimax", logistic, saturating)
NON_SATURATING = GANLoss("non-saturating", logistic, non_saturating)
HINGE = GANLoss("hinge", hinge, raising)
RELATIVISTIC = GANLoss("relativistic", relativistic, relativistic_generator, paired=True)
LOSSES = (MINIMAX, NON_SATURATING, HINGE, RELATIVISTIC)


def gradient_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """E |d logit / dx|^2, differentiable again: R1 at real images, R2 at made ones (Mescheder et al. 2018).

    logits: (B,), computed from x (B, ...), which requires a gradient; row i must depend on image i alone. The papers
    weigh it with gamma / 2.

    >>> x = torch.zeros(5, 2, requires_grad=True)
    >>> float(gradient_penalty(x @ torch.tensor([3.0, 4.0]), x))
    25.0
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()
