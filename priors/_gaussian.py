"""Independent normals on codes: the prior that a GAN's or VAE's generator was trained with. A Density."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ppgn.types import Rng


def gaussian(latent_shape: tuple[int, ...], mean: float | Tensor = 0.0, std: float | Tensor = 1.0) -> Gaussian:
    """N(mean, std^2), independent per coordinate.

    latent_shape   shape of one code; mean and std are numbers or tensors of it, in units of h
    Raises ValueError for a std that is not positive or a shape that does not broadcast to latent_shape.

    >>> prior = gaussian((2,), std=0.5)
    >>> [round(p, 4) for p in prior.log_prob(torch.tensor([[0.0, 0.0], [0.5, 0.0]])).tolist()]
    [-0.4516, -0.9516]
    """
    mean, std = (v.clone() if isinstance(v, Tensor) else torch.tensor(v, dtype=torch.float64) for v in (mean, std))
    if not bool((std > 0).all()):
        raise ValueError(f"std must be positive everywhere, got a minimum of {std.min().item()}")
    try:
        mean, std = mean.expand(latent_shape), std.expand(latent_shape)
    except RuntimeError:
        raise ValueError(
            f"mean and std must broadcast to latent_shape {latent_shape}, "
            f"got {tuple(mean.shape)} and {tuple(std.shape)}"
        ) from None
    return Gaussian(tuple(latent_shape), mean, std)


@dataclass(frozen=True)
class Gaussian:
    """See `gaussian`."""

    latent_shape: tuple[int, ...]
    mean: Tensor  # latent_shape
    std: Tensor  # latent_shape
    _placed: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """(mean - h) / std^2."""
        mean, std = self._beside(h)
        return (mean - h) / std**2

    def log_prob(self, h: Tensor) -> Tensor:
        """(B, *latent) -> (B,) in nats."""
        mean, std = self._beside(h)
        squares = ((h - mean) / std).flatten(1).square().sum(1)
        return -0.5 * squares - std.log().sum() - 0.5 * std.numel() * math.log(2 * math.pi)

    def sample(self, n: int, rng: Rng, step: int = 0) -> Tensor:
        """n draws (n, *latent) on the device of `mean`; other steps give other draws."""
        noise = rng.normal(self.mean.new_empty((n, *self.latent_shape)), step, "prior")
        return self.mean + self.std * noise

    def refresh(self, h: Tensor, noise: Tensor, amount: Tensor) -> Tensor:
        """mean + (1 - a^2)^(1/2) (h - mean) + a std z: Crank and Nicolson's step, in detailed balance with p(h)."""
        mean, std = self._beside(h)
        return mean + (1 - amount**2).sqrt() * (h - mean) + amount * std * noise

    def _beside(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std on the device and of the type of h, moved there once."""
        place = (h.device, h.dtype)
        if place not in self._placed:
            self._placed[place] = (self.mean.to(h), self.std.to(h))
        return self._placed[place]
