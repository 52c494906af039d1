"""`ppgn sample`: from a bundled model and what is asked of it to a folder of results."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import typer

from ppgn import files, pretrained, recipes, samplers, saving, training
from ppgn.cli.asking import Wishes, asked, nothing_asked, started
from ppgn.cli.commands import command
from ppgn.cli.showing import save_kept, save_seen
from ppgn.cli.walking import Run, Walk
from ppgn.conditions import class_label
from ppgn.conditions._parts import in_nats
from ppgn.pipeline import Pipeline
from ppgn.pretrained.bundled import fitted
from ppgn.samples import ChainError, Samples
from ppgn.sampling import sample
from ppgn.types import Density

STEPS = 200
LIMIT = 1.0  # of the pull of known pixels, for an annealed walk


@command(Run, Wishes, Walk)
def sample_command(run: Run, wishes: Wishes, walk: Walk) -> None:
    """Sample images of what is asked, all of which is to hold, and save them with their record."""
    files.check_new_folder(run.out, saving.RECORD if run.overwrite else None)
    wishes, walk = _followed(wishes, walk)
    pipeline = None
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            if run.resume is not None:
                samples = _resumed(Samples.load(run.resume), run)
            else:
                pipeline, samples = _sampled(run, wishes, walk)
    except ChainError as error:
        error.samples.save(run.out, run.overwrite)
        raise
    samples.save(run.out, run.overwrite)
    for warning in told:
        typer.echo(f"ppgn: {warning.message}", err=True)
    ended = f"stopped after {samples.steps} steps; " if samples.record["interrupted"] else ""
    shown = f", their walk in {run.out / 'chain.gif'}" if (run.out / "chain.gif").exists() else ""
    shown += f", filled in {run.out / 'filled.png'}" if samples.filled is not None else ""
    typer.echo(f"{ended}{len(samples.images)} images in {run.out / 'grid.png'}{shown}")
    if pipeline is not None and walk.keep_above is not None:
        typer.echo(save_kept(pipeline, samples, walk.keep_above, run.out / "kept.png"))
    if pipeline is not None and walk.crop:
        typer.echo(save_seen(pipeline, samples, run.out / "seen.png"))


def _sampled(run: Run, wishes: Wishes, walk: Walk) -> tuple[Pipeline, Samples]:
    """The pipeline under what is asked, and its samples."""
    if run.n < 1:
        raise ValueError(f"n must be at least 1, got {run.n}")
    recipe = None if walk.recipe is None else recipes.recipe(walk.recipe)
    steps = run.steps if run.steps is not None else STEPS if recipe is None else recipe.steps
    pipeline = _pipeline(run, walk, steps, steep=wishes.inpaint is not None)
    if nothing_asked(wishes) and not _is_saved(run.model):
        wishes = replace(wishes, label=[pretrained.describe(run.model).get("label", "all")])
    pipeline, chains = asked(pipeline, wishes, run.n, "log_prob" if recipe is None else recipe.objective)
    if walk.keep_above is not None and not in_nats(pipeline.condition):
        raise ValueError("--keep-above is a probability, which a unit's activation has none of; see --recipe")
    if recipe is not None:
        pipeline = recipe.applied(pipeline)
    start = started(pipeline, wishes, chains, run.seed)
    if walk.restart is not None:
        pipeline = _restarting(pipeline, walk.restart)
    found = sample(pipeline, chains, steps, run.seed, walk.sampler, progress=run.progress, start=start, thin=walk.thin)
    return pipeline, found


def _followed(wishes: Wishes, walk: Walk) -> tuple[Wishes, Walk]:
    """Both as the recipe has them, which says so. Raises ValueError for wishes that it is not about."""
    walk.check()
    if walk.crop and wishes.unit is None:
        raise ValueError("--crop shows what a --unit sees; give one")
    if walk.recipe is None:
        return wishes, walk
    recipe = recipes.recipe(walk.recipe)
    if getattr(wishes, recipe.asks) is None:
        raise ValueError(f"{recipe.name} needs --{recipe.asks}")
    start = wishes.start or (wishes.inpaint if recipe.start == "image" else None)
    if recipe.start == "image" and start is None:
        raise ValueError(f"{recipe.name} begins at a picture; give --start")
    typer.echo(recipe.told(), err=True)
    noise = wishes.noise if recipe.noise is None else recipe.noise
    wishes = replace(wishes, in_turn=wishes.in_turn or recipe.each, start=start, noise=noise)
    thin, above = walk.thin or recipe.save_every, walk.keep_above or recipe.above
    return wishes, replace(walk, thin=thin, keep_above=above, crop=walk.crop or wishes.unit is not None)


def _pipeline(run: Run, walk: Walk, steps: int, steep: bool) -> Pipeline:
    """The model under no condition yet; steep: for known pixels, whose pull a ladder of noise has to limit."""
    device, settings = training.join(run.device), walk.settings
    if _is_saved(run.model):
        return _saved(run, device, settings)
    described = pretrained.describe(run.model)
    variant = run.variant
    if walk.recipe is not None and variant is None and "noiseless" in described["variants"]:
        variant = "noiseless"  # what the authors walked
    settings = fitted(described, variant, settings, steps)
    kind = described["variants"].get(variant or described["default"], {"sampler": {"kind": ""}})["sampler"]["kind"]
    if steep and kind == "annealed":
        settings = {"limit": LIMIT, **settings}
    return pretrained.load(run.model, variant, device=device, settings=settings, batch_size=run.batch_size)


def _restarting(pipeline: Pipeline, every: int) -> Pipeline:
    """The same, each chain leaving for its start every so many steps."""
    inner = pipeline.sampler
    start = pipeline.start if pipeline.start is not None else pipeline.prior
    if inner is None or not isinstance(start, Density):
        raise ValueError("--restart needs a model with a sampler of its own and a start to draw codes from")
    return replace(pipeline, sampler=lambda target: samplers.restarting(inner(target), every, start))


def _is_saved(model: str) -> bool:
    """Whether the name is that of a saved pipeline: a folder, or a repository as user/name."""
    return model not in pretrained.names() and ("/" in model or Path(model).is_dir())


def _saved(run: Run, device: torch.device, settings: dict[str, Any]) -> Pipeline:
    """A saved pipeline, under its own condition."""
    if run.variant is not None or settings:
        told = ", ".join(["variant"] * (run.variant is not None) + list(settings))
        raise ValueError(f"a saved pipeline walks as it was saved; leave out {told}")
    pipeline = pretrained.from_pretrained(run.model, device=device)
    return pipeline if run.batch_size is None else replace(pipeline, batch_size=run.batch_size)


def _resumed(samples: Samples, run: Run) -> Samples:
    record = samples.record
    origin, walk, asked = (record.get(key, {}) for key in ("origin", "sampler", "condition"))
    own = pretrained.describe(origin["model"])["variants"][origin["variant"]] if "model" in origin else None
    if own is None or asked.get("is") != "ClassLabel" or walk.get("name") != own["sampler"]["kind"]:
        raise ValueError(
            "only runs of a bundled model under a class label, by the sampler that it recommends, are resumed from "
            "here; use Samples.resume"
        )
    settings = {name: value for name, value in walk.items() if name != "name"}
    pipeline = pretrained.load(
        origin["model"],
        origin["variant"],
        device=training.join(run.device),
        settings=settings,
        batch_size=record["batch_size"],
    )
    assert pipeline.classifier is not None
    condition = class_label(pipeline.classifier, asked["label"], objective=asked["objective"])
    return samples.resume(pipeline.given(condition), STEPS if run.steps is None else run.steps, progress=run.progress)
