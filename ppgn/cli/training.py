"""What the `ppgn train` commands share, told once: their options, their images, and the run itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
import typer

from ppgn import models, training
from ppgn.checks import require_shape
from ppgn.cli import commands
from ppgn.data import Batch, ImageSet, batches, load

B = TypeVar("B")

SOURCES = "an .npz with x_train, y_train, ...; a folder or .zip of pictures; or torchvision:NAME"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Average = Annotated[float, typer.Option(min=0, max=1, help="decay a step of the averaged weights, the result")]
Flip = Annotated[bool, typer.Option("--flip", help="mirror every second image, by chance")]
Widths = Annotated[str | None, typer.Option(help="channels of its levels, as 96,48,24")]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every command takes; those from `resume` on do not change what is learned."""

    data: Annotated[list[str], typer.Option(help=f"{SOURCES}; may be repeated")]
    out: Annotated[Path, typer.Option(help="new folder for the run: checkpoint and model.safetensors")]
    part: Annotated[str, typer.Option(help="train on the images start:stop only, as 0:30000")] = ":"
    strict: Annotated[bool, typer.Option("--strict", help="a picture that cannot be read is an error")] = False
    size: Annotated[int | None, typer.Option(min=1, help="bring pictures of a folder or .zip to this side")] = None
    steps: Annotated[int, typer.Option(min=1, help="steps in all, resumed ones included")]
    batch_size: Annotated[int, typer.Option(min=1, help="images a step")]
    seed: Annotated[int, typer.Option(help="of the first weights, the order of images and all noise")] = 0
    learning_rate: Annotated[float, typer.Option(help="falls as a half cosine to a hundredth")]
    clip: Annotated[float | None, typer.Option(help="greatest norm of a gradient; default: the family's own")] = None
    precision: Annotated[str, typer.Option(help="float32, or bfloat16: faster on GPUs and CPUs with AMX")] = "float32"
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint in --out, if there is one")] = (
        False
    )
    checkpoint_every: Annotated[int, typer.Option(min=1, help="steps between checkpoints")] = 500
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="write scalars to OUT/tensorboard")] = False
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: what accelerate finds")] = None
    progress: Annotated[bool, typer.Option(help="a bar, on a terminal")] = True

    def record(self, family: str, **own: Any) -> dict[str, Any]:
        """The arguments that make a run what it is. Raises ValueError for a precision or clip there is not."""
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be positive, got {self.clip}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        return {
            "family": family, "data": self.data if len(self.data) > 1 else self.data[0], "part": self.part,
            "size": self.size, "steps": self.steps, "batch_size": self.batch_size, "seed": self.seed,
            "learning_rate": self.learning_rate, "clip": self.clip, "precision": self.precision, **own,
        }  # fmt: skip

    @cached_property
    def place(self) -> torch.device:
        """The device asked for, or found; of this process, if a launcher started several."""
        return training.join(self.device)

    def falling(self, step: int) -> float:
        """The learning rate of a step."""
        warmup = min(200, self.steps // 10)
        return training.cosine(self.learning_rate, self.learning_rate / 100, self.steps, warmup)(step)

    def sets(self, config: dict[str, Any]) -> list[ImageSet]:
        """The image sets, their hashes noted in `config`: a run is resumed with the same ones."""
        found = [load(source, size=self.size, strict=self.strict).part(self.part) for source in self.data]
        config["images_sha256"] = "".join(hashlib.sha256(s.images.numpy().tobytes()).hexdigest() for s in found)
        return [resident(images, self.place) for images in found]

    def images(self, config: dict[str, Any]) -> ImageSet:
        """All sets as one. Raises ValueError if their images are shaped differently."""
        return joined(self.sets(config))

    def train(self, trainer: training.Trainer[Batch], images: ImageSet, config: dict[str, Any]) -> None:
        """Train on batches of images, mirrored if config["flip"]."""
        flip = config.get("flip", False)
        self.train_on(
            trainer,
            lambda start: batches(images, self.batch_size, self.seed, start, flip, self.place),
            config,
            len(images),
        )

    def train_on(
        self, trainer: training.Trainer[B], stream: Callable[[int], Iterator[B]], config: dict[str, Any], n: int
    ) -> None:
        """Train to the last step and say where the network is.

        stream: step -> the batches from that step on; n: of how many images or codes an epoch is made.
        """
        last = training.run(
            trainer,
            stream,
            steps=self.steps,
            seed=self.seed,
            out=self.out,
            config=config,
            resume=self.resume,
            device=self.place,
            precision=PRECISIONS[self.precision],
            checkpoint_every=self.checkpoint_every,
            tensorboard=self.tensorboard,
            progress=self.progress,
            clip=self.clip,
            steps_per_epoch=max(1, n // self.batch_size),
            batch_size=self.batch_size,
        )
        if not training.is_main():
            return
        figures = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
        ended = f", the last with {figures}" if last else " had been made before"
        typer.echo(f"{self.steps} steps{ended}; the network is in {self.out / 'model.safetensors'}")


def command(**defaults: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function of `Options`, the first argument, and of options of its own.

    defaults: of the common options that every family has its own for: steps, batch_size, learning_rate, ...
    """
    return commands.command(Options, first=2, **defaults)


def choice(table: dict[str, B], text: str, name: str) -> B:
    """The entry asked for. Raises ValueError naming those there are.

    >>> choice({"a": 1, "b": 2}, "b", "arch")
    2
    """
    if text not in table:
        raise ValueError(f"{name} must be one of {', '.join(table)}, got {text!r}")
    return table[text]


def numbers(text: str, name: str) -> list[int]:
    """Whole positive numbers written `96,48,24`. Raises ValueError for anything else."""
    parts = text.split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"{name} must be whole numbers with commas between, as 96,48,24, got {text!r}")
    return [int(part) for part in parts]


def resident(images: ImageSet, place: torch.device) -> ImageSet:
    """The set on the device if it fits, else where it is: its batches are brought over one by one."""
    try:
        return images.to(place)
    except torch.OutOfMemoryError:
        return images


def joined(sets: Sequence[ImageSet]) -> ImageSet:
    """All sets as one. Raises ValueError if their images are shaped differently."""
    shapes = {images.image_shape for images in sets}
    if len(shapes) > 1:
        raise ValueError(f"images of all sets must have one shape, got {sorted(shapes)}; --size brings pictures to one")
    return (
        sets[0]
        if len(sets) == 1
        else ImageSet(torch.cat([s.images for s in sets]), torch.cat([s.labels for s in sets]))
    )


def check_images(images: ImageSet, encoder: models.ConvClassifier, path: Path) -> None:
    """Raise ValueError for images of another shape than the encoder's."""
    needed = tuple(encoder.config["image_shape"])
    require_shape("images", images.image_shape, needed, f"the encoder {path} was made for those")
