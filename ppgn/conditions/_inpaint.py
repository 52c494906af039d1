"""Known pixels as the condition: holes are filled with what fits what is around them.

log p(known | x) = sum over known pixels of log N(image | x, noise^2) + log p(y | composite)

The paper's Eq. 12 has the same pull towards the known pixels, weighted by its fourth epsilon, and its class gradient
too is masked to the hole (Nguyen et al. 2017, Sec. 4.4; here 1 / noise^2 is that weight).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ppgn.types import Condition


def inpaint(image: Tensor, hole: Tensor, *, noise: float = 0.05, inside: Condition | None = None) -> Inpaint:
    """The image shows `image` but where `hole` is true.

    image    (C, H, W) for all chains, or one per row (B, C, H, W), in [0, 1]
    hole     (H, W) or one per row (B, H, W), bool: true where pixels are unknown
    noise    standard deviation of known pixels about the image's, in [0, 1]: small pins them, large lets go
    inside   what the filled picture shall show besides, as `class_label(classifier, 7)`: it sees the composite, so that
             its gradient acts in the hole alone; None: nothing

    `condition.composite(x)` is the filled picture. Raises ValueError for other shapes or types, a hole that covers
    everything, or a noise that is not positive.

    >>> picture, hole = torch.rand(1, 4, 4), torch.zeros(4, 4, dtype=torch.bool)
    >>> hole[1:3, 1:3] = True
    >>> filled = inpaint(picture, hole).composite(torch.zeros(2, 1, 4, 4))
    >>> bool((filled[0] == torch.where(hole, 0.0, picture)).all())
    True
    """
    if image.ndim not in (3, 4) or not image.is_floating_point():
        raise ValueError(f"image must be float (C, H, W) or (B, C, H, W), got {image.dtype} {tuple(image.shape)}")
    if hole.dtype != torch.bool or hole.ndim not in (2, 3) or hole.shape[-2:] != image.shape[-2:]:
        wanted = f"bool (H, W) or (B, H, W) with H x W = {image.shape[-2]}x{image.shape[-1]}"
        raise ValueError(f"hole must be {wanted}, got {hole.dtype} {tuple(hole.shape)}")
    if bool(hole.flatten(-2).all(-1).any()):
        raise ValueError("hole must leave some pixels known")
    if not noise > 0:
        raise ValueError(f"noise must be positive, got {noise}")
    return Inpaint(image.clone(), hole.clone(), noise, inside)


@dataclass(frozen=True)
class Inpaint:
    """See `inpaint`."""

    image: Tensor  # (C, H, W) or (B, C, H, W)
    hole: Tensor  # (H, W) or (B, H, W), bool
    noise: float
    inside: Condition | None = None

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,), nats. Raises ValueError if x is shaped unlike the image."""
        image, hole = self._beside(x)
        known = (~hole).expand(x.shape)
        squares = torch.where(known, (x - image) / self.noise, 0.0).flatten(1).square().sum(1)
        constant = known.flatten(1).sum(1) * math.log(self.noise * math.sqrt(2 * math.pi))
        fit = -0.5 * squares - constant
        return fit if self.inside is None else fit + self.inside.log_prob(torch.where(hole, x, image))

    def composite(self, x: Tensor) -> Tensor:
        """The image with its hole filled from x (B, C, H, W)."""
        image, hole = self._beside(x)
        return torch.where(hole, x, image)

    def rows(self, index: Tensor) -> Inpaint:
        """The same question for those chains."""
        return replace(
            self,
            image=self.image[index.to(self.image.device)] if self.image.ndim == 4 else self.image,
            hole=self.hole[index.to(self.hole.device)] if self.hole.ndim == 3 else self.hole,
            inside=self.inside and self.inside.rows(index),
        )

    def _beside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Image (B or 1, C, H, W) and hole (B or 1, 1, H, W) where x is."""
        image = self.image if self.image.ndim == 4 else self.image[None]
        hole = self.hole if self.hole.ndim == 3 else self.hole[None]
        if image.shape[1:] != x.shape[1:] or {len(image), len(hole)} - {1, len(x)}:
            raise ValueError(
                f"image must be one {tuple(x.shape[1:])} for all or one for each of {len(x)} rows, "
                f"got image {tuple(self.image.shape)} and hole {tuple(self.hole.shape)}"
            )
        return image.to(x), hole[:, None].to(x.device)
