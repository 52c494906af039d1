"""Train autoencoders of images: plain, and to take noise away.

With normal noise of standard deviation sigma the best r(x) is E[clean | x], whose residual is a score: (r(x) - x) /
sigma^2 = d log p_sigma(x) / dx (Vincent 2011; Alain & Bengio 2014), which `ppgn.priors.dae` walks on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn.data import Batch
from ppgn.models.conv_autoencoder import Autoencoder
from ppgn.training import processes, sheets
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.types import Schedule


def autoencoder_trainer(
    network: Autoencoder, *, sigma: float = 0.0, learning_rate: Schedule = 1e-3, average: float = 0.999
) -> Trainer[Batch]:
    """Trainer on images (B, C, H, W) in [0, 1], labels unused: the squared error a sub-pixel of decode(encode(x)).

    sigma     standard deviation of noise on the encoder's input, in units of x; the clean image is asked for
    average   decay a step of the averaged weights, which are the result

    Raises ValueError for a negative sigma.
    """
    if not sigma >= 0:
        raise ValueError(f"sigma must not be negative, got {sigma}")

    def losses(batch: Batch, rng: torch.Generator) -> Metrics:
        return {"loss": restoration_loss(lambda x: network.decode(network.encode(x)), batch.images, sigma, rng)}

    def sheet(averaged: Autoencoder, batch: Batch, rng: torch.Generator) -> Tensor:
        x = sheets.some(batch.images)
        return sheets.beside(x, averaged(averaged.encode(x)))

    return averaged_trainer(network, losses, learning_rate=learning_rate, average=average, sheet=sheet)


def image_dae_trainer(
    network: nn.Module, *, sigma: float, learning_rate: Schedule = 1e-3, average: float = 0.999
) -> Trainer[Batch]:
    """Trainer for a denoiser x (B, C, H, W) -> (B, C, H, W) of images in [0, 1], labels unused.

    sigma     standard deviation of the noise, in units of x; the prior needs the same number
    average   decay a step of the averaged weights, which are the result

    Metrics: `loss`, the squared error a sub-pixel; `relative`, in units of sigma^2: 1 is no better than the identity.
    Raises ValueError unless sigma > 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")

    def losses(batch: Batch, rng: torch.Generator) -> Metrics:
        loss = restoration_loss(network, batch.images, sigma, rng)
        return {"loss": loss, "relative": loss.detach() / sigma**2}

    def sheet(averaged: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor:
        x = sheets.some(batch.images)
        noisy = x + sigma * torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        return sheets.beside(noisy, averaged(noisy))

    return averaged_trainer(network, losses, learning_rate=learning_rate, average=average, sheet=sheet)


def restoration_loss(restore: Callable[[Tensor], Tensor], x: Tensor, sigma: float, rng: torch.Generator) -> Tensor:
    """E (restore(x + sigma e) - x)^2, the mean over all numbers of x (B, ...); e standard normal from `rng`."""
    noisy = x
    if sigma > 0:
        noisy = x + sigma * processes.normal_like(x, rng)
    return functional.mse_loss(restore(noisy), x)
