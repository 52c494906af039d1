"""Train a generator against a discriminator: any loss of `gan_losses`, zero-centred penalties, DiffAugment.

R3GAN (Huang et al. 2024) is `loss=RELATIVISTIC, r1=gamma, r2=gamma`; DCGAN is the default with betas (0.5, 0.999);
SNGAN is `loss=HINGE, critic_steps=5` with a spectrally normalised discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ppgn.data import Batch
from ppgn.models.evidence import at_least_single
from ppgn.training import processes, sheets
from ppgn.training.augment import NOTHING, DiffAugment
from ppgn.training.gan_losses import NON_SATURATING, GANLoss, gradient_penalty
from ppgn.training.loop import Metrics, Trainer, average_of
from ppgn.types import Schedule, Shaped


def gan_trainer(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    loss: GANLoss = NON_SATURATING,
    critic_steps: int = 1,
    r1: float = 0.0,
    r2: float = 0.0,
    penalty_every: int = 1,
    augment: DiffAugment = NOTHING,
    learning_rate: Schedule = 2e-4,
    betas: tuple[float, float] = (0.0, 0.99),
    average: float = 0.999,
) -> Trainer[Batch]:
    """Trainer for G: z (B, *latent) -> x against D: x -> logits (B,). The result is the moving average of G.

    generator       says its `latent_shape`; codes are standard normal
    critic_steps    steps of D to one of G; a batch is cut into so many parts, so D always meets new images
    r1, r2          weights gamma of gamma / 2 E|dD/dx|^2 at real and at made images, before `augment`
    penalty_every   steps from one penalty to the next, each so many times as heavy (lazy: Karras et al. 2020)
    betas           of both Adams
    average         decay a step of G's averaged weights

    Metrics: the losses `discriminator` and `generator`, mean logits `real` and `made`, the weighted `penalty` (0 in
    the steps without). A penalty is computed without rounding to bfloat16. Raises ValueError for a generator without
    a shape, for numbers of steps below 1, and for batches that cannot be cut into critic_steps parts.
    """
    if not isinstance(generator, Shaped):
        raise ValueError(f"generator must say its latent_shape, but {type(generator).__name__} has none")
    if critic_steps < 1 or penalty_every < 1:
        raise ValueError(f"critic_steps and penalty_every must be at least 1, got {critic_steps} and {penalty_every}")
    latent = tuple(generator.latent_shape)
    averaged = average_of(generator, average)
    optimizer_g = torch.optim.Adam(generator.parameters(), betas=betas, fused=True)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), betas=betas, fused=True)

    def make(like: Tensor, rng: torch.Generator) -> Tensor:
        z = processes.drawn(
            lambda n: torch.randn(n, *latent, generator=rng, device=like.device, dtype=like.dtype), len(like)
        )
        made: Tensor = generator(z)
        return made

    def judge(x: Tensor, rng: torch.Generator) -> Tensor:
        logits: Tensor = discriminator(augment(x, rng))
        return at_least_single(logits)

    def learn_d(x: Tensor, rng: torch.Generator, heavier: int) -> dict[str, Tensor]:
        with torch.no_grad():
            made = make(x, rng)
        losses = discriminator_losses(lambda images: judge(images, rng), loss, x, made, heavier * r1, heavier * r2)
        optimizer_d.zero_grad()
        (losses["discriminator"] + losses["penalty"]).backward()
        optimizer_d.step()
        return losses

    def learn_g(x: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        with torch.no_grad():
            real_logits = judge(x, rng) if loss.paired else x.new_zeros(len(x))
        lost = loss.generator(real_logits, judge(make(x, rng), rng))
        optimizer_g.zero_grad()
        lost.backward(inputs=list(generator.parameters()))
        optimizer_g.step()
        return {"generator": lost}

    def update(batch: Batch, rng: torch.Generator) -> Metrics:
        if len(batch.images) % critic_steps:
            raise ValueError(f"a batch must have a multiple of critic_steps={critic_steps}, got {len(batch.images)}")
        generator.train()
        discriminator.train()
        heavier = penalty_every if int(averaged.n_averaged) % penalty_every == 0 else 0  # the count is on the host
        metrics: dict[str, Tensor] = {}
        parts = batch.images.chunk(critic_steps)
        for part in parts:
            metrics |= learn_d(part, rng, heavier)
        metrics |= learn_g(parts[-1], rng)
        averaged.update_parameters(generator)
        return {name: value.detach() for name, value in metrics.items()}

    return Trainer(
        modules={"generator": generator, "discriminator": discriminator, "averaged": averaged},
        optimizers={"generator": optimizer_g, "discriminator": optimizer_d},
        update=update,
        results={"model": averaged.module, "discriminator": discriminator},
        learning_rates={"generator": learning_rate, "discriminator": learning_rate},
        sheet=lambda batch, rng: sheets.of_codes(averaged.module, batch, rng),
    )


def discriminator_losses(
    judge: Callable[[Tensor], Tensor], loss: GANLoss, real: Tensor, made: Tensor, r1: float, r2: float
) -> dict[str, Tensor]:
    """D's loss, the mean logits, and the penalties r1 / 2 E|dD/dx|^2 at real and r2 / 2 E|dD/dx|^2 at made images.

    judge: images (B, ...) -> logits (B,), differentiable twice if r1 or r2 is not 0.
    """
    real, made = real.detach().requires_grad_(r1 > 0), at_least_single(made).detach().requires_grad_(r2 > 0)
    with _unrounded(real) if r1 > 0 or r2 > 0 else nullcontext():
        real_logits, made_logits = judge(real), judge(made)
        lost = loss.discriminator(real_logits, made_logits)
        penalty = torch.zeros_like(lost)
        if r1 > 0:
            penalty = penalty + r1 / 2 * gradient_penalty(real_logits, real)
        if r2 > 0:
            penalty = penalty + r2 / 2 * gradient_penalty(made_logits, made)
    return {"discriminator": lost, "penalty": penalty, "real": real_logits.mean(), "made": made_logits.mean()}


def _unrounded(x: Tensor) -> torch.autocast:
    """No autocast: gradients of gradients in 8 bits would be noise."""
    return torch.autocast(x.device.type, enabled=False)
