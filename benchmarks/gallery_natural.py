"""Pictures of natural images, by networks nobody here trained but for the prior: TAEF2, SqueezeNet, sample photographs.

The photographs are scikit-learn's own (`load_sample_images`, CC BY: china.jpg by Nick Hobgood, flower.jpg by Tambako).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import thirdparty
import torch
from pictures import Drawn, Picture, beside
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

import ppgn
from ppgn import pretrained
from ppgn.conditions import class_label, inpaint, region, views

SEED = 0
WALK = {"china.jpg": ("volcano", "lakeside"), "flower.jpg": ("daisy", "jellyfish")}
WALKED, SIDE = 60, 192  # steps towards a class, pixels of photographs
NEW = ("junco", "goldfish", "tabby", "daisy", "volcano", "jellyfish")
EACH, NEW_SIDE, DRAWN = 3, 128, 110  # new pictures of a class, pixels, steps of the prior's own walk
HOLE, HOLE_SIDE = 80, 192
FILLS = {"china.jpg": ("stupa", "volcano", "castle"), "flower.jpg": ("daisy", "goldfish", "bee")}
HALVES = {"china.jpg": ("volcano", "lakeside"), "flower.jpg": ("goldfish", "strawberry")}  # left, right
LOOSE = (
    3.0  # standard deviation of known pixels, in [0, 1]: so much weight has the paper's fourth epsilon beside a logit
)
VIEWS = {"shift": 12, "n": 1, "scale": (0.8, 1.2)}


@cache
def photograph(name: str, side: int) -> Tensor:
    """A sample photograph (1, 3, side, side), its middle square."""
    picture = Image.fromarray(load_sample_image(name))
    least = min(picture.size)
    left, top = ((whole - least) // 2 for whole in picture.size)
    square = picture.crop((left, top, left + least, top + least)).resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).movedim(2, 0)[None] / 255


def walked(codes: Tensor, labels: Sequence[str], side: int) -> tuple[Tensor, Tensor]:
    """(images at the end, p(class) (2, N) before and after), from codes (N, 32, side/8, side/8).

    The joint prior E(G(z)) - z, and SqueezeNet's raw logit of the class, seen a little shifted and zoomed at each step.
    """
    coder, squeezenet = thirdparty.taef2(), thirdparty.squeezenet(fit="whole")
    guide = class_label(squeezenet, list(labels))
    seen = views(class_label(squeezenet, list(labels), objective="logit"), **VIEWS)
    pipeline = pretrained.natural(coder, side, variant="joint", batch_size=4).given(seen)
    images = ppgn.sample(pipeline, len(labels), WALKED, SEED, start=codes, frames=0).images
    with torch.no_grad():
        before = coder(codes)
        return images, torch.stack([guide.log_prob(at).exp() for at in (before, images)])


def told(chances: Tensor) -> str:
    before, after = chances.mean(1)
    return f"p(class) on average {before:.3f} before, {after:.3f} after {WALKED} steps; no chain left out."


def walks() -> Drawn:
    """From a photograph's own code towards a class."""
    names = [(file, label) for file, labels in WALK.items() for label in labels]
    begin = torch.cat([photograph(file, SIDE) for file, _ in names])
    images, chances = walked(thirdparty.taef2().encode(begin), [label for _, label in names], SIDE)
    parts = []
    for i, (file, label) in enumerate(names):
        if label == WALK[file][0]:
            parts.append((file, ppgn.images.grid(begin[i : i + 1])))
        parts.append((f"towards {label}", ppgn.images.grid(images[i : i + 1])))
    return Drawn(beside(parts, gap=2), told(chances))


def fresh() -> Drawn:
    """Draws of the prior, walked towards ImageNet classes."""
    labels = [label for label in NEW for _ in range(EACH)]
    prior = pretrained.natural(thirdparty.taef2(), NEW_SIDE, batch_size=6)
    begin = ppgn.sample(prior, len(labels), DRAWN, SEED, frames=0)
    images, chances = walked(begin.codes, labels, NEW_SIDE)
    pairs = torch.stack([begin.images, images], 1).flatten(0, 1)
    return Drawn(
        ppgn.images.grid(pairs, [label for label in labels for _ in range(2)], columns=2 * EACH), told(chances)
    )


def holes() -> Drawn:
    """The middle of a photograph filled with a class: the paper's inpainting (Sec. 4.4), begun at the ring's colour."""
    hole = torch.zeros(HOLE_SIDE, HOLE_SIDE, dtype=torch.bool)
    low = (HOLE_SIDE - HOLE) // 2
    hole[low : low + HOLE, low : low + HOLE] = True
    names = [(file, label) for file, labels in FILLS.items() for label in labels]
    images = torch.cat([photograph(file, HOLE_SIDE) for file, _ in names])
    given = torch.where(hole, _around(images, hole), images)
    coder, guide = thirdparty.taef2(), thirdparty.squeezenet(fit="whole")
    labels = [label for _, label in names]
    inside = views(class_label(guide, labels, objective="logit"), **VIEWS)
    condition = inpaint(images, hole, noise=LOOSE, inside=inside)
    pipeline = pretrained.natural(coder, HOLE_SIDE, variant="joint", batch_size=4).given(condition)
    made = ppgn.sample(pipeline, len(names), WALKED, SEED, start=coder.encode(given), frames=0).images
    filled = condition.composite(made)
    asked = class_label(guide, labels)
    with torch.no_grad():
        chances = torch.stack([asked.log_prob(at).exp() for at in (given, filled)])
    off = float((made - images)[..., ~hole].square().mean().sqrt())
    parts = []
    for i, (file, label) in enumerate(names):
        if label == FILLS[file][0]:
            parts.append((file, ppgn.images.grid(torch.where(hole, 0.5, images[i : i + 1]))))
        parts.append((label, ppgn.images.grid(filled[i : i + 1])))
    return Drawn(beside(parts, gap=2), f"{told(chances)} Known pixels are met to {off:.2f} of 1 (root mean square).")


def halves() -> Drawn:
    """A photograph walked towards one class on its left and another on its right, each seen within its half alone."""
    coder, squeezenet = thirdparty.taef2(), thirdparty.squeezenet(fit="whole")
    begin = torch.cat([photograph(file, SIDE) for file in HALVES])
    left = (torch.arange(SIDE) < SIDE // 2).expand(SIDE, SIDE)
    parts = []
    for side, mask in enumerate((left, ~left)):
        labels = [labels[side] for labels in HALVES.values()]
        logit = class_label(squeezenet, labels, objective="logit")
        parts.append((region(views(logit, **VIEWS), mask, fill=0.5, crop=True), class_label(squeezenet, labels), mask))
    pipeline = pretrained.natural(coder, SIDE, variant="joint", batch_size=4).given(parts[0][0] + parts[1][0])
    made = ppgn.sample(pipeline, len(begin), WALKED, SEED, start=coder.encode(begin), frames=0).images
    with torch.no_grad():
        chances = torch.stack([
            torch.cat([region(asked, mask, crop=True).log_prob(at).exp() for _, asked, mask in parts])
            for at in (begin, made)
        ])  # fmt: skip
    shown = []
    for i, (file, labels) in enumerate(HALVES.items()):
        shown.append((file, ppgn.images.grid(begin[i : i + 1])))
        shown.append((f"{labels[0]} | {labels[1]}", ppgn.images.grid(made[i : i + 1])))
    return Drawn(beside(shown, gap=2), told(chances))


def _around(images: Tensor, hole: Tensor) -> Tensor:
    """The mean colour (N, 3, 1, 1) of what is known within 8 pixels of the hole."""
    near = torch.nn.functional.max_pool2d(hole[None].float(), 17, 1, 8)[0].bool() & ~hole
    return images[..., near].mean(-1)[..., None, None]


PICTURES = {
    "photographs-walk": Picture(
        walks, f"Photographs walked towards ImageNet classes ({SIDE} px): TAEF2 is generator and, with its encoder, "
        "the joint prior; SqueezeNet is the condition; the released rule.",
    ),
    "photographs-halves": Picture(
        halves, "Photographs walked towards one ImageNet class on the left and another on the right, in a region each: "
        "TAEF2 and SqueezeNet as above.",
    ),
    "natural-classes": Picture(
        fresh, f"New pictures ({NEW_SIDE} px) of ImageNet classes: left of each pair a draw of the prior on TAEF2's "
        "latents that `ppgn train dae` made in 50 minutes of one core, right where the same walk as of photographs "
        "takes it under SqueezeNet.",
    ),
    "photographs-holes": Picture(
        holes, f"Holes of {HOLE} of {HOLE_SIDE} px filled with ImageNet classes: known pixels and SqueezeNet's logit "
        "inside are the condition, TAEF2 the generator and the joint prior.",
    ),
}  # fmt: skip
