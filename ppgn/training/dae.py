"""Train a denoising autoencoder on codes, the prior of PPGN-h.

The loss E |r(h + sigma e) - h|^2 makes (r(h) - h) / sigma^2 a score (Vincent 2011; Alain & Bengio 2014).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ppgn.models import CodeDenoiser
from ppgn.training import processes
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.types import Schedule


def dae_trainer(
    network: CodeDenoiser,
    *,
    codes: Tensor,
    sigma: float,
    learning_rate: Schedule = 1e-3,
    average: float = 0.999,
) -> Trainer[Tensor]:
    """Trainer on batches of clean codes (B, code).

    codes: real ones (N, code), from which the network's mean and std are measured.
    sigma: standard deviation of the noise, in units of h; the prior needs the same number.
    Raises ValueError unless sigma > 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    network.mean.copy_(codes.mean(0))
    network.std.copy_((codes.var(0) + sigma**2).sqrt())  # of the noisy input; never 0, though a unit may be dead

    def losses(h: Tensor, rng: torch.Generator) -> Metrics:
        loss = functional.mse_loss(network(h + sigma * processes.normal_like(h, rng)), h)
        return {"loss": loss, "relative": loss.detach() / sigma**2}  # relative: 1 is no better than the identity

    return averaged_trainer(network, losses, learning_rate=learning_rate, average=average)
