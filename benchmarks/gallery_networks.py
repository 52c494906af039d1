"""Pictures by other people's networks alone: their generators with their own priors under their classifiers, exactly.

The sampler is sequential Monte Carlo, whose populations come from p(z) and are exact in the limit of large ones; of
each population particles of different ancestors are shown first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import thirdparty
import torch
from pictures import Drawn, Picture, beside, rows
from PIL import Image
from torch import Tensor, nn

import ppgn
from ppgn.conditions import ClassLabel

SEED = 0
BUDGET = 200  # steps of smc, which stops when it is done
LUMINANCE = (0.299, 0.587, 0.114)
CONTRAST = 0.4  # that is as good as ink on paper
SHIFTS = tuple((dy, dx) for dy in (-2, 0, 2) for dx in (-2, 0, 2))  # pixels
EDGE = 11.0  # pixels from the middle column at which a neighbouring digit begins
FACES = ("bow tie", "hair spray", "cowboy hat")
POWER = 3  # of p(y|x) for faces: what is most like a bow tie is hardly like one


@dataclass(frozen=True)
class ReadAsDigit:
    """A classifier of white digits on black reads `label` (B,) in each of nine places, dark on light or light on dark.

    log p = sum over places of log of the mean of p(label | picture) and p(label | negative); the picture is the
    luminance above its median, stretched, its left and right edges faded out.
    """

    classifier: nn.Module
    label: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        grey = (x * x.new_tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)
        most = max(abs(step) for shift in SHIFTS for step in shift)
        h, w = grey.shape[-2:]
        wide = nn.functional.pad(grey, (most,) * 4, mode="replicate")
        seen = torch.stack([wide[..., most + dy :, most + dx :][..., :h, :w] for dy, dx in SHIFTS])
        both = torch.stack([self._as_ink(seen), self._as_ink(1 - seen)])  # (2, places, B, 1, H, W)
        log_p = self.classifier(both.flatten(0, 2)).log_softmax(1).unflatten(0, both.shape[:3])
        chosen = log_p.gather(3, self.label.expand(both.shape[:3])[..., None]).squeeze(3)
        return (chosen.logsumexp(0) - chosen.new_tensor(2.0).log()).sum(0)

    def rows(self, index: Tensor) -> ReadAsDigit:
        return replace(self, label=self.label[index])

    @staticmethod
    def _as_ink(grey: Tensor) -> Tensor:
        middle = grey.flatten(-3).median(-1).values[..., None, None, None]
        column = torch.arange(grey.shape[-1], device=grey.device) - (grey.shape[-1] - 1) / 2
        return ((grey - middle) / CONTRAST).clamp(0, 1) * torch.sigmoid(EDGE - column.abs())


@dataclass(frozen=True)
class Power:
    """p(y|x)^power of another condition."""

    condition: ClassLabel
    power: float

    @property
    def label(self) -> Tensor:
        return self.condition.label

    def log_prob(self, x: Tensor) -> Tensor:
        return self.power * self.condition.log_prob(x)

    def rows(self, index: Tensor) -> Power:
        return replace(self, condition=self.condition.rows(index))


def populations(
    pipeline: ppgn.Pipeline, condition: ReadAsDigit | Power, shown: int, moves: int
) -> tuple[ppgn.Samples, Tensor, str]:
    """(samples, indices of `shown` particles of every population, what was done); one population a label."""
    labels = condition.label
    sampler = partial(ppgn.samplers.smc, step_size=0.3, groups=labels, proposal="pcn", moves=moves)
    samples = ppgn.sample(pipeline.given(condition), len(labels), BUDGET, SEED, sampler, frames=0)
    chosen = torch.cat([first_of_each(samples.state["ancestor"], labels == label)[:shown] for label in labels.unique()])
    groups = labels.unique()
    first = [len(samples.state["ancestor"][labels == label].unique()) for label in groups]
    told = (
        f"Sampler: smc (exact in the limit), {len(labels) // len(groups)} particles each, which descend from "
        f"{min(first)} to {max(first)} of the first ones, {samples.steps} steps, seed {SEED}"
    )
    return samples, chosen, told


def first_of_each(ancestor: Tensor, among: Tensor) -> Tensor:
    """Indices of the rows `among` (B,) bool, one of every ancestor (B,) first, then the second ones and so on."""
    index = among.nonzero().flatten()
    own = ancestor[index]
    before = (own[:, None] == own).tril(-1).sum(1)  # rows of the same ancestor that came already
    return index[before.argsort(stable=True)]


def prior_draws(pipeline: ppgn.Pipeline, lines: int, columns: int, side: int) -> tuple[str, Image.Image]:
    """A block of the prior's draws as they come, under its title."""
    samples = ppgn.sample(pipeline, lines * columns, 0, SEED, "best_of_n", progress=False, frames=0)
    return "draws of p(z)", rows(samples.images, None, columns, side)


def house_numbers(digits: int = 10, columns: int = 10, particles: int = 40, moves: int = 8) -> Drawn:
    pipeline = replace(thirdparty.svhn(), batch_size=100)
    labels = torch.arange(digits).repeat_interleave(particles)
    samples, chosen, told = populations(pipeline, ReadAsDigit(thirdparty.lenet(), labels), columns, moves)
    log_p = samples.log_condition[-1].mean() / len(SHIFTS)
    told += f"; mean log p(y|x) of a place {float(log_p):.2f}."
    found = rows(samples.images[chosen], [str(int(labels[i])) for i in chosen], columns, 64)
    return Drawn(beside([prior_draws(pipeline, digits, columns // 2, 64), ("draws of p(z | y)", found)]), told)


def faces(names: Sequence[str] = FACES, columns: int = 8, particles: int = 32, moves: int = 6, size: int = 96) -> Drawn:
    pipeline = replace(thirdparty.faces(), batch_size=32)
    classifier = thirdparty.squeezenet(fit="whole", size=size)
    asked = [name for name in names for _ in range(particles)]
    condition = Power(ppgn.conditions.class_label(classifier, asked), POWER)
    samples, chosen, told = populations(pipeline, condition, columns, moves)
    told += f"; mean log p(y|x) {float(samples.log_condition[-1].mean()) / POWER:.2f}."
    found = rows(samples.images[chosen], [asked[i] for i in chosen], columns, 96)
    law = f"draws of p(z) p(y|x)^{POWER}"
    return Drawn(beside([prior_draws(pipeline, len(names), columns // 2, 96), (law, found)]), told)


PICTURES = {
    "house-numbers": Picture(
        house_numbers,
        "House numbers of a DCGAN (SVHN, N(0, I)) that a LeNet-5 for handwritten digits reads as 0 to 9, in nine "
        "places, dark on light or light on dark. Neither network knew of the other.",
    ),
    "faces": Picture(
        faces,
        "Faces of a VAE (CelebA, 64 pixels, N(0, I)) under an ImageNet SqueezeNet, its p(y|x) to a power. "
        "The VAE knows no such things; what it has most like them is white collars, wide dark hair and hairdos.",
    ),
}
