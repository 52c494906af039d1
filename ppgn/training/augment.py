"""DiffAugment (Zhao et al. 2020): one differentiable change for real and made images alike, so that D cannot overfit.

G learns through it, and what it makes is not changed by it: D sees both sides changed the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ppgn.training import processes
from ppgn.training.classifier import shifted


@dataclass(frozen=True)
class DiffAugment:
    """x (B, C, H, W) in [0, 1] -> the same shape, each image changed in its own way; nothing by default.

    colour        brightness by up to 0.25 each way, saturation by 0 to 2, contrast by 0.5 to 1.5, as published
    translation   up to so large a part of the height each way (published: 1/8)
    cutout        a square of so large a part of the height, anywhere, also partly outside (published: 1/2)
    fill          what comes in and what is cut out; grey, as published, or 0 where images have a black ground

    Results may leave [0, 1]. Raises ValueError for parts outside [0, 1].

    >>> everything = DiffAugment(colour=True, translation=1 / 8, cutout=1 / 2)
    >>> everything(torch.rand(4, 3, 32, 32), torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3, 32, 32])
    """

    colour: bool = False
    translation: float = 0.0
    cutout: float = 0.0
    fill: float = 0.5

    def __post_init__(self) -> None:
        for name, part in (("translation", self.translation), ("cutout", self.cutout)):
            if not 0 <= part <= 1:
                raise ValueError(f"{name} must be a part of the height in [0, 1], got {part}")

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Changes drawn from `rng`, which must be on the device of x."""
        if self.colour:
            x = _coloured(x, rng)
        if self.translation:
            pixels = int(self.translation * x.shape[-2] + 0.5)
            x = shifted(x - self.fill, pixels, rng) + self.fill
        if self.cutout:
            x = torch.where(_square(x, int(self.cutout * x.shape[-2] + 0.5), rng), self.fill, x)
        return x


NOTHING = DiffAugment()


def _coloured(x: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness, then saturation, then contrast."""
    brightness, saturation, contrast = processes.drawn(
        lambda n: torch.rand(3, n, 1, 1, 1, generator=rng, device=x.device, dtype=x.dtype), len(x), dim=1
    ).unbind(0)
    x = x + (brightness - 0.5) / 2
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2 * saturation
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (contrast + 0.5)


def _each(places: Tensor, rng: torch.Generator, n: int) -> Tensor:
    """(n, 1) of the places, all as likely."""
    return places.multinomial(n, replacement=True, generator=rng)[:, None]


def _square(x: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """(B, 1, H, W) bool: a square in each image, its centre anywhere, the borders included."""
    inside = []
    for axis in (-2, -1):
        pixels = x.shape[axis]
        places = torch.ones(pixels + 1 - side % 2, device=x.device)
        first = processes.drawn(partial(_each, places, rng), len(x)) - side // 2
        place = torch.arange(pixels, device=x.device)
        inside.append((place >= first) & (place < first + side))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
