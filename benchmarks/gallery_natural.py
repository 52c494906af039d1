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
from ppgn.conditions import class_label, inpaint, views

SEED = 0
WALK = {"china.jpg": ("volcano", "lakeside"), "flower.jpg": ("daisy", "jellyfish")}
WALKED, SIDE = 60, 192  # steps towards a class, pixels of photographs
NEW = ("junco", "goldfish", "tabby", "daisy", "volcano", "jellyfish")
EACH, NEW_SIDE, DRAWN = 3, 128, 110  # new pictures of a class, pixels, steps of the prior's own walk
HOLE, HOLE_SIDE, FILLS = 48, 128, 3
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
    guide = class_label(thirdparty.squeezenet(fit="whole"), list(labels))
    seen = views(class_label(thirdparty.squeezenet(fit="whole"), list(labels), objective="logit"), **VIEWS)
    pipeline = pretrained.natural(thirdparty.taef2(), side, variant="joint", batch_size=4).given(seen)
    images = ppgn.sample(pipeline, len(labels), WALKED, SEED, start=codes, frames=0).images
    with torch.no_grad():
        before = thirdparty.taef2()(codes)
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
    """The middle of a photograph filled by the annealed prior, several times."""
    hole = torch.zeros(HOLE_SIDE, HOLE_SIDE, dtype=torch.bool)
    low = (HOLE_SIDE - HOLE) // 2
    hole[low : low + HOLE, low : low + HOLE] = True
    pipeline = pretrained.natural(thirdparty.taef2(), HOLE_SIDE, batch_size=2, settings={"limit": 1.0})
    shown, errors = [], []
    for name in WALK:
        image = photograph(name, HOLE_SIDE)[0]
        condition = inpaint(image, hole, noise=0.05)
        made = ppgn.sample(pipeline.given(condition), FILLS, DRAWN, SEED, frames=0).images
        filled = condition.composite(made)
        errors.append(float((made - image)[..., ~hole].square().mean().sqrt()))
        given = torch.where(hole, torch.tensor(0.5), image)
        shown += [image[None], given[None], filled]
    labels = [name for name in WALK for _ in range(2 + FILLS)]
    return Drawn(
        ppgn.images.grid(torch.cat(shown), labels, columns=2 + FILLS),
        f"Known pixels are met to {max(errors):.2f} (root mean square, of 1).",
    )


PICTURES = {
    "photographs-walk": Picture(
        walks, f"Photographs walked towards ImageNet classes ({SIDE} px): TAEF2 is generator and, with its encoder, "
        "the joint prior; SqueezeNet is the condition; the released rule.",
    ),
    "natural-classes": Picture(
        fresh, f"New pictures ({NEW_SIDE} px) of ImageNet classes: left of each pair a draw of the prior on TAEF2's "
        "latents that `ppgn train dae` made in 50 minutes of one core, right where the same walk as of photographs "
        "takes it under SqueezeNet.",
    ),
    "photographs-holes": Picture(
        holes, f"Holes of {HOLE} of {HOLE_SIDE} px filled: the photograph, what was given, and {FILLS} fills by the "
        "prior on TAEF2's latents.",
    ),
}  # fmt: skip
