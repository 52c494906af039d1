"""A picture of every use, from the bundle alone: what a condition asks, and what the walk makes of it.

Given digits are draws of the bundle `mnist-gan`, so that nothing else is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from pictures import Drawn, Picture, rows
from torch import Tensor

import ppgn
from ppgn import conditions, evaluation, masks, pretrained, strokes
from ppgn.conditions import class_label
from ppgn.types import Sampler

SEED, SIDE, COLUMNS = 0, 56, 10
STEPS, LEVELS = 200, 180  # of the walk, the levels of its ladder among them
TURN = 40  # steps of each class in turn
SLANTS = (-25.0, -10.0, 5.0, 20.0, 35.0)  # degrees
FACETS, EXCITING, LOOKED_AT = 4, 200, 4000  # clusters of so many, the most exciting of so many images
GENTLE = {"mode": "paper", "eps_prior": 0.5, "eps_condition": 0.5, "eps_noise": 0.1}  # of the joint prior
UNIT_LAYER = "lower.3"  # of the bundle's classifier: its second convolution


def judge() -> evaluation.Judge:
    return pretrained.network("mnist", "judge")


def given_digits(labels: Sequence[int], seed: int = SEED) -> Tensor:
    """A draw of `mnist-gan` (n, 1, 28, 28) for each label, the likeliest of 2,000 to the judge."""
    gan = ppgn.load("mnist-gan")
    images = evaluation.in_parts(gan.generator, torch.randn(2000, 64, generator=torch.Generator().manual_seed(seed)))
    chances = evaluation.in_parts(judge(), images).log_softmax(1)
    return images[chances[:, list(labels)].argmax(0)]


def walked(condition: conditions.Algebra, n: int, settings: dict[str, float] | None = None) -> ppgn.Samples:
    """The bundle's default walk."""
    pipeline = ppgn.load("mnist", settings={"levels": LEVELS, **(settings or {})}, batch_size=100)
    return ppgn.sample(pipeline.given(condition), n, STEPS, SEED, frames=0)


def said(samples: ppgn.Samples, more: str) -> str:
    exact = "exact" if samples.exact else "not exact"
    return f"Sampler: {samples.record['sampler']['name']} ({exact}), {samples.steps} steps, seed {SEED}; {more}"


def classes_in_turn() -> Drawn:
    """Chains that visit 0 to 9."""
    chains, pipeline = 4, ppgn.load("mnist", "ppgn-h")
    every = [class_label(pipeline.classifier, label) for label in range(10)]
    asked = pipeline.given(conditions.in_turn(every, every=TURN))
    samples = ppgn.sample(asked, chains, 10 * TURN, SEED, thin=TURN, frames=0)
    images = evaluation.in_parts(pipeline.generator, samples.chain.flatten(0, 1)).unflatten(0, (10, chains))
    agreed = evaluation.agreement(judge(), images.flatten(0, 1), torch.arange(10).repeat_interleave(chains))
    names = [f"chain {i + 1}" for i in range(chains) for _ in range(10)]
    told = said(samples, f"each chain at the end of each turn; the judge reads {agreed:.0%} as the class of the turn.")
    return Drawn(rows(images.transpose(0, 1).flatten(0, 1), names, 10, SIDE), told)


def worth_keeping(chains: int = 4, laps: int = 8, above: float = 0.99) -> Drawn:
    """Chains that begin anew, and of their draws those that are surely what was asked."""
    label, pipeline = 4, ppgn.load("mnist", "ppgn-h")
    asked = pipeline.given(class_label(pipeline.classifier, label))
    walk = partial(_anew, every=TURN)
    samples = ppgn.sample(asked, chains, laps * TURN, SEED, walk, thin=TURN, frames=0)
    kept = ppgn.kept(asked, samples, math.log(above))
    place = torch.full((len(samples.chain), chains), -1)
    place[kept.step // TURN - 1, kept.chain] = torch.arange(len(kept.images))
    blank = torch.full((1, *samples.images.shape[1:]), 0.4)
    shown = torch.cat([kept.images, blank])[place.T.flatten()]  # -1: the last, which is blank
    names = [f"chain {i + 1}" for i in range(chains) for _ in range(laps)]
    agreed = evaluation.agreement(judge(), kept.images, torch.full((len(kept.images),), label))
    told = said(
        samples,
        f"a new start every {TURN} steps, the end of each lap if its p({label} | x) is above {above}, else grey: "
        f"{len(kept.images)} of {chains * laps}, of which the judge reads {agreed:.0%} as {label}.",
    )
    return Drawn(rows(shown, names, laps, SIDE), told)


def _anew(pipeline: ppgn.Pipeline, every: int) -> Sampler[Any]:
    """The pipeline's own walk, each chain leaving for a new start every so many steps."""
    assert pipeline.sampler is not None
    assert pipeline.start is not None
    return ppgn.samplers.restarting(pipeline.sampler(pipeline), every, pipeline.start)


def algebra() -> Drawn:
    """One of two, a bit of both, neither; two networks."""
    c = ppgn.load("mnist").classifier
    asks = {
        "3 | 8": class_label(c, 3) | class_label(c, 8),
        "half 3, half 8": conditions.soft_label(c, [3, 8], [0.5, 0.5]),
        "~(3 | 8)": ~conditions.mixture(c, [3, 8]),
        "5, to two networks": class_label(c, 5) + class_label(pretrained.network("mnist", "encoder"), 5),
    }
    images, tallies = [], []
    for name, asked in asks.items():
        images.append(walked(asked, COLUMNS).images)
        read = evaluation.in_parts(judge(), images[-1]).argmax(1)
        tallies.append(f"{name}: {', '.join(map(str, read.tolist()))}")
    told = f"The bundle's default walk, {STEPS} steps, seed {SEED}; the judge reads " + "; ".join(tallies) + "."
    return Drawn(rows(torch.cat(images), [name for name in asks for _ in range(COLUMNS)], COLUMNS, SIDE), told)


def leaning() -> Drawn:
    """Eights of a measured slant: any function of the image may be asked for."""
    c = ppgn.load("mnist").classifier
    asked = torch.tensor(SLANTS).repeat_interleave(COLUMNS)
    slant = conditions.regression(lambda x: strokes.measure(x).slant, asked, noise=3.0)
    samples = walked(class_label(c, 8) + slant, len(asked))
    found = strokes.measure(samples.images).slant
    off = float((found - asked).abs().median())
    names = [f"{target:+.0f}°" for target in SLANTS for _ in range(COLUMNS)]
    told = said(samples, f"the slant is off by {off:.1f} degrees (median); asked with a noise of 3.")
    return Drawn(rows(samples.images, names, COLUMNS, SIDE), told)


def likeness() -> Drawn:
    """Digits that a classifier finds alike."""
    shown = given_digits([2, 5, 9])
    each = shown.repeat_interleave(COLUMNS - 1, 0)
    judged = pretrained.network("mnist", "encoder")
    samples = walked(conditions.similar(judged, each, noise=1.0, layer="upper.1"), len(each))
    both = torch.cat([shown[:, None], samples.images.unflatten(0, (3, COLUMNS - 1))], 1).flatten(0, 1)
    names = [f"like {label}" for label in (2, 5, 9) for _ in range(COLUMNS)]
    return Drawn(rows(both, names, COLUMNS, SIDE), said(samples, "first of each row: the picture to be like."))


def holes() -> Drawn:
    """One digit under masks of every shape."""
    size = (28, 28)
    shapes = {
        "a square": masks.square(size, 14), "one half": masks.half(size, "top"), "the edge": masks.edge(size, 8),
        "pixels": masks.random(size, 0.8, seed=SEED),
    }  # fmt: skip
    picture = given_digits([3, 3, 5, 9])
    hole = torch.stack(list(shapes.values()))
    fills = COLUMNS - 2
    condition = conditions.inpaint(picture.repeat_interleave(fills, 0), hole.repeat_interleave(fills, 0), noise=0.1)
    samples = walked(condition, len(shapes) * fills, {"limit": 0.5})
    assert samples.filled is not None
    seen = torch.where(hole[:, None], 0.4, picture)
    every = torch.cat([picture[:, None], seen[:, None], samples.filled.unflatten(0, (len(shapes), fills))], 1)
    told = said(samples, f"from the left: the digit, what is known, {fills} fills, none left out.")
    return Drawn(rows(every.flatten(0, 1), [n for n in shapes for _ in range(COLUMNS)], COLUMNS, SIDE), told)


def from_image() -> Drawn:
    """A digit on its way to other classes."""
    labels, shown_at = (2, 3, 8, 9), 9
    pipeline = ppgn.load("mnist", "noiseless")
    start = given_digits([7])
    asked = pipeline.given(class_label(pipeline.classifier, list(labels)))
    recipe = ppgn.recipes.recipe("released/from-image")
    walk = recipe.applied(asked)
    code = pipeline.encode(start).expand(len(labels), -1)
    steps = 45
    samples = ppgn.sample(walk, len(labels), steps, SEED, start=code, thin=steps // shown_at, frames=0)
    frames = evaluation.in_parts(pipeline.generator, samples.chain.flatten(0, 1)).unflatten(0, samples.chain.shape[:2])
    every = torch.cat([start.expand(len(labels), -1, -1, -1)[:, None], frames.transpose(0, 1)], 1)
    names = [f"to {label}" for label in labels for _ in range(COLUMNS)]
    told = said(samples, f"{recipe.name}; from the left: the digit itself, then every {steps // shown_at}th step.")
    return Drawn(rows(every.flatten(0, 1), names, COLUMNS, SIDE), told)


def neurons(units: Sequence[int] = (1, 5, 9, 16, 22)) -> Drawn:
    """What hidden units of the classifier look for; only what they see is shown."""
    pipeline = ppgn.load("mnist", "dgn-am")
    asked = torch.tensor(units).repeat_interleave(COLUMNS)
    neuron = conditions.unit(pipeline.classifier, UNIT_LAYER, asked)
    samples = ppgn.sample(pipeline.given(neuron), len(asked), STEPS, SEED, frames=0)
    field = ppgn.receptive_field(pipeline.classifier, UNIT_LAYER, "center", 28, channels=1)
    part = (slice(field.top, field.top + field.height), slice(field.left, field.left + field.width))
    real = _exciting(neuron)[1]
    best = samples.log_condition[-1].view(len(units), COLUMNS).max(1).values
    above = int((best > real[list(units)]).sum())
    told = said(
        samples,
        f"the {field.height} x {field.width} pixels that the unit sees; in {above} of {len(units)} rows the best is "
        f"more exciting than any of {LOOKED_AT:,} draws of `mnist-gan`.",
    )
    seen, names = samples.images[..., part[0], part[1]], [f"unit {u}" for u in asked.tolist()]
    return Drawn(rows(seen, names, COLUMNS, SIDE), told)


def faceted(unit: int = 27, layer: str = "head.0") -> Drawn:
    """The different kinds of images that excite one unit: walks from the mean codes of their clusters."""
    pipeline = ppgn.load("mnist", "noiseless", settings=GENTLE)
    neuron = conditions.unit(pipeline.classifier, layer, unit)
    images, highest = _exciting(neuron)
    codes, each = pipeline.encode(images[unit]), COLUMNS // 2
    means = ppgn.facets(codes, FACETS, SEED).repeat_interleave(each, 0)
    about = means + 0.3 * codes.std(0) * ppgn.random.streams(SEED, len(means)).normal(means, 0, "start")
    samples = ppgn.sample(
        pipeline.given(3 / highest[unit].item() * neuron), len(means), 20, SEED, start=about, frames=0
    )
    made = evaluation.in_parts(pipeline.generator, means[::each])
    nearest = images[unit][torch.cdist(means[::each], codes).topk(COLUMNS - each - 1, largest=False).indices]
    every = torch.cat([made[:, None], samples.images.unflatten(0, (FACETS, each)), nearest], 1)
    names = [f"facet {i + 1}" for i in range(FACETS) for _ in range(COLUMNS)]
    told = said(
        samples,
        f"unit {unit} of {layer}; from the left: the mean of a cluster of the {EXCITING} most exciting of "
        f"{LOOKED_AT:,} draws of `mnist-gan`, {each} walks from about there, and draws of the cluster.",
    )
    return Drawn(rows(every.flatten(0, 1), names, COLUMNS, SIDE), told)


def captions() -> Drawn:
    """Sentences of a measured digit."""
    said_of = (
        "a thick wide seven leaning right", "a thin narrow two upright", "a thick narrow eight leaning left",
        "a thin wide zero leaning right",
    )  # fmt: skip
    captioner = pretrained.network("mnist", "captioner")
    each = [text for text in said_of for _ in range(COLUMNS)]
    samples = walked(conditions.caption(captioner, each), len(each), {"gamma": 3.0})
    chance = float(samples.log_condition[-1].mean())
    guessed = math.log(1 / len(strokes.SENTENCES))
    told = said(samples, f"gamma 3; mean log p(sentence | x) {chance:.2f}, guessed it would be {guessed:.2f}.")
    return Drawn(rows(samples.images, each, COLUMNS, SIDE), told)


def _exciting(neuron: conditions.Unit) -> tuple[Tensor, Tensor]:
    """(the most exciting draws of `mnist-gan` for each channel (C, EXCITING, 1, 28, 28), the highest values (C,))."""
    noise = torch.randn(LOOKED_AT, 64, generator=torch.Generator().manual_seed(SEED + 1))
    images = evaluation.in_parts(ppgn.load("mnist-gan").generator, noise)
    values = evaluation.in_parts(neuron.channels, images)
    return images[values.topk(EXCITING, dim=0).indices.T], values.max(0).values


PICTURES = {
    "use-in-turn": Picture(classes_in_turn, "Chains that visit every class in turn."),
    "use-kept": Picture(worth_keeping, "Long chains that begin anew, and what of them is worth keeping."),
    "use-algebra": Picture(algebra, "One of two classes, a bit of both, neither; one class to two networks at once."),
    "use-regression": Picture(leaning, "Eights of a slant that was asked for, in degrees, as a measured number."),
    "use-similar": Picture(likeness, "Digits that are alike to a network: its features of a picture are the target."),
    "use-inpaint": Picture(holes, "Holes of every shape, filled."),
    "use-from-image": Picture(from_image, "A digit on its way to other classes."),
    "use-units": Picture(neurons, "What hidden units of the classifier look for."),
    "use-facets": Picture(faceted, "The different kinds of images that excite one hidden unit."),
    "use-captions": Picture(captions, "Digits by sentence: a captioner that was trained here is the condition."),
}
