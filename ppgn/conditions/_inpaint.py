"""Known pixels as the condition: holes are filled with what fits what is around them.

log p(known | x) = sum over known pixels of -(image - x)^2 / (2 noise^2) + log p(y | composite)

The paper's Eq. 12 has the same pull towards the known pixels, weighted by its fourth epsilon, and its class gradient
too is masked to the hole (Nguyen et al. 2017, Sec. 4.4; here 1 / noise^2 is that weight). The normal density's
constant is left out, so that a perfect fit is 0 and no fit is above it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ppgn.conditions._algebra import Algebra
from ppgn.conditions._parts import drawn, in_nats, varies
from ppgn.types import Condition, Rng


def inpaint(image: Tensor, hole: Tensor, *, noise: float = 0.05, inside: Condition | None = None) -> Inpaint:
    """The image shows `image` but where `hole` is true.

    image    (C, H, W) or (1, C, H, W) for all chains, or one per row (B, C, H, W), in [0, 1]
    hole     (H, W) or (1, H, W) for all, or one per row (B, H, W), bool: true where pixels are unknown
    noise    standard deviation of known pixels about the image's, in [0, 1]: small pins them, large lets go
    inside   what the filled picture shall show besides, as `class_label(classifier, 7)`: it sees the composite, so that
             its gradient acts in the hole alone; None: nothing

    log p is in nats, up to the constant of the normal density: 0 where all known pixels are the image's, and less
    elsewhere. It is float64 whatever x is: in float32, images of many pixels would be alike to hundredths of a nat.
    Its pull is steep: down a ladder of noise (`annealed`) give the walk limit=1.0 and 0.3 for the noise.
    `condition.composite(x)` is the filled picture, `Samples.filled` those of a run. Raises ValueError for other shapes
    or types, a hole that covers everything or nothing, or a noise that is not positive.

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
    if not bool(hole.flatten(-2).any(-1).all()):
        raise ValueError("hole must hold some pixels, true where they are unknown, but all are known")
    if not noise > 0:
        raise ValueError(f"noise must be positive, got {noise}")
    image = image[0] if image.ndim == 4 and len(image) == 1 else image
    hole = hole[0] if hole.ndim == 3 and len(hole) == 1 else hole
    return Inpaint(image.clone(), hole.clone(), noise, inside)


@dataclass(frozen=True)
class Inpaint(Algebra):
    """See `inpaint`."""

    image: Tensor  # (C, H, W) or (B, C, H, W)
    hole: Tensor  # (H, W) or (B, H, W), bool
    noise: float
    inside: Condition | None = None
    _placed: dict[torch.device, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def varies(self) -> bool:
        """Whether what is asked inside does."""
        return varies(self.inside)

    @property
    def nats(self) -> bool:
        """Unless what is asked inside is an activation."""
        return self.inside is None or in_nats(self.inside)

    def drawn(self, rng: Rng, step: int, like: Tensor) -> Inpaint:
        """The same with what is asked inside as it is at that step; like (B, ...)."""
        if self.inside is None or not varies(self.inside):
            return self
        image, hole = self._at(like.device)
        return replace(self, image=image, hole=hole, inside=drawn(self.inside, rng, step, like))

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,), nats up to a constant, float64. Raises ValueError if x is shaped unlike the image."""
        image, hole = self._beside(x)
        wide = torch.float32 if x.device.type == "mps" else torch.float64  # Metal has no float64
        off = torch.where(hole, 0.0, x.to(wide) - image.to(wide)) / self.noise
        fit = -0.5 * off.square().flatten(1).sum(1)
        return fit if self.inside is None else fit + self.inside.log_prob(torch.where(hole, x, image))

    def composite(self, x: Tensor) -> Tensor:
        """The image with its hole filled from x (B, C, H, W)."""
        image, hole = self._beside(x)
        return torch.where(hole, x, image)

    def rows(self, index: Tensor) -> Inpaint:
        """The same question for those chains."""
        image, hole = self._at(index.device)  # where they are used, so that no part of a batch is copied at each step
        return replace(
            self,
            image=image[index] if image.ndim == 4 else image,
            hole=hole[index] if hole.ndim == 3 else hole,
            inside=None if self.inside is None else self.inside.rows(index),
        )

    def _beside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Image (B or 1, C, H, W) and hole (B or 1, 1, H, W) where x is."""
        image, hole = self._at(x.device)
        image = image if image.ndim == 4 else image[None]
        hole = hole if hole.ndim == 3 else hole[None]
        if image.shape[1:] != x.shape[1:] or {len(image), len(hole)} - {1, len(x)}:
            raise ValueError(
                f"image must be one {tuple(x.shape[1:])} for all or one for each of {len(x)} rows, "
                f"got image {tuple(self.image.shape)} and hole {tuple(self.hole.shape)}"
            )
        return image.to(x.dtype), hole[:, None]

    def _at(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Image and hole on a device, moved there once."""
        if device not in self._placed:
            self._placed[device] = (self.image.to(device), self.hole.to(device))
        return self._placed[device]
