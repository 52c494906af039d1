"""Independent normals cut off at a threshold: the codes of the truncation trick, as a density (Brock et al. 2019, 3.1).

p(h) = prod N(h_i; mean_i, std_i^2) / erf(t_i / sqrt 2)  where |h_i - mean_i| <= t_i std_i,  and 0 elsewhere
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from ppgn.priors._gaussian import Gaussian, gaussian
from ppgn.types import Rng

SMALLEST = 2.0**-54  # half the grid of uniform numbers: none is 0, whose quantile may be infinite


def truncated_gaussian(
    latent_shape: tuple[int, ...],
    threshold: float | Tensor,
    mean: float | Tensor = 0.0,
    std: float | Tensor = 1.0,
) -> TruncatedGaussian:
    """N(mean, std^2), independent per coordinate, kept to within `threshold` standard deviations of its mean.

    latent_shape   shape of one code
    threshold      a number or a tensor of latent_shape, in units of std; infinity leaves a coordinate whole
    mean, std      numbers or tensors of latent_shape, in units of h

    BigGAN's truncation t is threshold 2 with std t. Raises ValueError for a threshold or std that is not positive or a
    shape that does not broadcast to latent_shape.

    >>> prior = truncated_gaussian((1,), threshold=2.0)
    >>> [round(p, 4) for p in prior.log_prob(torch.tensor([[0.0], [2.0], [2.1]])).tolist()]
    [-0.8724, -2.8724, -inf]
    """
    normal = gaussian(latent_shape, mean, std)
    cut = torch.as_tensor(threshold, dtype=torch.float64, device=normal.mean.device).clone()
    if not bool((cut > 0).all()):
        raise ValueError(f"threshold must be positive everywhere, got a minimum of {cut.min().item()}")
    try:
        cut = cut.expand(latent_shape)
    except RuntimeError:
        raise ValueError(f"threshold must broadcast to latent_shape {latent_shape}, got {tuple(cut.shape)}") from None
    return TruncatedGaussian(normal, cut)


@dataclass(frozen=True)
class TruncatedGaussian:
    """See `truncated_gaussian`."""

    normal: Gaussian  # before it is cut
    threshold: Tensor  # latent_shape, float64, in standard deviations
    _placed: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor, float]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one code."""
        return self.normal.latent_shape

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """(mean - h) / std^2; outside, where the density is 0 and has no score, the same: it points back."""
        return self.normal.score(h, x)

    def log_prob(self, h: Tensor) -> Tensor:
        """(B, *latent) -> (B,) in nats, -inf outside."""
        low, high, log_mass = self._beside(h)
        inside = ((h >= low) & (h <= high)).flatten(1).all(1)
        return torch.where(inside, self.normal.log_prob(h) - log_mass, -math.inf)

    def sample(self, n: int, rng: Rng, step: int = 0) -> Tensor:
        """n draws (n, *latent) on the device of the mean, by the inverse distribution function."""
        mean = self.normal.mean
        like = torch.empty((n, *self.latent_shape), dtype=torch.float64, device=mean.device)
        z = self._quantile(rng.uniform(like, step, "prior") + SMALLEST)
        return (mean + self.normal.std * z).to(mean.dtype)

    def refresh(self, h: Tensor, noise: Tensor, amount: Tensor) -> Tensor:
        """Crank and Nicolson's step on the normal variable of the same rank, so in detailed balance with p(h)."""
        mean, std = (v.to(h.device, torch.float64) for v in (self.normal.mean, self.normal.std))
        threshold = self.threshold.to(h.device)
        z = (h - mean) / std
        tail = ndtr(-threshold)
        rank = ((ndtr(z) - tail) / (1 - 2 * tail)).clamp(SMALLEST, 1 - 2 * SMALLEST)
        whole = threshold.isinf()
        renewed = (1 - amount**2).sqrt() * torch.where(whole, z, ndtri(rank)) + amount * noise
        low, high, _ = self._beside(h)
        moved = mean + std * torch.where(whole, renewed, self._quantile(ndtr(renewed)))
        return moved.to(h.dtype).clamp(low, high)

    def _quantile(self, rank: Tensor) -> Tensor:
        """Ranks in (0, 1) -> standard normals cut off at the threshold."""
        threshold = self.threshold.to(rank.device)
        tail = ndtr(-threshold)
        z: Tensor = ndtri(tail + rank * (1 - 2 * tail))
        return z.clamp(-threshold, threshold)

    def _beside(self, h: Tensor) -> tuple[Tensor, Tensor, float]:
        """Bounds on the device and of the type of h, as draws are rounded, and the log of the normal's mass within."""
        place = (h.device, h.dtype)
        if place not in self._placed:
            mean, std = self.normal.mean, self.normal.std
            reach = self.threshold * std
            log_mass = float(torch.erf(self.threshold / math.sqrt(2)).log().sum())
            self._placed[place] = ((mean - reach).to(h), (mean + reach).to(h), log_mass)
        return self._placed[place]
