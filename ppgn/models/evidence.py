"""The two terms of the evidence lower bound at given noise (Kingma & Welling 2014).

log p(x) >= E_q log p(x | z) - KL(q(z | x) || N(0, 1)),      z = mean + std e, e standard normal; KL in closed form
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ppgn.models.likelihoods import Likelihood


@runtime_checkable
class LatentModel(Protocol):
    """p(z) = N(0, 1), p(x | z) and q(z | x) = N(mean, exp(log_variance)), as `ppgn.models.VAE`."""

    @property
    def likelihood(self) -> Likelihood:
        """Of an image given `decode`'s parameters."""
        ...

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) in [0, 1] -> mean and log-variance (B, latent)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> parameters (B, maps, H, W)."""
        ...


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) of each unit, in nats; shape kept.

    >>> divergence(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 0.0]))
    tensor([0., 2.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def evidence_terms(network: LatentModel, x: Tensor, noise: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """log p(x | z) (K, B) at K draws z = mean + std e, and the KL of each unit (B, latent); differentiable.

    noise   from the means (B, latent) to e (K, B, latent), or (K, 1, latent) for the same draws in every row

    The networks may run in half precision; what comes out of them is taken on in float32 or better.
    """
    mean, log_variance = (at_least_single(values) for values in network.encode(x))
    e = noise(mean)
    z = mean + (0.5 * log_variance).exp() * e
    parameters = at_least_single(network.decode(z.flatten(0, 1)))
    again = x if len(e) == 1 else x.repeat(len(e), 1, 1, 1)
    log_likelihood = network.likelihood.log_prob(parameters, again)
    return log_likelihood.unflatten(0, (len(e), -1)), divergence(mean, log_variance)


def at_least_single(values: Tensor) -> Tensor:
    """Half precision -> float32; others as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
