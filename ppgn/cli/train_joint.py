"""`ppgn train joint`: a generator that inverts an encoder's code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ppgn import files, models, pretrained, training
from ppgn.cli import training as shared
from ppgn.cli.options import device_of
from ppgn.data import ImageSet, batches, to_float

WIDTHS = [48, 32, 16]  # of the generator

WeightImage = Annotated[float, typer.Option(help="of the mean squared error of the image")]
WeightH1 = Annotated[float, typer.Option(help="of the error of h1, in units of its variance")]
WeightH = Annotated[float, typer.Option(help="of the error of h, in units of its variance")]
WeightGan = Annotated[float, typer.Option(help="of the adversarial loss")]


def joint_command(
    data: shared.Several,
    encoder: Annotated[Path, typer.Option(help="model.safetensors of a `train classifier --arch conv` run")],
    out: shared.Out,
    architecture: Annotated[
        str | None, typer.Option(help="of an encoder's file from elsewhere, as torchvision/squeezenet1_0")
    ] = None,
    cut: Annotated[
        str, typer.Option(help="with it: layers of its features up to h1, up to h, and h's side as a map")
    ] = "8,13,4",
    part: shared.Part = ":",
    size: shared.Size = None,
    steps: shared.Steps = 12000,
    batch_size: shared.BatchSize = 64,
    seed: shared.Seed = 0,
    learning_rate: shared.LearningRate = 5e-4,
    widths: shared.Widths = None,
    noise: Annotated[float, typer.Option(min=0, help="at x, h1 and h, in their standard deviations")] = 0.3,
    weight_image: WeightImage = 20.0,
    weight_h1: WeightH1 = 1.0,
    weight_h: WeightH = 1.0,
    weight_gan: WeightGan = 0.1,
    balance: Annotated[bool, typer.Option("--balance", help="the authors' rule that pauses D or G")] = False,
    flip: shared.Flip = False,
    precision: shared.Precision = "float32",
    resume: shared.Resume = False,
    checkpoint_every: shared.CheckpointEvery = 500,
    tensorboard: shared.TensorBoard = False,
    device: shared.Device = None,
    progress: shared.Progress = True,
) -> None:
    """Train the generator of Joint PPGN-h to invert an encoder's code; noiseless form: --noise 0 --weight-h 0."""
    levels = WIDTHS if widths is None else shared.numbers(widths, "widths")
    config = {
        "family": "joint", "data": data if len(data) > 1 else data[0], "part": part, "size": size,
        "encoder": str(encoder), "steps": steps, "batch_size": batch_size, "seed": seed,
        "learning_rate": learning_rate, "widths": levels, "noise": noise, "balance": balance,
        "weights": [weight_image, weight_h1, weight_h, weight_gan], "flip": flip,
        "precision": shared.check_precision(precision),
    }  # fmt: skip
    where = device_of(device)
    images = shared.joined([shared.images_of(source, part, where, config, size) for source in data])
    network = _encoder(encoder, cut, architecture, images, config)
    shape = tuple(network.features(to_float(images.images[:1])).shape[1:])
    code = shape[0] if len(shape) == 1 else shape
    generator = models.build(lambda: models.UpconvGenerator(code, images.image_shape, levels), seed)
    discriminator = models.build(lambda: models.ConditionalDiscriminator(math.prod(shape), images.image_shape), seed)
    trainer = training.joint_trainer(
        generator.to(where),
        discriminator.to(where),
        network,
        images=to_float(images.images[:2000]),
        balance=balance,
        noise=training.Noise(noise, noise, noise),
        learning_rate=shared.falling(learning_rate, steps),
        weights=training.Weights(weight_image, weight_h1, weight_h, weight_gan),
    )
    how = shared.Run(out, resume, where, checkpoint_every, tensorboard, progress)
    shared.run(trainer, lambda start: batches(images, batch_size, seed, start, flip), config, how)


def _encoder(
    path: Path, cut: str, architecture: str | None, images: ImageSet, config: dict[str, Any]
) -> models.ConvClassifier | pretrained.TrunkEncoder:
    """The encoder to invert: one of ours, or cut out of a classifier of torchvision's or timm's, weights in a file."""
    if architecture is None:
        network = models.load(path)
        if not isinstance(network, models.ConvClassifier):
            raise ValueError(f"encoder must be a ConvClassifier, {path} holds a {type(network).__name__}")
        shared.check_images(images, network, path)
        config["encoder_sha256"] = files.fingerprint(network)
        return network.to(images.images.device)
    layers = shared.numbers(cut, "cut")
    if len(layers) != 3:
        raise ValueError(f"cut must be three numbers: layers up to h1, layers up to h, side of its map; got {cut!r}")
    h1, h, pool = layers
    source = pretrained.classifier(architecture, weights=path)
    config["encoder_sha256"], config["cut"] = files.fingerprint(source), cut
    config["architecture"] = architecture
    return pretrained.encoder(source, h1=h1, h=h, pool=pool).to(images.images.device)
