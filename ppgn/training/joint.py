"""Train the generator of Joint PPGN-h: three interleaved denoising autoencoders that share weights, and a GAN.

x -> h1 -> h by a frozen encoder, noise added at each level; x^ = G(h) must bring back the clean x, h1 and h:

    L = w_img |x^ - x|^2 + w_h1 |h1(x^) - h1|^2 + w_h |h(x^) - h|^2 + w_gan L_gan        (Nguyen et al. 2017, Sec. 3.4)

Without noise and without L_h this is the noiseless form (Sec. 3.5), the objective of Dosovitskiy & Brox 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn.checks import require_eval
from ppgn.data import Batch
from ppgn.training import processes, sheets
from ppgn.training.loop import Metrics, Trainer, average_of
from ppgn.types import Schedule


class TwoLevels(Protocol):
    """An encoder cut in two, as `ppgn.models.ConvClassifier` or `ppgn.pretrained.encoder` gives it."""

    def x_to_h1(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> h1 (B, ...)."""
        ...

    def h1_to_h(self, h1: Tensor) -> Tensor:
        """h1 (B, ...) -> h (B, *latent)."""
        ...


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the Gaussian noise at each level, as a fraction of the level's own on real images."""

    x: float = 0.0
    h1: float = 0.0
    h: float = 0.0


@dataclass(frozen=True)
class Weights:
    """Loss weights for mean-reduced losses, images in [0, 1] and features divided by their standard deviation."""

    image: float = 20.0
    h1: float = 1.0
    h: float = 1.0
    gan: float = 0.1


def weights_of_caffe(
    image: float, h1: float, gan: float, *, image_numbers: int, h1_numbers: int, pixel_range: float = 255.0
) -> Weights:
    """Weights of Caffe's sums as weights of means, scaled so that the GAN's is 1.

    Caffe's Euclidean loss is sum / 2 over an image's numbers with pixels in about [-pixel_range/2, pixel_range/2];
    ours is the mean with pixels in [0, 1]; features keep Caffe's unit. The paper's (2e-6, 0.01, 100) at 227 px become
    100.5 and 0.46.

    >>> w = weights_of_caffe(2e-6, 0.01, 100, image_numbers=3 * 227 * 227, h1_numbers=9216)
    >>> round(w.image, 1), round(w.h1, 2)
    (100.5, 0.46)
    """
    return Weights(
        image=image * 0.5 * image_numbers * pixel_range**2 / gan,
        h1=h1 * 0.5 * h1_numbers / gan,
        h=0.0,
        gan=1.0,
    )


class Balance(nn.Module):
    """The authors' rule that keeps the two sides level, by r = loss_D / loss_G.

    D pauses when r < 0.1 and goes on when r > 0.5; G pauses while r > 10. A module, so that its flags are saved.
    """

    learn_d: Tensor
    learn_g: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("learn_d", torch.tensor(True))
        self.register_buffer("learn_g", torch.tensor(True))

    def note(self, loss_d: Tensor, loss_g: Tensor) -> None:
        """Set the flags for the next step."""
        ratio = loss_d / loss_g
        self.learn_d.copy_((ratio >= 0.1) & (self.learn_d | (ratio > 0.5)))
        self.learn_g.copy_(ratio <= 10)


def joint_trainer(
    generator: nn.Module,
    discriminator: nn.Module,
    encoder: TwoLevels,
    *,
    images: Tensor,
    noise: Noise = Noise(),
    weights: Weights = Weights(),
    learning_rate: Schedule = 3e-4,
    average: float = 0.999,
    balance: bool = False,
) -> Trainer[Batch]:
    """Trainer for G against D(x, h) with a frozen encoder.

    images: some hundred real ones (N, C, H, W) in [0, 1], on which the levels' standard deviations are measured.
    balance: the authors' pausing rule; reads two numbers back a step. Adam has the authors' (0.9, 0.999).
    """
    scale = _scales(encoder, images)
    averaged = average_of(generator, average)
    optimizer_g = torch.optim.Adam(generator.parameters(), fused=True)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), fused=True)
    rule = Balance().to(images.device)

    def sheet(batch: Batch, rng: torch.Generator) -> Tensor:
        x = sheets.some(batch.images)
        return sheets.beside(x, averaged.module(encoder.h1_to_h(encoder.x_to_h1(x))))

    def update(batch: Batch, rng: torch.Generator) -> Metrics:
        generator.train()
        discriminator.train()
        h = noisy_code(encoder, batch.images, noise, scale, rng)
        made = generator(h)
        loss_d = discriminator_loss(discriminator, batch.images, made.detach(), h)
        if not balance or rule.learn_d:
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()
        losses = generator_losses(encoder, discriminator, batch.images, made, h, scale)
        if not balance or rule.learn_g:
            optimizer_g.zero_grad()
            total = (weights.image * losses["image"] + weights.h1 * losses["h1"]
                     + weights.h * losses["h"] + weights.gan * losses["gan"])  # fmt: skip
            total.backward(inputs=list(generator.parameters()))
            optimizer_g.step()
        averaged.update_parameters(generator)
        rule.note(processes.mean(loss_d.detach()), processes.mean(losses["gan"].detach()))
        return {"discriminator": loss_d.detach(), **{name: loss.detach() for name, loss in losses.items()}}

    return Trainer(
        modules={
            "generator": generator,
            "discriminator": discriminator,
            "averaged": averaged,
            "balance": rule,
        },
        optimizers={"generator": optimizer_g, "discriminator": optimizer_d},
        update=update,
        results={"model": averaged.module, "discriminator": discriminator},
        learning_rates={"generator": learning_rate, "discriminator": learning_rate},
        sheet=sheet,
    )


def noisy_code(encoder: TwoLevels, x: Tensor, noise: Noise, scale: Noise, rng: torch.Generator) -> Tensor:
    """The code of x with noise at x, h1 and h; no gradient."""

    def add(value: Tensor, level: float) -> Tensor:
        if level == 0:
            return value
        return value + level * processes.normal_like(value, rng)

    with torch.no_grad():
        h1 = add(encoder.x_to_h1(add(x, noise.x * scale.x)), noise.h1 * scale.h1)
        return add(encoder.h1_to_h(h1), noise.h * scale.h)


def generator_losses(
    encoder: TwoLevels, discriminator: nn.Module, x: Tensor, made: Tensor, h: Tensor, scale: Noise
) -> dict[str, Tensor]:
    """The four mean-reduced losses of G, unweighted; features in units of their standard deviation."""
    with torch.no_grad():
        h1_real = encoder.x_to_h1(x)
        h_real = encoder.h1_to_h(h1_real)
    h1_made = encoder.x_to_h1(made)
    return {
        "image": functional.mse_loss(made, x),
        "h1": functional.mse_loss(h1_made, h1_real) / scale.h1**2,
        "h": functional.mse_loss(encoder.h1_to_h(h1_made), h_real) / scale.h**2,
        "gan": functional.softplus(-discriminator(made, h)).mean(),  # non-saturating (Goodfellow et al. 2014)
    }


def discriminator_loss(discriminator: nn.Module, real: Tensor, made: Tensor, h: Tensor) -> Tensor:
    """-log D(real, h) - log(1 - D(made, h)), means over the batch, from logits."""
    return functional.softplus(-discriminator(real, h)).mean() + functional.softplus(discriminator(made, h)).mean()


def _scales(encoder: TwoLevels, images: Tensor) -> Noise:
    """The standard deviation of each level on real images."""
    require_eval(encoder, "encoder")
    with torch.no_grad():
        h1 = encoder.x_to_h1(images)
        levels = [images.std().item(), h1.std().item(), encoder.h1_to_h(h1).std().item()]
    if not all(math.isfinite(s) and s > 0 for s in levels):
        raise ValueError(f"x, h1 and h must vary over the images, their standard deviations are {levels}")
    return Noise(*levels)
