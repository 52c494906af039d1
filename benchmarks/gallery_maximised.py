"""Activation maximisation: what a classifier of ImageNet looks for, by the bundled generator and SqueezeNet."""

from __future__ import annotations

import thirdparty
import torch
from pictures import Drawn, Picture, beside

import ppgn
from ppgn import pretrained
from ppgn.conditions import class_label, views

SEED, STEPS = 0, 60
CLASSES = (
    "goldfish", "junco", "tabby", "jellyfish", "strawberry", "pizza", "volcano", "daisy", "fire engine", "school bus",
)  # fmt: skip
VIEWS = {"shift": 12, "n": 1, "scale": (0.85, 1.2)}


def units(names: tuple[str, ...] = CLASSES, each: int = 4, steps: int = STEPS) -> Drawn:
    """`each` pictures of every class, from codes drawn about the mean of real ones."""
    guide = thirdparty.squeezenet(fit="whole")
    labels = [name for name in names for _ in range(each)]
    pipeline = pretrained.squeezenet_inverter(batch_size=10)
    asked = views(class_label(guide, labels, objective="logit"), **VIEWS)
    images = ppgn.sample(pipeline.given(asked), len(labels), steps, SEED, frames=0).images
    with torch.no_grad():
        found = torch.cat([guide(part) for part in images.split(20)])
    numbers = class_label(guide, labels).label
    chance = found.softmax(1).gather(1, numbers[:, None]).mean()
    first = (found.argmax(1) == numbers).float().mean()
    told = (
        f"{steps} steps, {len(labels)} chains, seed {SEED}, none left out; p(class) on average {float(chance):.2f}, "
        f"the class is the likeliest of 1,000 in {float(first):.0%}."
    )
    half = len(names) // 2 * each
    parts = [ppgn.images.grid(images[rows], labels[rows], columns=each) for rows in (slice(half), slice(half, None))]
    return Drawn(beside([("", part) for part in parts]), told)


PICTURES = {
    "maximised-classes": Picture(
        units, "What SqueezeNet looks for: its raw logits climbed (DGN-AM) in codes of a generator that inverts its "
        "features, trained here in 55 minutes of one core.",
    ),
}  # fmt: skip
