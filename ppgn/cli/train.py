"""`ppgn train classifier | joint | dae`: the commands that made the bundles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
import typer
from torch import Tensor

from ppgn import files, models, training
from ppgn.checks import require_shape
from ppgn.cli.options import device_of
from ppgn.data import ImageSet, batches, index_batches, load, to_float

B = TypeVar("B")
app = typer.Typer(help="Train a network that a pipeline is made of.", no_args_is_help=True)

Data = Annotated[str, typer.Option(help="an .npz with x_train, y_train, ...; or torchvision:NAME")]
Out = Annotated[Path, typer.Option(help="new folder for the run: checkpoint and model.safetensors")]
Part = Annotated[str, typer.Option(help="train on the images start:stop only, as 0:30000")]
Steps = Annotated[int, typer.Option(min=1, help="steps in all, resumed ones included")]
BatchSize = Annotated[int, typer.Option(min=1, help="images a step")]
Seed = Annotated[int, typer.Option(help="of the first weights, the order of images and all noise")]
LearningRate = Annotated[float, typer.Option(help="falls as a half cosine to a hundredth")]
Encoder = Annotated[Path, typer.Option(help="model.safetensors of a `train classifier --arch conv` run")]
Resume = Annotated[bool, typer.Option("--resume", help="go on from the checkpoint in --out, if there is one")]
CheckpointEvery = Annotated[int, typer.Option(min=1, help="steps between checkpoints")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="write scalars to OUT/tensorboard")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: what accelerate finds")]
Progress = Annotated[bool, typer.Option(help="a bar, on a terminal")]
WeightImage = Annotated[float, typer.Option(help="of the mean squared error of the image")]
WeightH1 = Annotated[float, typer.Option(help="of the error of h1, in units of its variance")]
WeightH = Annotated[float, typer.Option(help="of the error of h, in units of its variance")]
WeightGan = Annotated[float, typer.Option(help="of the adversarial loss")]

CLASSIFIERS = {"conv": models.ConvClassifier, "residual": models.ResidualClassifier}


@app.command()
def classifier(
    data: Data,
    out: Out,
    arch: Annotated[str, typer.Option(help="conv (can serve as encoder) or residual")] = "conv",
    part: Part = ":",
    steps: Steps = 2000,
    batch_size: BatchSize = 128,
    seed: Seed = 0,
    learning_rate: LearningRate = 2e-3,
    shift: Annotated[int, typer.Option(min=0, help="move images by up to so many pixels")] = 2,
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 500,
    tensorboard: TensorBoard = False,
    device: Device = None,
    progress: Progress = True,
) -> None:
    """Train a classifier of images."""
    config = {
        "family": "classifier",
        "data": data,
        "part": part,
        "arch": arch,
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        "learning_rate": learning_rate,
        "shift": shift,
    }
    if arch not in CLASSIFIERS:
        raise ValueError(f"arch must be one of {', '.join(CLASSIFIERS)}, got {arch!r}")
    where = device_of(device)
    images = _images(data, part, where, config)
    classes = int(images.labels.max()) + 1
    network = models.build(lambda: CLASSIFIERS[arch](images.image_shape, classes), seed).to(where)
    trainer = training.classifier_trainer(network, learning_rate=_falling(learning_rate, steps), shift=shift)
    _run(
        trainer,
        lambda start: batches(images, batch_size, seed, start),
        config,
        Run(out, resume, where, checkpoint_every, tensorboard, progress),
    )


@app.command()
def joint(
    data: Data,
    encoder: Encoder,
    out: Out,
    part: Part = ":",
    steps: Steps = 12000,
    batch_size: BatchSize = 64,
    seed: Seed = 0,
    learning_rate: LearningRate = 5e-4,
    noise: Annotated[float, typer.Option(min=0, help="at x, h1 and h, in their standard deviations")] = 0.3,
    weight_image: WeightImage = 20.0,
    weight_h1: WeightH1 = 1.0,
    weight_h: WeightH = 1.0,
    weight_gan: WeightGan = 0.1,
    balance: Annotated[bool, typer.Option("--balance", help="the authors' rule that pauses D or G")] = False,
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 500,
    tensorboard: TensorBoard = False,
    device: Device = None,
    progress: Progress = True,
) -> None:
    """Train the generator of Joint PPGN-h to invert an encoder's code; noiseless form: --noise 0 --weight-h 0."""
    config = {
        "family": "joint",
        "data": data,
        "part": part,
        "encoder": str(encoder),
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        "learning_rate": learning_rate,
        "noise": noise,
        "balance": balance,
        "weights": [weight_image, weight_h1, weight_h, weight_gan],
    }
    where = device_of(device)
    images = _images(data, part, where, config)
    network = _encoder(encoder, images, config)
    (code,) = network.latent_shape
    generator = models.build(lambda: models.UpconvGenerator(code, images.image_shape), seed)
    discriminator = models.build(lambda: models.ConditionalDiscriminator(code, images.image_shape), seed)
    trainer = training.joint_trainer(
        generator.to(where),
        discriminator.to(where),
        network,
        images=to_float(images.images[:2000]),
        balance=balance,
        noise=training.Noise(noise, noise, noise),
        learning_rate=_falling(learning_rate, steps),
        weights=training.Weights(weight_image, weight_h1, weight_h, weight_gan),
    )
    _run(
        trainer,
        lambda start: batches(images, batch_size, seed, start),
        config,
        Run(out, resume, where, checkpoint_every, tensorboard, progress),
    )


@app.command()
def dae(
    data: Data,
    encoder: Encoder,
    out: Out,
    sigma: Annotated[float | None, typer.Option(help="one level of noise, in units of the code; 0.8")] = None,
    sigma_min: Annotated[float | None, typer.Option(help="with --sigma-max: one network for all between")] = None,
    sigma_max: Annotated[float | None, typer.Option(help="of a ladder of noise, for annealed walks")] = None,
    part: Part = ":",
    steps: Steps = 8000,
    batch_size: BatchSize = 256,
    seed: Seed = 0,
    learning_rate: LearningRate = 1e-3,
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 1000,
    tensorboard: TensorBoard = False,
    device: Device = None,
    progress: Progress = True,
) -> None:
    """Train a denoising autoencoder on an encoder's codes: the prior of PPGN-h, or of an annealed walk."""
    config = {
        "family": "dae",
        "data": data,
        "part": part,
        "encoder": str(encoder),
        **_noise_levels(sigma, sigma_min, sigma_max),
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        "learning_rate": learning_rate,
    }
    where = device_of(device)
    images = _images(data, part, where, config)
    codes = _codes(_encoder(encoder, images, config), images)
    trainer = _denoising(codes, config)
    _run(
        trainer,
        lambda start: _rows(codes, batch_size, seed, start),
        config,
        Run(out, resume, where, checkpoint_every, tensorboard, progress),
    )


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


def _denoising(codes: Tensor, config: dict[str, Any]) -> training.Trainer[Tensor]:
    """The trainer that the configured noise asks for: one level or a ladder."""
    rate, units, seed = _falling(config["learning_rate"], config["steps"]), codes.shape[1], config["seed"]
    if "sigma" in config:
        single = models.build(lambda: models.CodeDenoiser(units), seed).to(codes.device)
        return training.dae_trainer(single, codes=codes, sigma=config["sigma"], learning_rate=rate)
    ladder = models.build(lambda: models.LadderDenoiser(units), seed).to(codes.device)
    levels = {name: config[name] for name in ("sigma_min", "sigma_max")}
    return training.ladder_trainer(ladder, codes=codes, **levels, learning_rate=rate)


@dataclass(frozen=True)
class Run:
    """How a run is run: what does not change what comes out of it."""

    out: Path
    resume: bool
    device: torch.device
    checkpoint_every: int
    tensorboard: bool
    progress: bool


def _run(trainer: training.Trainer[B], stream: Callable[[int], Iterator[B]], config: dict[str, Any], how: Run) -> None:
    last = training.run(
        trainer,
        stream,
        steps=config["steps"],
        seed=config["seed"],
        out=how.out,
        config=config,
        resume=how.resume,
        device=how.device,
        checkpoint_every=how.checkpoint_every,
        tensorboard=how.tensorboard,
        progress=how.progress,
    )
    figures = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    ended = f", the last with {figures}" if last else " had been made before"
    typer.echo(f"{config['steps']} steps{ended}; the network is in {how.out / 'model.safetensors'}")


def _falling(rate: float, steps: int) -> Callable[[int], float]:
    return training.cosine(rate, rate / 100, steps, warmup=min(200, steps // 10))


def _images(data: str, part: str, device: torch.device, config: dict[str, Any]) -> ImageSet:
    """The images, their hash noted in `config`: a run is resumed with the same ones."""
    images = load(data).part(part)
    config["images_sha256"] = hashlib.sha256(images.images.numpy().tobytes()).hexdigest()
    return images.to(device)


def _encoder(path: Path, images: ImageSet, config: dict[str, Any]) -> models.ConvClassifier:
    network = models.load(path)
    if not isinstance(network, models.ConvClassifier):
        raise ValueError(f"encoder must be a ConvClassifier, {path} holds a {type(network).__name__}")
    require_shape(
        "images", images.image_shape, tuple(network.config["image_shape"]), f"the encoder {path} was made for those"
    )
    config["encoder_sha256"] = files.fingerprint(network)
    return network.to(images.images.device)


@torch.no_grad()
def _codes(encoder: models.ConvClassifier, images: ImageSet) -> Tensor:
    return torch.cat([encoder.features(to_float(part)) for part in images.images.split(1000)])


def _rows(codes: Tensor, batch_size: int, seed: int, start: int) -> Iterator[Tensor]:
    for index in index_batches(len(codes), batch_size, seed, start):
        yield codes[index.to(codes.device)]
