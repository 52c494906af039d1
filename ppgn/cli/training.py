"""What the `ppgn train` commands share: their options, their images, and the run itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
import typer

from ppgn import models, training
from ppgn.checks import require_shape
from ppgn.data import ImageSet, load

B = TypeVar("B")

SOURCES = "an .npz with x_train, y_train, ...; a folder or .zip of pictures; or torchvision:NAME"
Data = Annotated[str, typer.Option(help=SOURCES)]
Several = Annotated[list[str], typer.Option(help=f"{SOURCES}; may be repeated")]
Size = Annotated[int | None, typer.Option(min=1, help="bring pictures of a folder or .zip to this side")]
Out = Annotated[Path, typer.Option(help="new folder for the run: checkpoint and model.safetensors")]
Part = Annotated[str, typer.Option(help="train on the images start:stop only, as 0:30000")]
Steps = Annotated[int, typer.Option(min=1, help="steps in all, resumed ones included")]
BatchSize = Annotated[int, typer.Option(min=1, help="images a step")]
Seed = Annotated[int, typer.Option(help="of the first weights, the order of images and all noise")]
LearningRate = Annotated[float, typer.Option(help="falls as a half cosine to a hundredth")]
Resume = Annotated[bool, typer.Option("--resume", help="go on from the checkpoint in --out, if there is one")]
CheckpointEvery = Annotated[int, typer.Option(min=1, help="steps between checkpoints")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="write scalars to OUT/tensorboard")]
Flip = Annotated[bool, typer.Option("--flip", help="mirror every second image, by chance")]
Widths = Annotated[str | None, typer.Option(help="channels of its levels, as 96,48,24")]
Precision = Annotated[str, typer.Option(help="float32, or bfloat16: faster on GPUs and on CPUs with AMX")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: what accelerate finds")]
Progress = Annotated[bool, typer.Option(help="a bar, on a terminal")]

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Run:
    """How a run is run: what does not change what it learns."""

    out: Path
    resume: bool
    device: torch.device
    checkpoint_every: int
    tensorboard: bool
    progress: bool


def run(trainer: training.Trainer[B], stream: Callable[[int], Iterator[B]], config: dict[str, Any], how: Run) -> None:
    """Train to the end of config["steps"] and say where the network is."""
    last = training.run(
        trainer,
        stream,
        steps=config["steps"],
        seed=config["seed"],
        out=how.out,
        config=config,
        resume=how.resume,
        device=how.device,
        precision=PRECISIONS[config["precision"]],
        checkpoint_every=how.checkpoint_every,
        tensorboard=how.tensorboard,
        progress=how.progress,
    )
    figures = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    ended = f", the last with {figures}" if last else " had been made before"
    typer.echo(f"{config['steps']} steps{ended}; the network is in {how.out / 'model.safetensors'}")


def check_precision(precision: str) -> str:
    """The precision, if it is known. Raises ValueError naming those there are."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


def numbers(text: str, name: str) -> list[int]:
    """Whole positive numbers written `96,48,24`. Raises ValueError for anything else."""
    parts = text.split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"{name} must be whole numbers with commas between, as 96,48,24, got {text!r}")
    return [int(part) for part in parts]


def falling(rate: float, steps: int) -> Callable[[int], float]:
    """The learning rate of a step."""
    return training.cosine(rate, rate / 100, steps, warmup=min(200, steps // 10))


def images_of(data: str, part: str, device: torch.device, config: dict[str, Any], size: int | None = None) -> ImageSet:
    """The images, their hash noted in `config`: a run is resumed with the same ones."""
    images = load(data, size=size).part(part)
    digest = hashlib.sha256(images.images.numpy().tobytes()).hexdigest()
    config["images_sha256"] = config.get("images_sha256", "") + digest
    return images.to(device)


def joined(sets: Sequence[ImageSet]) -> ImageSet:
    """All sets as one, by their images alone. Raises ValueError if their images are shaped differently."""
    shapes = {images.image_shape for images in sets}
    if len(shapes) > 1:
        raise ValueError(f"images of all sets must have one shape, got {sorted(shapes)}; --size brings pictures to one")
    return ImageSet(torch.cat([s.images for s in sets]), torch.cat([s.labels for s in sets]))


def check_images(images: ImageSet, encoder: models.ConvClassifier, path: Path) -> None:
    """Raise ValueError for images of another shape than the encoder's."""
    needed = tuple(encoder.config["image_shape"])
    require_shape("images", images.image_shape, needed, f"the encoder {path} was made for those")
