"""The paper's five variants side by side: how good their digits are, and how well one chain of theirs mixes.

    python benchmarks/variants.py --data mnist.npz --work runs/variants     # about 50 minutes on one core

What is found is kept in --work, a file for each measurement, so that a run that was stopped goes on where it was.
Quality is measured as in quality.py; mixing.py says what the other numbers are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import judging
import mixing
import tables
import torch
from judging import Score
from torch import Tensor

import ppgn
from ppgn import data, evaluation, files, pretrained
from ppgn.random import streams

N, STEPS = 1000, 200
DRAWS = 2000  # of the prior, for 100 of every class
LABELS = torch.arange(10).repeat_interleave(N // 10)
TOGETHER = 100  # chains evaluated at a time: faster than all on one core
FREE, BURN, LONG = 16, 200, 1000  # chains without a condition, their first steps and those that are looked at
EACH, WALKED = 4, 400  # chains of a digit and their steps, of which the second half is looked at
MODES, MODES_OF = 10, 500  # of each digit, of so many real images
PROJECTIONS = [f"image_{i}" for i in range(ppgn.statistics.PROJECTIONS)]


@dataclass(frozen=True)
class Way:
    """A variant of the bundle, and how it is walked.

    told        of its settings, in the table
    settings    in place of the recommended ones
    objective   of `ppgn.conditions.class_label`
    normal      whether codes start as standard normals, as in the authors' code, wherever the bundle would
    """

    variant: str
    told: str = "recommended settings"
    settings: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "log_prob"
    normal: bool = False


RELEASED = {"settings": {"mode": "released"}, "objective": "released", "normal": True}
AUTHORS = "the authors' released settings"
WAYS = (
    Way("annealed"),
    Way("ppgn-x"),
    Way("dgn-am", "as its authors ran it", objective="logit"),
    Way("ppgn-h"),
    Way("joint", AUTHORS, **RELEASED),
    Way("noiseless", AUTHORS, **RELEASED),
)


@dataclass(frozen=True)
class Mixing:
    """Of one way; NaN where nothing moves.

    digits, changes   that a chain without a condition shows, and how often in 100 steps it shows another
    time, r_hat       steps for an independent draw, of the slowest projection of the image, and the largest R-hat, of
                      chains of a class: medians over the classes
    modes             of a class that a chain of it shows
    """

    digits: float
    changes: float
    time: float
    r_hat: float
    modes: float


@dataclass(frozen=True)
class Cost:
    """Seconds of one thread's computing, whatever runs beside it, for 1,000 chains."""

    seconds: float


def settings_of(way: Way, steps: int) -> dict[str, Any]:
    """Its settings, with schedules stretched to the length of the walk."""
    if way.settings:
        return dict(way.settings)
    walk = pretrained.describe("mnist")["variants"][way.variant]["sampler"]
    return {name: {**value, "steps": steps} for name, value in walk.items() if isinstance(value, dict)}


def walk(way: Way, labels: Tensor | None, n: int, steps: int, seed: int, **asked: Any) -> ppgn.Samples:
    """n chains of a variant under the labels, or under no condition."""
    pipeline = pretrained.load("mnist", way.variant, settings=settings_of(way, steps), batch_size=TOGETHER)
    start = None
    if way.normal:
        start = streams(seed, n).normal(torch.empty(n, *pipeline.latent_shape), 0, "start")
    if labels is not None:
        condition = ppgn.conditions.class_label(pipeline.classifier, labels, objective=way.objective)
        pipeline = pipeline.given(condition)
    return ppgn.sample(pipeline, n, steps, seed, start=start, frames=0, progress=False, **asked)


def quality(way: Way, seed: int, reference: evaluation.Moments) -> Score:
    return scored(walk(way, LABELS, N, STEPS, seed).images, LABELS, reference)


def truth(seed: int, reference: evaluation.Moments) -> Score:
    """The annealed prior walked without a condition, kept by rejection: what a perfect walk would give."""
    images = walk(WAYS[0], None, DRAWS, STEPS, seed).images
    kept, labels = judging.kept_by_rejection(images, GUIDE, N // 10, seed)
    assert len(kept) == N, f"{DRAWS} draws hold {len(kept) // 10} of the rarest class"
    return scored(kept, labels, reference)


def scored(images: Tensor, labels: Tensor, reference: evaluation.Moments) -> Score:
    return judging.score(images, labels, JUDGE, GUIDE, reference)


def cost(way: Way, labels: Tensor | None) -> Cost:
    """Of TOGETHER chains, after a few steps that set everything up."""
    asked = None if labels is None else labels[:: N // TOGETHER]
    walk(way, asked, TOGETHER, 5, seed=0)
    began = time.process_time()
    walk(way, asked, TOGETHER, STEPS, seed=0)
    return Cost((time.process_time() - began) * 1000 / TOGETHER)


def mixes(way: Way, modes: Tensor) -> Mixing:
    digits = changes = math.nan
    if pretrained.describe("mnist")["variants"][way.variant]["prior"]["kind"] != "none":  # else nothing moves it
        noted = {"digit": mixing.digit_seen(JUDGE)}
        free = walk(way, None, FREE, BURN + LONG, seed=10, warmup=BURN, statistics=noted)
        seen = free.series["digit"]
        digits, changes = float(mixing.visited(seen).mean()), float(mixing.switches(seen).mean())
    labels = torch.arange(10).repeat_interleave(EACH)
    noted = {"mode": mixing.mode_seen(JUDGE, modes, labels)}
    asked = walk(way, labels, len(labels), WALKED, seed=11, warmup=WALKED // 2, statistics=noted)
    times, r_hats = zip(*(slowest(asked, label) for label in range(10)), strict=True)
    shown = float(mixing.visited(asked.series["mode"]).mean())
    return Mixing(digits, changes, statistics.median(times), statistics.median(r_hats), shown)


def slowest(samples: ppgn.Samples, label: int) -> tuple[float, float]:
    """The longest autocorrelation time and the largest R-hat of the image's projections, of the chains of a class."""
    assert samples.labels is not None
    own = [samples.series[name][:, samples.labels == label] for name in PROJECTIONS]
    return max(map(mixing.autocorrelation_time, own)), max(map(mixing.r_hat, own))


def row(name: str, scores: list[Score], floor: Score, mixed: Mixing | None, seconds: float | None) -> list[str]:
    """A line of the table."""

    def cell(of: Callable[[Score], float], form: str, unit: str = "") -> str:
        return tables.mean_and_error([of(s) for s in scores], form) + unit

    return [
        name,
        cell(lambda s: 100 * s.judge, ".1f", " %"),
        cell(lambda s: 100 * s.guide, ".1f", " %"),
        cell(lambda s: s.distance, ".2f"),
        cell(lambda s: s.distance / floor.distance, ".1f"),
        cell(lambda s: s.spread / floor.spread, ".2f"),
        *(
            ["-"] * 5
            if mixed is None
            else [told(value, form) for value, form in zip(asdict(mixed).values(), FORMS, strict=True)]
        ),
        "-" if seconds is None else f"{seconds:.0f}",
    ]


def told(value: float, form: str) -> str:
    """A number; - where there is none, "stands" for chains that do not move any more."""
    return "-" if math.isnan(value) else "stands" if math.isinf(value) else f"{value:{form}}"


def kept(work: Path, name: str, own: Any, measure: Callable[[], Any]) -> dict[str, float]:
    """What `measure` found, or found before of the same `own`: a record of numbers as a file in `work`."""
    key = hashlib.sha256(json.dumps([own, N, STEPS, DRAWS, BURN, LONG, EACH, WALKED]).encode()).hexdigest()[:8]
    path = work / f"{name}-{key}.json"
    if not path.exists():
        found = asdict(measure())
        print(name, found, flush=True)
        work.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {key: str(value) for key, value in found.items()})  # JSON has no NaN
    return {key: float(value) for key, value in files.read_json(path).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--work", type=Path, default=Path("runs") / "variants", help="what was found so far")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--only", nargs="+", choices=[way.variant for way in WAYS], help="measure these, write no table"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep = partial(kept, arguments.work)
    images, test = data.load(str(arguments.data)), data.load(str(arguments.data), "test")
    reference = evaluation.moments(evaluation.features(JUDGE, data.to_float(test.images)))
    some = images.per_class(MODES_OF)
    modes = mixing.centres(evaluation.features(JUDGE, data.to_float(some.images)), some.labels, MODES, seed=0)
    chosen = [way for way in WAYS if not arguments.only or way.variant in arguments.only]
    found = [measured(way, keep, modes, reference, arguments.seeds) for way in chosen]
    if arguments.only:
        return
    annealed = WAYS[0]
    best = [
        Score(**keep(f"truth-{seed}", [made_of(annealed.variant), seed], partial(truth, seed, reference)))
        for seed in range(arguments.seeds)
    ]
    draw = Cost(**keep("truth-cost", made_of(annealed.variant), partial(cost, annealed, None)))
    real = images.per_class(N // 10)
    floor = scored(data.to_float(real.images), real.labels, reference)
    rows = [
        row("real training images", [floor], floor, None, None),
        row("`annealed` without a condition, kept by rejection", best, floor, None, draw.seconds * DRAWS / N),
        *(
            row(f"`{way.variant}`, {way.told}", scores, floor, *rest)
            for way, (scores, *rest) in zip(chosen, found, strict=True)
        ),
    ]
    tables.write("variants", HEAD, rows, note(arguments.seeds))


def measured(
    way: Way, keep: Callable[..., dict[str, float]], modes: Tensor, reference: evaluation.Moments, seeds: int
) -> tuple[list[Score], Mixing, float]:
    """Its quality by seed, how it mixes and what it costs."""
    own = [made_of(way.variant), asdict(way)]
    mixed = Mixing(**keep(f"{way.variant}-mixing", own, partial(mixes, way, modes)))
    scores = [
        Score(**keep(f"{way.variant}-{seed}", [*own, seed], partial(quality, way, seed, reference)))
        for seed in range(seeds)
    ]
    spent = Cost(**keep(f"{way.variant}-cost", own, partial(cost, way, LABELS)))
    return scores, mixed, spent.seconds


def made_of(variant: str) -> dict[str, Any]:
    """The parts and settings that a variant's numbers depend on."""
    parts = pretrained.describe("mnist")["variants"][variant]
    return {name: value for name, value in parts.items() if name != "description"}


def note(seeds: int) -> str:
    return (
        f"Quality as in the first table: n = {N}, {STEPS} steps, seeds 0..{seeds - 1} with the standard error over "
        f"them. Digits a chain, changes: of {FREE} chains without a condition, steps {BURN} to {BURN + LONG}: the "
        f"digits that the judge sees with {mixing.CONFIDENT} or more in one of them, of 10, and how often it sees "
        f"another; - where nothing moves a chain. Then {EACH} chains of each digit, steps {WALKED // 2} to {WALKED}: "
        f"steps for an independent draw by the slowest of {len(PROJECTIONS)} projections of the image and the largest "
        f"R-hat of them, medians over the digits; and how many of a digit's {MODES} clusters (k-means of {MODES_OF} "
        "real images in the judge's features) one chain shows while the judge sees that digit. Schedules are stretched "
        f"to the length of the walk. Seconds: of one thread's computing, for {STEPS} steps. No row is exact."
    )


FORMS = (".1f", ".2f", ".0f", ".2f", ".1f")
HEAD = [
    "", "judge agrees", "guide agrees", "distance", "over floor", "diversity", "digits a chain", "changes in 100 steps",
    "steps a draw", "R-hat", "modes a chain", "s per 1,000",
]  # fmt: skip
JUDGE, GUIDE = (pretrained.network("mnist", name) for name in ("judge", "classifier"))

if __name__ == "__main__":
    main()
