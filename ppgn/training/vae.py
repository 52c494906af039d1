"""Train a VAE by the evidence lower bound, and bound log p(x) by it and by importance weights.

log p(x) >= E_q log p(x | z) - KL(q(z | x) || N(0, 1))        the ELBO (Kingma & Welling 2014), KL in closed form
log p(x) >= E log 1/K sum_k p(x, z_k) / q(z_k | x)            tighter with every K (Burda et al. 2016, Eq. 8)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ppgn.data import Batch
from ppgn.models.dense_vae import DenseVAE
from ppgn.models.evidence import LatentModel, at_least_single, evidence_terms
from ppgn.models.gaussian_vae import VAE
from ppgn.models.likelihoods import Bernoulli
from ppgn.training import processes, sheets
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.types import Schedule


def vae_trainer(
    network: VAE | DenseVAE,
    *,
    learning_rate: Schedule = 1e-3,
    beta: float = 1.0,
    free_bits: float = 0.0,
    warmup: int = 0,
    binarise: bool = False,
    average: float = 0.999,
) -> Trainer[Batch]:
    """Trainer on images (B, C, H, W) in [0, 1], labels unused; the loss is in nats an image.

    beta        weight of the KL (Higgins et al. 2017); 1 is the ELBO
    free_bits   nats of KL, mean over the batch, that each latent unit has without a cost (Kingma et al. 2016)
    warmup      steps over which beta grows from 0 (Sønderby et al. 2016)
    binarise    draws black and white images anew in each step, with the greys as probabilities (Salakhutdinov & Murray
                2008): nats are comparable only on images binarised the same way
    average     decay a step of the averaged weights, which are the result

    Metrics: the weighted `loss`; `elbo` and `kl` in nats; `active`, the units with a KL above 0.01 nats. Raises
    ValueError for negative numbers, and for binarise with another likelihood than Bernoulli.
    """
    if beta < 0 or free_bits < 0 or warmup < 0:
        raise ValueError(f"beta, free_bits and warmup must not be negative, got {beta}, {free_bits} and {warmup}")
    if binarise and not isinstance(network.likelihood, Bernoulli):
        raise ValueError(f"binarise needs a Bernoulli likelihood, got {network.likelihood}")

    def losses(batch: Batch, rng: torch.Generator) -> Metrics:
        x = binarised(batch.images, rng) if binarise else batch.images
        log_likelihood, kl = bound_terms(network, x, rng)
        weight = beta * min(1.0, (int(averaged.get_buffer("n_averaged")) + 1) / max(1, warmup))
        loss = weighted_kl(kl, weight, free_bits) - log_likelihood.mean()
        units = kl.detach().mean(0)
        return {
            "loss": loss,
            "elbo": log_likelihood.detach().mean() - units.sum(),
            "kl": units.sum(),
            "active": (units > 0.01).float().sum(),
        }

    trainer = averaged_trainer(network, losses, learning_rate=learning_rate, average=average, sheet=sheets.of_codes)
    averaged = trainer.modules["averaged"]  # counts the steps, on the host and in the checkpoints
    return trainer


def weighted_kl(kl: Tensor, beta: float, free_bits: float) -> Tensor:
    """beta * sum over units of max(free_bits, mean over the batch), from the KL of each image and unit (B, latent).

    >>> weighted_kl(torch.tensor([[1.0, 0.1], [3.0, 0.3]]), beta=0.5, free_bits=0.25)  # 0.5 * (2 + 0.25)
    tensor(1.1250)
    """
    units = kl.mean(0)
    return beta * torch.where(processes.mean(units.detach()) >= free_bits, units, free_bits).sum()


def binarised(x: Tensor, rng: torch.Generator) -> Tensor:
    """Black and white images, each pixel 1 with the probability of its grey."""
    if processes.count() == 1:
        return torch.bernoulli(x, generator=rng)
    return processes.drawn(lambda n: torch.bernoulli(x.repeat_interleave(n // len(x), 0), generator=rng), len(x))


def bound_terms(network: LatentModel, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """log p(x | z) (B,) at one draw z of q(z | x), and the KL of each unit (B, latent); differentiable.

    The networks may run in bfloat16; what comes out of them is taken on in float32 or better.
    """
    log_p, kl = evidence_terms(network, x, lambda mean: processes.normal_like(mean, rng)[None])
    return log_p[0], kl


@torch.no_grad()
def elbo(network: LatentModel, x: Tensor, rng: torch.Generator) -> Tensor:
    """The evidence lower bound of each image at one draw of q: (B, C, H, W) -> (B,) float64, nats.

    Its mean over draws is the bound; the KL is exact. Bernoulli likelihoods want black and white images: `binarised`.
    """
    log_likelihood, kl = bound_terms(network, x, rng)
    return log_likelihood.double() - kl.double().sum(1)


@torch.no_grad()
def importance_bound(network: LatentModel, x: Tensor, samples: int, rng: torch.Generator, chunk: int = 2000) -> Tensor:
    """log 1/K sum_k p(x, z_k) / q(z_k | x) of each image, K = `samples`: (B, C, H, W) -> (B,) float64, nats.

    chunk: images decoded at a time, about; the result does not depend on it. Weights are summed in float64. Raises
    ValueError for samples below 1.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    mean, log_variance = (at_least_single(values) for values in network.encode(x))
    std = (0.5 * log_variance).exp()
    total = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
    together = max(1, chunk // len(x))
    for first in range(0, samples, together):
        n = min(together, samples - first)
        noise = torch.stack(
            [torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype) for _ in range(n)]
        )
        z = mean + std * noise
        log_ratio = 0.5 * (noise.double().square() - z.double().square()).sum(2) + 0.5 * log_variance.double().sum(1)
        parameters = at_least_single(network.decode(z.flatten(0, 1)))
        log_likelihood = network.likelihood.log_prob(parameters, x.repeat(n, 1, 1, 1))
        log_weights = log_likelihood.double().unflatten(0, (n, -1)) + log_ratio
        total = torch.logaddexp(total, log_weights.logsumexp(0))
    return total - math.log(samples)
