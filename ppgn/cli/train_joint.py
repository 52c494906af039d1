"""`ppgn train joint`: a generator that inverts an encoder's code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ppgn import files, models, pretrained, training
from ppgn.cli import training as shared
from ppgn.data import ImageSet, to_float

WIDTHS = [48, 32, 16]  # of the generator

WeightImage = Annotated[float, typer.Option(help="of the mean squared error of the image")]
WeightH1 = Annotated[float, typer.Option(help="of the error of h1, in units of its variance")]
WeightH = Annotated[float, typer.Option(help="of the error of h, in units of its variance")]
WeightGan = Annotated[float, typer.Option(help="of the adversarial loss")]


@shared.command(steps=12000, batch_size=64, learning_rate=5e-4)
def joint_command(
    options: shared.Options,
    encoder: Annotated[Path, typer.Option(help="model.safetensors of a `train classifier --arch conv` run")],
    architecture: Annotated[
        str | None, typer.Option(help="of an encoder's file from elsewhere, as torchvision/squeezenet1_0")
    ] = None,
    cut: Annotated[
        str, typer.Option(help="with it: layers of its features up to h1, up to h, and h's side as a map")
    ] = "8,13,4",
    widths: shared.Widths = None,
    noise: Annotated[float, typer.Option(min=0, help="at x, h1 and h, in their standard deviations")] = 0.3,
    weight_image: WeightImage = 20.0,
    weight_h1: WeightH1 = 1.0,
    weight_h: WeightH = 1.0,
    weight_gan: WeightGan = 0.1,
    balance: Annotated[bool, typer.Option("--balance", help="the authors' rule that pauses D or G")] = False,
    flip: shared.Flip = False,
) -> None:
    """Train the generator of Joint PPGN-h to invert an encoder's code; noiseless form: --noise 0 --weight-h 0."""
    levels = WIDTHS if widths is None else shared.numbers(widths, "widths")
    weights = [weight_image, weight_h1, weight_h, weight_gan]
    config = options.record(
        "joint", encoder=str(encoder), widths=levels, noise=noise, balance=balance, weights=weights, flip=flip
    )
    images = options.images(config)
    network = _encoder(encoder, cut, architecture, images, config, options)
    shape = tuple(network.features(to_float(images.images[:1].to(options.place))).shape[1:])
    code = shape[0] if len(shape) == 1 else shape
    generator = models.build(lambda: models.UpconvGenerator(code, images.image_shape, levels), options.seed)
    discriminator = models.build(
        lambda: models.ConditionalDiscriminator(math.prod(shape), images.image_shape), options.seed
    )
    trainer = training.joint_trainer(
        generator.to(options.place),
        discriminator.to(options.place),
        network,
        images=to_float(images.images[:2000].to(options.place)),
        balance=balance,
        noise=training.Noise(noise, noise, noise),
        learning_rate=options.falling,
        weights=training.Weights(*weights),
    )
    options.train(trainer, images, config)


def _encoder(
    path: Path,
    cut: str,
    architecture: str | None,
    images: ImageSet,
    config: dict[str, Any],
    options: shared.Options,
) -> models.ConvClassifier | pretrained.TrunkEncoder:
    """The encoder to invert: one of ours, or cut out of a classifier of torchvision's or timm's, weights in a file."""
    if architecture is None:
        network = models.load(path)
        if not isinstance(network, models.ConvClassifier):
            raise ValueError(f"encoder must be a ConvClassifier, {path} holds a {type(network).__name__}")
        shared.check_images(images, network, path)
        config["encoder_sha256"] = files.fingerprint(network)
        return network.to(options.place)
    layers = shared.numbers(cut, "cut")
    if len(layers) != 3:
        raise ValueError(f"cut must be three numbers: layers up to h1, layers up to h, side of its map; got {cut!r}")
    h1, h, pool = layers
    source = pretrained.classifier(architecture, weights=path)
    config["encoder_sha256"], config["cut"] = files.fingerprint(source), cut
    config["architecture"] = architecture
    return pretrained.encoder(source, h1=h1, h=h, pool=pool).to(options.place)
