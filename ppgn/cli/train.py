"""`ppgn train classifier | joint | dae`: the commands that made the bundles."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from ppgn import files, models, training
from ppgn.cli.options import device_of
from ppgn.cli.training import (
    SOURCES,
    BatchSize,
    CheckpointEvery,
    Data,
    Device,
    Encoder,
    LearningRate,
    Out,
    Part,
    Precision,
    Progress,
    Resume,
    Run,
    Seed,
    Size,
    Steps,
    TensorBoard,
    check_precision,
    codes_of,
    cut_of,
    encoder_of,
    falling,
    images_of,
    joined,
    measured_on,
    numbers,
    run,
)  # fmt: skip
from ppgn.data import ImageSet, batches, code_batches, to_float

app = typer.Typer(help="Train a network that a pipeline is made of.", no_args_is_help=True)

WeightImage = Annotated[float, typer.Option(help="of the mean squared error of the image")]
WeightH1 = Annotated[float, typer.Option(help="of the error of h1, in units of its variance")]
WeightH = Annotated[float, typer.Option(help="of the error of h, in units of its variance")]
WeightGan = Annotated[float, typer.Option(help="of the adversarial loss")]
Flip = Annotated[bool, typer.Option("--flip", help="mirror every second image, by chance")]
Widths = Annotated[str | None, typer.Option(help="channels of its levels, as 96,48,24")]

CLASSIFIERS = {"conv": models.ConvClassifier, "residual": models.ResidualClassifier}
WIDTHS = {"UpconvGenerator": [48, 32, 16], "ConvLadderDenoiser": [80, 112, 144]}


@app.command()
def classifier(
    data: Data,
    out: Out,
    arch: Annotated[str, typer.Option(help="conv (can serve as encoder) or residual")] = "conv",
    width: Annotated[int, typer.Option(min=1, help="channels of its first layer")] = 16,
    code: Annotated[int, typer.Option(min=1, help="conv: units of h")] = 128,
    part: Part = ":",
    size: Size = None,
    steps: Steps = 2000,
    batch_size: BatchSize = 128,
    seed: Seed = 0,
    learning_rate: LearningRate = 2e-3,
    shift: Annotated[int, typer.Option(min=0, help="move images by up to so many pixels")] = 2,
    flip: Flip = False,
    precision: Precision = "float32",
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 500,
    tensorboard: TensorBoard = False,
    device: Device = None,
    progress: Progress = True,
) -> None:
    """Train a classifier of images."""
    config = {
        "family": "classifier", "data": data, "part": part, "size": size, "arch": arch, "width": width, "code": code,
        "steps": steps, "batch_size": batch_size, "seed": seed, "learning_rate": learning_rate, "shift": shift,
        "flip": flip, "precision": check_precision(precision),
    }  # fmt: skip
    if arch not in CLASSIFIERS:
        raise ValueError(f"arch must be one of {', '.join(CLASSIFIERS)}, got {arch!r}")
    where = device_of(device)
    images = images_of(data, part, where, config, size)
    network = models.build(lambda: _classifier(images, config), seed).to(where)
    trainer = training.classifier_trainer(network, learning_rate=falling(learning_rate, steps), shift=shift)
    how = Run(out, resume, where, checkpoint_every, tensorboard, progress)
    run(trainer, lambda start: batches(images, batch_size, seed, start, flip), config, how)


def _classifier(images: ImageSet, config: dict[str, Any]) -> models.ConvClassifier | models.ResidualClassifier:
    classes = int(images.labels.max()) + 1
    if config["arch"] == "conv":
        return models.ConvClassifier(images.image_shape, classes, config["width"], config["code"])
    return models.ResidualClassifier(images.image_shape, classes, config["width"])


@app.command()
def joint(
    data: Annotated[list[str], typer.Option(help=f"{SOURCES}; may be repeated")],
    encoder: Encoder,
    out: Out,
    architecture: Annotated[
        str | None, typer.Option(help="of an encoder's file from elsewhere, as torchvision/squeezenet1_0")
    ] = None,
    cut: Annotated[
        str, typer.Option(help="with it: layers of its features up to h1, up to h, and h's side as a map")
    ] = "8,13,4",
    part: Part = ":",
    size: Size = None,
    steps: Steps = 12000,
    batch_size: BatchSize = 64,
    seed: Seed = 0,
    learning_rate: LearningRate = 5e-4,
    widths: Widths = None,
    noise: Annotated[float, typer.Option(min=0, help="at x, h1 and h, in their standard deviations")] = 0.3,
    weight_image: WeightImage = 20.0,
    weight_h1: WeightH1 = 1.0,
    weight_h: WeightH = 1.0,
    weight_gan: WeightGan = 0.1,
    balance: Annotated[bool, typer.Option("--balance", help="the authors' rule that pauses D or G")] = False,
    flip: Flip = False,
    precision: Precision = "float32",
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 500,
    tensorboard: TensorBoard = False,
    device: Device = None,
    progress: Progress = True,
) -> None:
    """Train the generator of Joint PPGN-h to invert an encoder's code; noiseless form: --noise 0 --weight-h 0."""
    levels = _widths(widths, "UpconvGenerator")
    config = {
        "family": "joint", "data": data if len(data) > 1 else data[0], "part": part, "size": size,
        "encoder": str(encoder), "steps": steps, "batch_size": batch_size, "seed": seed, "learning_rate": learning_rate, "widths": levels, "noise": noise,
        "balance": balance, "weights": [weight_image, weight_h1, weight_h, weight_gan], "flip": flip,
        "precision": check_precision(precision),
    }  # fmt: skip
    where = device_of(device)
    images = joined([images_of(source, part, where, config, size) for source in data])
    network = (
        encoder_of(encoder, images, config)
        if architecture is None
        else cut_of(encoder, cut, architecture, images, config)
    )
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
        learning_rate=falling(learning_rate, steps),
        weights=training.Weights(weight_image, weight_h1, weight_h, weight_gan),
    )
    how = Run(out, resume, where, checkpoint_every, tensorboard, progress)
    run(trainer, lambda start: batches(images, batch_size, seed, start, flip), config, how)


@app.command()
def dae(
    data: Annotated[list[str], typer.Option(help=f"{SOURCES}; may be repeated: batches come from each in turn")],
    encoder: Annotated[Path, typer.Option(help="model.safetensors of a classifier or autoencoder")],
    out: Out,
    architecture: Annotated[
        str | None, typer.Option(help="of an encoder's file from elsewhere, as TinyAutoencoder")
    ] = None,
    sigma: Annotated[float | None, typer.Option(help="one level of noise, in units of the code; 0.8")] = None,
    sigma_min: Annotated[float | None, typer.Option(help="with --sigma-max: one network for all between")] = None,
    sigma_max: Annotated[float | None, typer.Option(help="of a ladder of noise, for annealed walks")] = None,
    widths: Widths = None,
    crop: Annotated[int, typer.Option(min=0, help="cut larger latent maps to this side; 0: whole")] = 0,
    part: Part = ":",
    size: Size = None,
    steps: Steps = 8000,
    batch_size: BatchSize = 256,
    seed: Seed = 0,
    learning_rate: LearningRate = 1e-3,
    precision: Precision = "float32",
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 1000,
    tensorboard: TensorBoard = False,
    device: Device = None,
    progress: Progress = True,
) -> None:
    """Train a denoising autoencoder on an encoder's codes: the prior of PPGN-h, or of an annealed walk."""
    config = {
        "family": "dae", "data": data if len(data) > 1 else data[0], "part": part, "size": size,
        "encoder": str(encoder), **_noise_levels(sigma, sigma_min, sigma_max), "steps": steps,
        "batch_size": batch_size, "seed": seed, "learning_rate": learning_rate, "crop": crop,
        "precision": check_precision(precision),
    }  # fmt: skip
    where = device_of(device)
    codes = [_codes(source, encoder, architecture, where, config) for source in data]
    trainer = _denoising(codes, widths, config)
    how = Run(out, resume, where, checkpoint_every, tensorboard, progress)
    run(trainer, lambda start: code_batches(codes, batch_size, seed, start, crop), config, how)


def _noise_levels(sigma: float | None, low: float | None, high: float | None) -> dict[str, float]:
    """What a record says of the noise. Raises ValueError for half a ladder, or for a ladder beside a level."""
    if low is None and high is None:
        return {"sigma": 0.8 if sigma is None else sigma}
    if low is None or high is None or sigma is not None:
        raise ValueError(
            "give --sigma for one level of noise, or both --sigma-min and --sigma-max for a ladder, got "
            f"sigma = {sigma}, sigma_min = {low}, sigma_max = {high}"
        )
    return {"sigma_min": low, "sigma_max": high}


def _codes(source: str, path: Path, architecture: str | None, where: Any, config: dict[str, Any]) -> Tensor:
    """The codes of one set of images, by a classifier or an autoencoder."""
    images = images_of(source, config["part"], where, config, config["size"])
    network = models.load(path, architecture=architecture)
    if isinstance(network, models.TinyAutoencoder):
        config["encoder_sha256"] = files.fingerprint(network)
        network = network.to(where, memory_format=torch.channels_last)
        return codes_of(network.encode, images, config["precision"])
    return codes_of(encoder_of(path, images, config).features, images, config["precision"])


def _denoising(codes: list[Tensor], widths: str | None, config: dict[str, Any]) -> training.Trainer[Tensor]:
    """The trainer that codes and noise ask for: one level or a ladder, flat codes or latent maps."""
    rate, seed, device = falling(config["learning_rate"], config["steps"]), config["seed"], codes[0].device
    units, maps = codes[0].shape[1], codes[0].ndim == 4
    if widths is not None and not maps:
        raise ValueError(f"widths belong to the denoiser of latent maps, the codes are {tuple(codes[0].shape[1:])}")
    real = measured_on(codes)
    if "sigma" in config:
        if maps:
            raise ValueError("latent maps need a ladder of noise: give --sigma-min and --sigma-max")
        single = models.build(lambda: models.CodeDenoiser(units), seed).to(device)
        return training.dae_trainer(single, codes=real, sigma=config["sigma"], learning_rate=rate)
    levels = {name: config[name] for name in ("sigma_min", "sigma_max")}
    if not maps:
        flat = models.build(lambda: models.LadderDenoiser(units), seed).to(device)
        return training.ladder_trainer(flat, codes=real, **levels, learning_rate=rate)
    config["widths"] = _widths(widths, "ConvLadderDenoiser")
    network = models.build(lambda: models.ConvLadderDenoiser(units, config["widths"]), seed).to(device)
    return training.ladder_trainer(network, codes=real, **levels, learning_rate=rate)


def _widths(text: str | None, architecture: str) -> list[int]:
    return WIDTHS[architecture] if text is None else numbers(text, "widths")
