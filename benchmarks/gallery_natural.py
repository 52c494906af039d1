"""Pictures of natural images, by networks nobody here trained but for the prior: TAEF2, SqueezeNet, sample photographs.

The photographs are scikit-learn's own (`load_sample_images`, CC BY: china.jpg by Nick Hobgood, flower.jpg by Tambako).
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np
import thirdparty
import torch
from pictures import Drawn, Picture, beside
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

import ppgn
from ppgn import pretrained
from ppgn.conditions import class_label, inpaint

SEED = 0
WALK = {"china.jpg": ("volcano", "lakeside"), "flower.jpg": ("daisy", "jellyfish")}
WALKED, SIDE = 60, 192  # steps of the joint prior's walk, pixels
NEW = ("junco", "volcano", "jellyfish", "goldfish", "fire engine", "daisy")
EACH, NEW_SIDE = 4, 64
HOLE, HOLE_SIDE, FILLS = 48, 128, 3


@cache
def photograph(name: str, side: int) -> Tensor:
    """A sample photograph (1, 3, side, side), its middle square."""
    picture = Image.fromarray(load_sample_image(name))
    least = min(picture.size)
    left, top = ((whole - least) // 2 for whole in picture.size)
    square = picture.crop((left, top, left + least, top + least)).resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).movedim(2, 0)[None] / 255


def walks() -> Drawn:
    """From a photograph's own code towards a class, by the joint prior E(G(z)) - z."""
    names = [(file, label) for file, labels in WALK.items() for label in labels]
    begin = torch.cat([photograph(file, SIDE) for file, _ in names])
    guide = thirdparty.squeezenet(fit="whole")
    pipeline = pretrained.natural(thirdparty.taef2(), SIDE, variant="joint", batch_size=1)
    pipeline = pipeline.given(class_label(guide, [label for _, label in names]))
    assert pipeline.sampler is not None
    h0 = thirdparty.taef2().encode(begin)
    states = ppgn.samplers.chain(pipeline.sampler(pipeline), h0, rng=ppgn.random.streams(SEED, len(names)))
    kept = [state.terms for state in islice(states, 0, WALKED + 1, WALKED // 2)]
    parts = []
    for i, (file, label) in enumerate(names):
        frames = torch.cat([begin[i : i + 1], *[terms.image[i : i + 1] for terms in kept[1:]]])
        parts.append((f"{file} towards {label}", ppgn.images.grid(frames, columns=1)))
    first, last = (terms.log_condition.exp().mean() for terms in (kept[0], kept[-1]))
    return Drawn(beside(parts), f"p(class) on average {first:.3f} before, {last:.3f} after {WALKED} steps.")


def fresh() -> Drawn:
    """New pictures of ImageNet classes by the annealed prior."""
    guide = thirdparty.squeezenet(fit="whole", size=128)
    pipeline = pretrained.natural(thirdparty.taef2(), NEW_SIDE, batch_size=8)
    labels = [label for label in NEW for _ in range(EACH)]
    samples = ppgn.sample(pipeline.given(class_label(guide, labels)), len(labels), 110, SEED, frames=0)
    chance = samples.log_condition[-1].exp().mean()
    grid = ppgn.images.grid(torch.nn.functional.interpolate(samples.images, 128), labels, columns=EACH)
    return Drawn(grid, f"p(class) on average {chance:.2f}.")


def holes() -> Drawn:
    """The middle of a photograph filled by the annealed prior, several times."""
    hole = torch.zeros(HOLE_SIDE, HOLE_SIDE, dtype=torch.bool)
    low = (HOLE_SIDE - HOLE) // 2
    hole[low : low + HOLE, low : low + HOLE] = True
    pipeline = pretrained.natural(thirdparty.taef2(), HOLE_SIDE, batch_size=2, settings={"limit": 1.0})
    parts, errors = [], []
    for name in WALK:
        image = photograph(name, HOLE_SIDE)[0]
        condition = inpaint(image, hole, noise=0.05)
        made = ppgn.sample(pipeline.given(condition), FILLS, 110, SEED, frames=0).images
        filled = condition.composite(made)
        errors.append(float((made - image)[..., ~hole].square().mean().sqrt()))
        given = torch.where(hole, torch.tensor(0.5), image)
        parts.append((name, ppgn.images.grid(torch.cat([image[None], given[None], filled]), columns=2 + FILLS)))
    return Drawn(_above(parts), f"Known pixels are met to {max(errors):.2f} (root mean square, of 1).")


def _above(parts: list[tuple[str, Image.Image]]) -> Image.Image:
    width, height = max(image.width for _, image in parts), sum(image.height + 6 for _, image in parts)
    canvas = Image.new("RGB", (width, height), "white")
    top = 0
    for _, image in parts:
        canvas.paste(image, (0, top))
        top += image.height + 6
    return canvas


PICTURES = {
    "photographs-walk": Picture(
        walks, f"Photographs walked towards ImageNet classes ({SIDE} px): TAEF2 is generator and, with its encoder, "
        "the joint prior; SqueezeNet is the condition; the released rule. Top: where they began.",
    ),
    "natural-classes": Picture(
        fresh, f"New pictures ({NEW_SIDE} px) of ImageNet classes under SqueezeNet: TAEF2's decoder, and the prior on "
        "its latents that `ppgn train dae` made in 50 minutes of one core.",
    ),
    "photographs-holes": Picture(
        holes, f"Holes of {HOLE} of {HOLE_SIDE} px filled: the photograph, what was given, and {FILLS} fills by the "
        "prior on TAEF2's latents.",
    ),
}  # fmt: skip
