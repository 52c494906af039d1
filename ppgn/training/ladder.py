"""Train one denoiser of codes for all noise levels, the prior of an annealed walk.

loss = E over sigma of |D(h + sigma e; sigma) - h|^2 / E |L(h + sigma e) - h|^2,     ln sigma uniform

L is the best linear denoiser, whose error sum_j s_j^2 sigma^2 / (s_j^2 + sigma^2) is known: EDM's weight 1 / c_out^2
(Karras et al. 2022, Tab. 1) with every axis' own standard deviation. So each level of a geometric ladder counts the
same, and 1 is no better than linear.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ppgn.models import ConvLadderDenoiser, LadderDenoiser
from ppgn.training import processes
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.types import Schedule


def ladder_trainer(
    network: LadderDenoiser | ConvLadderDenoiser,
    *,
    codes: Tensor,
    sigma_min: float,
    sigma_max: float,
    learning_rate: Schedule = 1e-3,
    average: float = 0.999,
) -> Trainer[Tensor]:
    """Trainer on batches of clean codes (B, code), or of latent maps (B, channels, H, W).

    codes: real codes (N, code), or places of real maps (N, channels), from which the network's mean, axes and standard
    deviations are measured.
    sigma_min, sigma_max: the ladder's ends, in units of h. Raises ValueError unless 0 < sigma_min < sigma_max.
    """
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(f"0 < sigma_min < sigma_max is needed, got {sigma_min} and {sigma_max}")
    network.measure(codes)

    def losses(h: Tensor, rng: torch.Generator) -> Metrics:
        sigma = _levels(h, sigma_min, sigma_max, rng)
        noisy = h + sigma.view(-1, *[1] * (h.ndim - 1)) * processes.normal_like(h, rng)
        error = (network(noisy, sigma) - h).square().flatten(1).sum(1)
        places = h[0].numel() // len(network.std)
        loss = (error / (places * linear_error(network.std, sigma))).mean()
        return {"loss": loss}

    return averaged_trainer(network, losses, learning_rate=learning_rate, average=average)


def linear_error(std: Tensor, sigma: Tensor) -> Tensor:
    """Expected squared error (B,) of the best linear denoiser at sigma (B,), codes of std (code,) along their axes."""
    level = sigma[:, None] ** 2
    return (std**2 * level / (std**2 + level)).sum(1)


def _levels(h: Tensor, low: float, high: float, rng: torch.Generator) -> Tensor:
    """One sigma for each row, ln sigma uniform: one in each of B equal parts, so that batches differ less."""

    def places(b: int) -> Tensor:
        part = torch.rand(b, generator=rng, device=h.device, dtype=h.dtype)
        return (torch.arange(b, device=h.device, dtype=h.dtype) + part) / b

    place = processes.drawn(places, len(h))
    return (math.log(low) + place * math.log(high / low)).exp()
