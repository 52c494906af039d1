"""Train a VAE whose likeness of images is learned by a GAN's discriminator (Larsen et al. 2016, VAE/GAN).

With x~ the image decoded from q(z | x), x_p one from the prior, f the discriminator's last maps, Algorithm 1 is

    encoder         makes KL(q(z | x) || p(z)) + L_like less      L_like = 1/2 |f(x) - f(x~)|^2 = -log N(f(x); f(x~), 1)
    decoder         makes gamma L_like - L_GAN less               (up to a constant)
    discriminator   makes -L_GAN less                             L_GAN = log D(x) + log(1 - D(x~)) + log(1 - D(x_p))
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ppgn.data import Batch
from ppgn.models.dcgan_discriminator import DCGANDiscriminator
from ppgn.models.dense_vae import DenseVAE
from ppgn.models.evidence import at_least_single, divergence
from ppgn.models.gaussian_vae import VAE
from ppgn.training import processes, sheets
from ppgn.training.loop import Metrics, Trainer, average_of
from ppgn.types import Schedule


def vaegan_trainer(
    network: VAE | DenseVAE,
    discriminator: DCGANDiscriminator,
    *,
    gamma: float = 1e-2,
    saturating: bool = False,
    learning_rate: Schedule = 3e-4,
    betas: tuple[float, float] = (0.0, 0.99),
    average: float = 0.999,
) -> Trainer[Batch]:
    """Trainer on images (B, C, H, W) in [0, 1], labels unused. All three sides step from the same point.

    network      images are the means of its likelihood, which itself is not used
    gamma        how much more the decoder heeds likeness than the discriminator's judgement; L_like is a sum over maps
    saturating   the decoder makes log(1 - D) less, as written above, instead of -log D, whose gradient does not vanish
    betas        of the three Adams
    average      decay a step of the averaged weights of the VAE, which are the result

    Metrics: `kl` and `likeness` in nats an image, `generator` and `discriminator` in nats. Raises ValueError for a
    negative gamma.
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    averaged = average_of(network, average)
    sides = {
        "encoder": list(network.encoder.parameters()),
        "decoder": list(network.decoder.parameters()),
        "discriminator": list(discriminator.parameters()),
    }
    optimizers = {name: torch.optim.Adam(parameters, betas=betas, fused=True) for name, parameters in sides.items()}

    def update(batch: Batch, rng: torch.Generator) -> Metrics:
        network.train()
        discriminator.train()
        losses = vaegan_losses(network, discriminator, batch.images, rng, saturating)
        goals = {
            "encoder": losses["kl"] + losses["likeness"],
            "decoder": gamma * losses["likeness"] + losses["generator"],
            "discriminator": losses["discriminator"],
        }
        for name, goal in goals.items():
            optimizers[name].zero_grad()
            goal.backward(inputs=sides[name], retain_graph=name != "discriminator")
        for optimizer in optimizers.values():
            optimizer.step()
        averaged.update_parameters(network)
        return {name: value.detach() for name, value in losses.items()}

    return Trainer(
        modules={"network": network, "discriminator": discriminator, "averaged": averaged},
        optimizers=optimizers,
        update=update,
        results={"model": averaged.module, "discriminator": discriminator},
        learning_rates=dict.fromkeys(sides, learning_rate),
        sheet=lambda batch, rng: sheets.of_codes(averaged.module, batch, rng),
    )


def vaegan_losses(
    network: VAE | DenseVAE,
    discriminator: DCGANDiscriminator,
    x: Tensor,
    rng: torch.Generator,
    saturating: bool = False,
) -> dict[str, Tensor]:
    """The four terms, means over the batch (B, C, H, W), all of one graph; who learns from which is the trainer's."""
    mean, log_variance = (at_least_single(values) for values in network.encode(x))
    latent = mean.shape[1:]
    noise, prior = processes.drawn(
        lambda n: torch.randn(2, n, *latent, generator=rng, device=x.device, dtype=mean.dtype), len(x), dim=1
    ).unbind(0)
    again, made = network(mean + (0.5 * log_variance).exp() * noise), network(prior)
    maps_real, maps_again = discriminator.features(x), discriminator.features(again)
    real, fakes = discriminator.judge(maps_real), (discriminator.judge(maps_again), discriminator(made))
    sure = torch.stack([softplus(fake).mean() for fake in fakes]).sum()  # -log(1 - D)
    fooled = torch.stack([softplus(-fake).mean() for fake in fakes]).sum()  # -log D
    return {
        "kl": divergence(mean, log_variance).sum(1).mean(),
        "likeness": 0.5 * (at_least_single(maps_real) - at_least_single(maps_again)).square().flatten(1).sum(1).mean(),
        "generator": -sure if saturating else fooled,
        "discriminator": softplus(-real).mean() + sure,
    }
