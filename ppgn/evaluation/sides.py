"""The images that are compared, as the judge sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ppgn import images, records
from ppgn.data import to_float
from ppgn.evaluation.drawing import Real, Rows
from ppgn.evaluation.judging import Judge, in_parts

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Side:
    """Images of one kind as the judge sees them: images uint8 (n, C, H, W), labels (n,), features (n, d), classes
    (n,) that the judge and the guide give."""

    images: Tensor
    labels: Tensor
    features: Tensor
    judged: Tensor
    guided: Tensor | None


@dataclass(frozen=True)
class Task:
    """What is compared, samples and floor each against reference (n, d), the features of training images, and how."""

    samples: Side
    floor: Side
    reference: Tensor
    labelled: bool
    k: int
    level: float
    seed: int


def seen(
    samples: Tensor, labels: Tensor | None, real: Real, rows: Rows, judge: Judge, guide: Network | None,
    numbers: tuple[int, float, int],
) -> tuple[Task, Tensor]:  # fmt: skip
    """All that is compared, and the features of all training images."""
    place = records.of_device(judge)[0]

    def through(network: Network, pictures: Tensor) -> Tensor:
        return in_parts(lambda part: network(to_float(part.to(place))).cpu(), pictures)

    def side(pictures: Tensor, classes: Tensor) -> Side:
        logits = through(judge, pictures)
        if labels is not None and int(classes.max()) >= logits.shape[1]:
            raise ValueError(f"labels must be classes of the judge, below {logits.shape[1]}, got {int(classes.max())}")
        guided = None if guide is None else through(guide, pictures).argmax(1)
        return Side(pictures, classes, through(judge.features, pictures), logits.argmax(1), guided)

    pictures = samples if samples.dtype == torch.uint8 else images.to_uint8(samples)
    known = torch.zeros(len(samples), dtype=torch.int64) if labels is None else labels.cpu()
    own = side(pictures[rows.samples].cpu(), known[rows.samples])
    classes = torch.zeros_like(own.labels) if labels is None else real.test.labels[rows.test]
    floor, train = side(real.test.images[rows.test], classes), through(judge.features, real.train.images)
    return Task(own, floor, train[rows.train], labels is not None, *numbers), train
