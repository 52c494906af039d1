"""`ppgn train classifier`: what a condition is of, an encoder, or a judge."""

from __future__ import annotations

from typing import Annotated

import typer

from ppgn import models, training
from ppgn.cli import training as shared

CLASSIFIERS = {"conv": models.ConvClassifier, "residual": models.ResidualClassifier}


@shared.command(steps=2000, batch_size=128, learning_rate=2e-3)
def classifier_command(
    options: shared.Options,
    arch: Annotated[str, typer.Option(help="conv (can serve as encoder) or residual")] = "conv",
    width: Annotated[int, typer.Option(min=1, help="channels of its first layer")] = 16,
    code: Annotated[int, typer.Option(min=1, help="conv: units of h")] = 128,
    shift: Annotated[int, typer.Option(min=0, help="move images by up to so many pixels")] = 2,
    flip: shared.Flip = False,
) -> None:
    """Train a classifier of images."""
    config = options.record("classifier", arch=arch, width=width, code=code, shift=shift, flip=flip)
    kind = shared.choice(CLASSIFIERS, arch, "arch")
    images = options.images(config)
    images.require_labels("a classifier")
    classes = int(images.labels.max()) + 1
    sizes = (width, code) if arch == "conv" else (width,)
    network = models.build(lambda: kind(images.image_shape, classes, *sizes), options.seed).to(options.place)
    trainer = training.classifier_trainer(network, learning_rate=options.falling, shift=shift)
    options.train(trainer, images, config)
