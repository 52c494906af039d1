"""`ppgn train pixelcnn | pixelrnn`: networks that know log p(x), pixel after pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ppgn import models, training
from ppgn.cli import training as shared
from ppgn.cli.likelihoods import Named, likelihood_of
from ppgn.data import ImageSet
from ppgn.models.autoregressive_generator import AutoregressiveNetwork
from ppgn.models.likelihoods import Bernoulli

RECURRENT: dict[str, type[models.RowLSTM | models.DiagonalBiLSTM]] = {
    "row": models.RowLSTM,
    "diagonal": models.DiagonalBiLSTM,
}

CLIP = 1.0  # nats a sub-pixel: far above what learning shows, so only a blow-up is shortened

Layers = Annotated[int, typer.Option(min=1, help="of the network between its first and its last")]
Conditional = Annotated[bool, typer.Option("--conditional", help="learn p(x | label)")]


@shared.command(steps=5000, batch_size=32, learning_rate=2e-3)
def pixelcnn_command(
    options: shared.Options,
    arch: Annotated[str, typer.Option(help="gated (two stacks, drawn from fast) or plain")] = "gated",
    width: Annotated[int, typer.Option(min=1, help="channels of each stack")] = 32,
    layers: Layers = 8,
    kernel: Annotated[int, typer.Option(min=1, help="odd side of what a layer sees")] = 5,
    dropout: Annotated[float, typer.Option(min=0, max=1, help="gated: of its units")] = 0.0,
    likelihood: Named = "bernoulli",
    conditional: Conditional = False,
    average: shared.Average = 0.999,
    flip: shared.Flip = False,
) -> None:
    """Train a PixelCNN: exact log p(x) by masked convolutions."""
    if arch not in ("gated", "plain"):
        raise ValueError(f"arch must be one of gated, plain, got {arch!r}")
    output = likelihood_of(likelihood)
    config = options.record(
        "pixelcnn", arch=arch, width=width, layers=layers, kernel=kernel, dropout=dropout, likelihood=likelihood,
        conditional=conditional, average=average, flip=flip,
    )  # fmt: skip
    if arch == "plain" and (conditional or dropout):
        raise ValueError("conditional and dropout are of the gated network: leave out --arch plain")

    def made(images: ImageSet, classes: int | None) -> AutoregressiveNetwork:
        if arch == "plain":
            return models.PixelCNN(images.image_shape, output, width, layers, kernel)
        return models.GatedPixelCNN(images.image_shape, output, width, layers, kernel, classes, dropout)

    _train(options, made, config)


@shared.command(steps=20000, batch_size=16, learning_rate=2e-3)
def pixelrnn_command(
    options: shared.Options,
    arch: Annotated[str, typer.Option(help="row (Row LSTM) or diagonal (Diagonal BiLSTM)")] = "diagonal",
    width: Annotated[int, typer.Option(min=1, help="channels of a state")] = 16,
    layers: Layers = 3,
    likelihood: Named = "bernoulli",
    conditional: Conditional = False,
    average: shared.Average = 0.999,
    flip: shared.Flip = False,
) -> None:
    """Train a PixelRNN: exact log p(x) by LSTMs over rows or diagonals."""
    kind, output = shared.choice(RECURRENT, arch, "arch"), likelihood_of(likelihood)
    config = options.record(
        "pixelrnn", arch=arch, width=width, layers=layers, likelihood=likelihood, conditional=conditional,
        average=average, flip=flip,
    )  # fmt: skip
    _train(options, lambda images, classes: kind(images.image_shape, output, width, layers, classes), config)


def _train(
    options: shared.Options, made: Callable[[ImageSet, int | None], AutoregressiveNetwork], config: dict[str, Any]
) -> None:
    images = options.images(config)
    if config["conditional"]:
        images.require_labels("a conditional model")
    classes = int(images.labels.max()) + 1 if config["conditional"] else None
    network = models.build(lambda: made(images, classes), options.seed).to(options.place)
    binarise = isinstance(network.likelihood, Bernoulli)
    trainer = training.autoregressive_trainer(
        network, learning_rate=options.falling, average=config["average"], binarise=binarise, clip=CLIP
    )
    options.train(trainer, images, config)
