"""`ppgn train captioner`: digits in words, for text to image."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

import numpy as np
import torch
import typer

from ppgn import data, models, strokes, training
from ppgn.cli import training as shared
from ppgn.strokes import SENTENCES


@shared.command(steps=3000, batch_size=128, learning_rate=2e-3)
def captioner_command(
    options: shared.Options,
    width: Annotated[int, typer.Option(min=1, help="channels of its first layer")] = 16,
    features: Annotated[int, typer.Option(min=1, help="numbers that an image is made into")] = 64,
    hidden: Annotated[int, typer.Option(min=1, help="size of the recurrence's state")] = 16,
    dropout: Annotated[float, typer.Option(min=0, max=1, help="share of that state hidden at each step")] = 0.5,
    noise: Annotated[float, typer.Option(min=0, help="greatest noise on images")] = 0.1,
    shift: Annotated[int, typer.Option(min=0, help="move images by up to so many pixels")] = 2,
    held_out: Annotated[int, typer.Option(min=0, help="of the 270 sentences, so many are never trained on")] = 100,
    held_out_seed: Annotated[int, typer.Option(help="which they are")] = 0,
) -> None:
    """Train a captioner of handwritten digits: thickness, width and slant are measured, see `ppgn.strokes`.

    A sentence, as "a thick wide seven leaning right", is made of an image's label and measures. The thresholds of the
    words, thirds of the training images, and the sentences held out stand in the file's header.
    """
    config = options.record(
        "captioner",
        width=width,
        features=features,
        hidden=hidden,
        dropout=dropout,
        noise=noise,
        shift=shift,
        held_out_seed=held_out_seed,
    )
    images = options.images(config)
    images.require_labels("a captioner")
    told, limits = captioned(images)
    kept_back = sorted(held_out_sentences(held_out, held_out_seed))
    config |= {"thirds": limits, "held_out": [SENTENCES[i] for i in kept_back]}
    seen = ~torch.isin(told.labels, told.labels.new_tensor(kept_back))
    told = replace(told, images=told.images[seen], labels=told.labels[seen])
    network = models.build(
        lambda: models.Captioner(
            strokes.VOCABULARY, images.image_shape, width, features, hidden=hidden, dropout=dropout
        ),
        options.seed,
    ).to(options.place)
    trainer = training.captioner_trainer(network, SENTENCES, learning_rate=options.falling, noise=noise, shift=shift)
    options.train(trainer, told, config)


def captioned(images: data.ImageSet) -> tuple[data.ImageSet, dict[str, Any]]:
    """The images with the number of their sentence as the label, and the thresholds of the words, as JSON has them."""
    parts = images.images.split(1000)
    found = strokes.Strokes(*map(torch.cat, zip(*(strokes.measure(data.to_float(p)) for p in parts), strict=True)))
    limits = strokes.thirds(found, images.labels)
    labels = strokes.numbers(strokes.levels(found, images.labels, limits), images.labels)
    record = {name: _lists(value) for name, value in asdict(limits).items()}
    return replace(images, labels=labels), record


def held_out_sentences(n: int, seed: int) -> list[int]:
    """n of the sentences, drawn from the seed. Raises ValueError unless every word stands in some of the others."""
    if n > len(SENTENCES) - 1:
        raise ValueError(f"held_out must leave some of the {len(SENTENCES)} sentences, got {n}")
    order: list[int] = np.random.default_rng(seed).permutation(len(SENTENCES)).tolist()
    words = {word for i in order[n:] for word in SENTENCES[i].split()}
    if words != set(strokes.VOCABULARY):
        missing = ", ".join(word for word in strokes.VOCABULARY if word not in words)
        raise ValueError(f"held_out must leave a sentence for every word, got {n}, which leaves none with {missing}")
    return order[:n]


def _lists(value: Any) -> Any:
    return [_lists(one) for one in value] if isinstance(value, tuple) else value
