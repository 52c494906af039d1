"""`ppgn train vae | autoencoder`: generators that come with an encoder."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ppgn import models, training
from ppgn.cli import training as shared
from ppgn.cli.likelihoods import Named, likelihood_of
from ppgn.models.likelihoods import Bernoulli

Latent = Annotated[int, typer.Option(min=1, help="numbers in a code")]
Width = Annotated[int, typer.Option(min=1, help="channels at half the image's side, twice as many at a quarter")]
Depth = Annotated[int, typer.Option(min=0, help="residual blocks at each size, in each half")]


@shared.command(steps=20000, batch_size=128, learning_rate=1e-3)
def autoencoder_command(
    options: shared.Options,
    latent: Latent = 32,
    width: Width = 32,
    depth: Depth = 1,
    sigma: Annotated[float, typer.Option(min=0, help="of noise on its input; the clean image is asked for")] = 0.0,
    average: shared.Average = 0.999,
    flip: shared.Flip = False,
) -> None:
    """Train an autoencoder by the squared error of the image, from a noisy one with --sigma."""
    config = options.record(
        "autoencoder", latent=latent, width=width, depth=depth, sigma=sigma, average=average, flip=flip
    )
    images = options.images(config)
    network = models.build(lambda: models.Autoencoder(images.image_shape, latent, width, depth), options.seed)
    trainer = training.autoencoder_trainer(
        network.to(options.place), sigma=sigma, learning_rate=options.falling, average=average
    )
    options.train(trainer, images, config)


@shared.command(steps=20000, batch_size=128, learning_rate=1e-3)
def vae_command(
    options: shared.Options,
    arch: Annotated[str, typer.Option(help="conv, or dense: fully connected, with --hidden")] = "conv",
    latent: Latent = 32,
    width: Width = 32,
    depth: Depth = 1,
    hidden: Annotated[str, typer.Option(help="dense: units of its layers from the image to the code")] = "500,500",
    activation: Annotated[str, typer.Option(help="dense: relu, silu, softplus or tanh")] = "silu",
    likelihood: Named = "bernoulli",
    beta: Annotated[float, typer.Option(min=0, help="weight of the KL; 1 is the evidence lower bound")] = 1.0,
    free_bits: Annotated[float, typer.Option(min=0, help="nats of KL that each unit has without a cost")] = 0.0,
    warmup: Annotated[int, typer.Option(min=0, help="steps over which beta grows from 0")] = 0,
    average: shared.Average = 0.999,
    flip: shared.Flip = False,
) -> None:
    """Train a variational autoencoder by the evidence lower bound."""
    output, units = likelihood_of(likelihood), shared.numbers(hidden, "hidden")
    own: dict[str, dict[str, Any]] = {
        "conv": {"width": width, "depth": depth},
        "dense": {"hidden": units, "activation": activation},
    }
    config = options.record(
        "vae", arch=arch, latent=latent, **shared.choice(own, arch, "arch"), likelihood=likelihood, beta=beta,
        free_bits=free_bits, warmup=warmup, average=average, flip=flip,
    )  # fmt: skip
    images = options.images(config)

    def made() -> models.VAE | models.DenseVAE:
        if arch == "dense":
            return models.DenseVAE(images.image_shape, latent, units, activation, output)
        return models.VAE(images.image_shape, latent, width, depth, output)

    trainer = training.vae_trainer(
        models.build(made, options.seed).to(options.place),
        learning_rate=options.falling,
        beta=beta,
        free_bits=free_bits,
        warmup=warmup,
        binarise=isinstance(output, Bernoulli),
        average=average,
    )
    options.train(trainer, images, config)
