"""`ppgn train classifier`: what a condition is of, an encoder, or a judge."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ppgn import models, training
from ppgn.cli import training as shared
from ppgn.cli.options import device_of
from ppgn.data import ImageSet, batches

CLASSIFIERS = {"conv": models.ConvClassifier, "residual": models.ResidualClassifier}


def classifier_command(
    data: shared.Data,
    out: shared.Out,
    arch: Annotated[str, typer.Option(help="conv (can serve as encoder) or residual")] = "conv",
    width: Annotated[int, typer.Option(min=1, help="channels of its first layer")] = 16,
    code: Annotated[int, typer.Option(min=1, help="conv: units of h")] = 128,
    part: shared.Part = ":",
    size: shared.Size = None,
    steps: shared.Steps = 2000,
    batch_size: shared.BatchSize = 128,
    seed: shared.Seed = 0,
    learning_rate: shared.LearningRate = 2e-3,
    shift: Annotated[int, typer.Option(min=0, help="move images by up to so many pixels")] = 2,
    flip: shared.Flip = False,
    precision: shared.Precision = "float32",
    resume: shared.Resume = False,
    checkpoint_every: shared.CheckpointEvery = 500,
    tensorboard: shared.TensorBoard = False,
    device: shared.Device = None,
    progress: shared.Progress = True,
) -> None:
    """Train a classifier of images."""
    config = {
        "family": "classifier", "data": data, "part": part, "size": size, "arch": arch, "width": width, "code": code,
        "steps": steps, "batch_size": batch_size, "seed": seed, "learning_rate": learning_rate, "shift": shift,
        "flip": flip, "precision": shared.check_precision(precision),
    }  # fmt: skip
    if arch not in CLASSIFIERS:
        raise ValueError(f"arch must be one of {', '.join(CLASSIFIERS)}, got {arch!r}")
    where = device_of(device)
    images = shared.images_of(data, part, where, config, size)
    network = models.build(lambda: _classifier(images, config), seed).to(where)
    trainer = training.classifier_trainer(network, learning_rate=shared.falling(learning_rate, steps), shift=shift)
    how = shared.Run(out, resume, where, checkpoint_every, tensorboard, progress)
    shared.run(trainer, lambda start: batches(images, batch_size, seed, start, flip), config, how)


def _classifier(images: ImageSet, config: dict[str, Any]) -> models.ConvClassifier | models.ResidualClassifier:
    classes = int(images.labels.max()) + 1
    if config["arch"] == "conv":
        return models.ConvClassifier(images.image_shape, classes, config["width"], config["code"])
    return models.ResidualClassifier(images.image_shape, classes, config["width"])
