"""`sample`: the one call a person makes, from a pipeline to images with their record."""

from __future__ import annotations

import hashlib
import operator
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ppgn import checkpoints, files, named, records, runs
from ppgn.checks import require_shape
from ppgn.conditions import class_asked
from ppgn.pipeline import Pipeline
from ppgn.random import streams
from ppgn.runs import Choice
from ppgn.samples import Samples, walked
from ppgn.statistics import Statistics, note, statistics_of
from ppgn.trace import begun, chains_to_show
from ppgn.types import Density


def sample(
    pipeline: Pipeline,
    n: int,
    steps: int,
    seed: int,
    sampler: Choice | str | None = None,
    progress: bool = True,
    *,
    start: Tensor | Density | None = None,
    warmup: int | None = None,
    thin: int | None = None,
    frames: int = 40,
    statistics: Statistics | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
) -> Samples:
    """Walk n chains for `steps` steps and return where they end.

    sampler    a name ("mala", "mala+isir", "isir", "smc", "rejection", "best_of_n"; "auto" chooses by a pilot and says
               why), a Sampler made for this pipeline, a function that makes one from it, or None for the one it
               recommends. To rejection and smc, `steps` is a budget: they stop when they are done
    progress   a bar on a terminal
    start      first codes (n, *latent), as `pipeline.encode` gives them of images, or a Density to draw them from;
               None: the pipeline's start, its prior, or standard normals
    warmup     of the steps, so many adapt the sampler and are not counted as draws; None: half of them, 1,000 at most,
               for a walk asked for by name, and what the sampler's own settings say otherwise
               Neither warmup nor thin say anything to rejection and smc
    thin       after the warm-up note the statistics of every thin-th step only, and keep the codes of those in `chain`;
               None: statistics of every step, no codes, so that memory grows by a few numbers a step and chain
    frames     pictures of the walk to keep for the animation, about
    statistics more numbers to note, name -> function of a state that gives (n,); see `ppgn.statistics`
    checkpoint a file that the run so far is written to every `checkpoint_every` steps; if it is there, the run goes on
               from it, to the same bits; asked for more steps than at first, with the warm-up of the first call

    Chain i depends on (seed, i) alone, but in smc. Ctrl-C returns what there is. Warns (`SamplingWarning`) of chains
    that are no draws yet. Raises ValueError for what does not fit, TypeError for an exact sampler on a prior without a
    density, and ChainError, which holds the results, if chains met NaN or infinity.

    >>> import ppgn
    >>> digits = ppgn.load("mnist", "ppgn-h")
    >>> sevens = digits.given(ppgn.conditions.class_label(digits.classifier, 7))
    >>> samples = ppgn.sample(sevens, n=2, steps=3, seed=0, progress=False)
    >>> samples.images.shape, samples.log_condition.shape
    (torch.Size([2, 1, 28, 28]), torch.Size([4, 2]))
    """
    n, steps, seed = operator.index(n), operator.index(steps), operator.index(seed)  # numpy's numbers too
    _require_numbers(n=n, steps=steps, warmup=warmup, thin=thin, frames=frames, checkpoint_every=checkpoint_every)
    labels = _labels(pipeline, n)
    before = checkpoints.read(checkpoint)
    if before is not None and steps < before.steps:
        raise ValueError(f"the checkpoint has {before.steps} steps already, so that steps must be as many, got {steps}")
    asked_for = sampler if isinstance(sampler, str) else None
    groups = runs.groups_of(pipeline, n, labels, asked_for)
    plan = _plan(pipeline, sampler, n, steps, seed, warmup, groups, before, progress)
    choice = None if isinstance(sampler, str) else sampler
    kernel = runs.kernel_of(pipeline, choice, plan, groups)
    plan["warmup"] = _warmup(plan["warmup"], kernel.settings, steps)
    record = {
        "n": n,
        "seed": seed,
        "thin": thin,
        "frames": frames,
        "asked_steps": steps,
        "frame_every": max(1, steps // frames) if frames else 0,
        "start": _described_start(pipeline, start),
        **plan,
        **runs.described(pipeline, kernel),
    }
    keep = None if checkpoint is None else (checkpoint_every, partial(checkpoints.write, Path(checkpoint)))
    if before is not None:
        checkpoints.require_same(before, record)
        longer = before.thinned(max(steps, before.record["asked_steps"]))
        return longer.continued(pipeline, steps - before.steps, choice, statistics, progress, keep)
    state = kernel.init(_start(pipeline, n, seed, start))
    record |= {"device": str(state.h.device), "dtype": str(state.h.dtype), "versions": records.versions()}
    shown = chains_to_show(state.terms.image, labels, frames)
    noted = statistics_of(kernel, state, statistics)
    note(noted, state)  # what is wrong with the caller's own shows now, not after the walk
    if checkpoint is not None:
        files.check_writable(Path(checkpoint))
    trace = begun(state, len(noted), shown)
    return walked(kernel, trace, steps, record, noted, labels, shown, progress, keep)


def _require_numbers(**numbers: int | None) -> None:
    for name, value in numbers.items():
        least = 0 if name in ("steps", "warmup", "frames") else 1
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def _plan(
    pipeline: Pipeline, sampler: Choice | str | None, n: int, steps: int, seed: int, warmup: int | None,
    labels: Tensor | None, before: Samples | None, progress: bool,
) -> dict[str, Any]:  # fmt: skip
    """The sampler's name if it goes by one, why it was chosen, and the warm-up's length if that is known by now."""
    if not isinstance(sampler, str):
        return {"named": None, "reason": "", "warmup": warmup}
    name, reason = sampler, ""
    if before is not None and (sampler == "auto" or sampler == before.record["named"]):  # as was chosen then
        name, reason, chosen = (before.record[key] for key in ("named", "reason", "warmup"))
        return {"named": name, "reason": reason, "warmup": chosen if warmup is None else warmup}
    if sampler == "auto":
        found, reason = named.choose(pipeline, n, steps, seed, labels)
        if progress:
            print(f"ppgn: {reason}", file=sys.stderr)
        if found is None:
            return {"named": None, "reason": reason, "warmup": warmup}
        name = found
    return {"named": name, "reason": reason, "warmup": named.default_warmup(name, steps) if warmup is None else warmup}


def _warmup(asked: int | None, settings: Mapping[str, Any], steps: int) -> int:
    """The length asked for, or the longest in the settings of the sampler and its parts."""

    def longest(settings: Mapping[str, Any]) -> int:
        parts = [longest(value) for value in settings.values() if isinstance(value, Mapping)]
        return max([int(settings.get("warmup", 0)), *parts])

    own = longest(settings)
    warmup = own if asked is None else asked
    if warmup < own:
        raise ValueError(f"warmup must be at least the sampler's own, {own}: it adapts until then, got {warmup}")
    if warmup and warmup >= steps:
        raise ValueError(f"warmup must be shorter than the run of {steps} steps that it is a part of, got {warmup}")
    return warmup


def _described_start(pipeline: Pipeline, start: Tensor | Density | None) -> Any:
    if isinstance(start, Tensor):
        return {"given": hashlib.sha256(start.detach().cpu().numpy().tobytes()).hexdigest()[:16]}
    return records.describe(_density_of_start(pipeline, start)) or "standard normals"


def _start(pipeline: Pipeline, n: int, seed: int, start: Tensor | Density | None) -> Tensor:
    device, dtype = records.of_device(pipeline.generator, start if isinstance(start, Tensor) else None)
    rng = streams(seed, n)
    if isinstance(start, Tensor):
        if pipeline.latent_shape is not None:
            require_shape("start", start.shape, (n, *pipeline.latent_shape), "one code per chain")
        elif len(start) != n:
            raise ValueError(f"start must hold one code per chain, n = {n}, got {len(start)}")
        return start.detach().to(device, dtype)
    density = _density_of_start(pipeline, start)
    if density is not None:
        return density.sample(n, rng).to(device, dtype)
    if pipeline.latent_shape is None:
        raise ValueError("start must be given, or the pipeline needs a latent_shape to draw codes of")
    return rng.normal(torch.empty((n, *pipeline.latent_shape), device=device, dtype=dtype), 0, "start")


def _density_of_start(pipeline: Pipeline, start: Density | None) -> Density | None:
    if start is not None:
        return start
    if pipeline.start is not None:
        return pipeline.start
    return pipeline.prior if isinstance(pipeline.prior, Density) else None


def _labels(pipeline: Pipeline, n: int) -> Tensor | None:
    """The class asked of each chain (n,), if one is."""
    asked = class_asked(pipeline.condition)
    if asked is None:
        return None
    label = asked.label.cpu()
    if label.ndim == 1 and len(label) != n:
        raise ValueError(f"label must be one number or one per chain: n = {n}, got {len(label)} labels")
    return label.expand(n).clone()
