"""`ppgn train gan | vaegan`: generators that learn from a discriminator."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from torch import nn

from ppgn import models, training
from ppgn.cli import training as shared
from ppgn.cli.train_autoencoders import Depth, Latent, Width
from ppgn.data import ImageSet
from ppgn.training.gan_losses import LOSSES

NORMS: dict[str, Literal["none", "batch", "spectral"]] = {"none": "none", "batch": "batch", "spectral": "spectral"}
LOSS = {loss.name: loss for loss in LOSSES}

Widths = Annotated[str, typer.Option(help="dcgan, upconv: channels from the smallest maps on, as 64,32,16")]
Judging = Annotated[str, typer.Option(help="channels of the discriminator after each halving")]
Norm = Annotated[str, typer.Option(help="of the discriminator: none, batch (DCGAN) or spectral (SNGAN)")]


@shared.command(steps=20000, batch_size=64, learning_rate=2e-4)
def gan_command(
    options: shared.Options,
    latent: Latent = 64,
    arch: Annotated[str, typer.Option(help="of the generator: residual, dcgan (batch norm) or upconv")] = "residual",
    width: Width = 16,
    depth: Depth = 1,
    widths: Widths = "64,32,16",
    discriminator_widths: Judging = "32,64,128",
    norm: Norm = "none",
    loss: Annotated[str, typer.Option(help=", ".join(LOSS))] = "non-saturating",
    critic_steps: Annotated[int, typer.Option(min=1, help="steps of the discriminator to one of the generator")] = 1,
    r1: Annotated[float, typer.Option(min=0, help="weight of the gradient's square at real images")] = 0.0,
    r2: Annotated[float, typer.Option(min=0, help="the same at made images; R3GAN has both")] = 0.0,
    penalty_every: Annotated[int, typer.Option(min=1, help="steps from one penalty to the next")] = 1,
    colour: Annotated[bool, typer.Option("--colour", help="DiffAugment: brightness, saturation, contrast")] = False,
    translation: Annotated[float, typer.Option(min=0, max=1, help="DiffAugment: part of the height")] = 0.0,
    cutout: Annotated[float, typer.Option(min=0, max=1, help="DiffAugment: part of the height")] = 0.0,
    fill: Annotated[float, typer.Option(min=0, max=1, help="grey of what comes in or is cut out")] = 0.5,
    beta1: Annotated[float, typer.Option(min=0, max=1, help="of both Adams")] = 0.5,
    beta2: Annotated[float, typer.Option(min=0, max=1, help="of both Adams")] = 0.99,
    average: shared.Average = 0.999,
    flip: shared.Flip = False,
) -> None:
    """Train a GAN: DCGAN by --arch dcgan --norm batch, SNGAN by --norm spectral --loss hinge, R3GAN by
    --loss relativistic and --r1, --r2."""
    levels = shared.numbers(widths, "widths")
    sizes: dict[str, dict[str, Any]] = {
        "residual": {"width": width, "depth": depth},
        "dcgan": {"widths": levels},
        "upconv": {"widths": levels},
    }
    config = options.record(
        "gan", latent=latent, arch=arch, **shared.choice(sizes, arch, "arch"),
        discriminator_widths=shared.numbers(discriminator_widths, "discriminator_widths"), norm=norm, loss=loss,
        critic_steps=critic_steps, r1=r1, r2=r2, penalty_every=penalty_every, colour=colour, translation=translation,
        cutout=cutout, fill=fill, betas=[beta1, beta2], average=average, flip=flip,
    )  # fmt: skip
    asked = shared.choice(LOSS, loss, "loss")
    images = options.images(config)
    generator = models.build(lambda: _generator(images, config), options.seed)
    trainer = training.gan_trainer(
        generator.to(options.place),
        _discriminator(options, images, config["discriminator_widths"], norm),
        loss=asked,
        critic_steps=critic_steps,
        r1=r1,
        r2=r2,
        penalty_every=penalty_every,
        augment=training.DiffAugment(colour, translation, cutout, fill),
        learning_rate=options.falling,
        betas=(beta1, beta2),
        average=average,
    )
    options.train(trainer, images, config)


@shared.command(steps=20000, batch_size=64, learning_rate=3e-4)
def vaegan_command(
    options: shared.Options,
    latent: Latent = 32,
    width: Width = 32,
    depth: Depth = 1,
    discriminator_widths: Judging = "32,64,128",
    norm: Norm = "batch",
    gamma: Annotated[float, typer.Option(min=0, help="how much more likeness counts than the discriminator")] = 1e-2,
    saturating: Annotated[bool, typer.Option("--saturating", help="the generator's loss as first written")] = False,
    average: shared.Average = 0.999,
    flip: shared.Flip = False,
) -> None:
    """Train a VAE-GAN: a VAE that measures likeness in a discriminator's features."""
    config = options.record(
        "vaegan", latent=latent, width=width, depth=depth,
        discriminator_widths=shared.numbers(discriminator_widths, "discriminator_widths"), norm=norm, gamma=gamma,
        saturating=saturating, average=average, flip=flip,
    )  # fmt: skip
    images = options.images(config)
    network = models.build(lambda: models.VAE(images.image_shape, latent, width, depth), options.seed)
    trainer = training.vaegan_trainer(
        network.to(options.place),
        _discriminator(options, images, config["discriminator_widths"], norm),
        gamma=gamma,
        saturating=saturating,
        learning_rate=options.falling,
        average=average,
    )
    options.train(trainer, images, config)


def _generator(images: ImageSet, config: dict[str, Any]) -> nn.Module:
    """Raises ValueError for images of another size than the architecture makes."""
    latent, arch = config["latent"], config["arch"]
    if arch == "residual":
        return models.ResidualGenerator(latent, images.image_shape, config["width"], config["depth"])
    if arch == "upconv":
        return models.UpconvGenerator(latent, images.image_shape, config["widths"])
    network = models.DCGANGenerator(latent, images.image_shape[0], config["widths"])
    if network.image_shape != images.image_shape:
        raise ValueError(
            f"dcgan with {len(config['widths'])} widths makes images {network.image_shape}, but those of the set are "
            f"{images.image_shape}; choose as many widths as fit, bring pictures to that --size, or --arch residual"
        )
    return network


def _discriminator(
    options: shared.Options, images: ImageSet, widths: list[int], norm: str
) -> models.DCGANDiscriminator:
    known = shared.choice(NORMS, norm, "norm")
    network = models.build(lambda: models.DCGANDiscriminator(images.image_shape, widths, known), options.seed)
    return network.to(options.place)
