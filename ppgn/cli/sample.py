"""`ppgn sample`: from a bundled model to a folder of results."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from ppgn import files, named, pretrained, saving, training
from ppgn.cli.labels import labelled
from ppgn.conditions import class_label
from ppgn.pipeline import Pipeline
from ppgn.samples import ChainError, Samples
from ppgn.sampling import sample


def sample_command(
    out: Annotated[Path, typer.Option(help="new folder for grid.png, chain.gif, samples.safetensors and run.json")],
    model: Annotated[
        str,
        typer.Option(help="a bundled model, `ppgn models` lists them; or a saved pipeline: its folder, or user/name"),
    ] = "mnist",
    variant: Annotated[str | None, typer.Option(help="one of the model's; default: its own")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="a class, by number or name, may be repeated; all; or none: no condition")
    ] = None,
    n: Annotated[int, typer.Option(help="chains for each label")] = 16,
    steps: Annotated[int, typer.Option(help="steps; with --resume, so many more")] = 200,
    seed: Annotated[int, typer.Option(help="chain i depends on (seed, i) alone")] = 0,
    sampler: Annotated[
        str | None,
        typer.Option(help=f"instead of the model's own: {', '.join(named.NAMES)}; they need a prior with a density"),
    ] = None,
    mode: Annotated[str | None, typer.Option(help="paper (its Eq. 11) or released (the authors' code)")] = None,
    eps_prior: Annotated[float | None, typer.Option(help="weight of the prior's score")] = None,
    eps_condition: Annotated[float | None, typer.Option(help="weight of the condition's gradient")] = None,
    eps_noise: Annotated[float | None, typer.Option(help="standard deviation of the noise")] = None,
    step_size: Annotated[float | None, typer.Option(help="released mode: mean move of a coordinate")] = None,
    gamma: Annotated[float | None, typer.Option(help="annealed: power of the condition, 1 is Bayes' rule")] = None,
    levels: Annotated[int | None, typer.Option(help="annealed: steps of its ladder; as many as --steps allows")] = None,
    batch_size: Annotated[int | None, typer.Option(help="evaluate so many chains at a time")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: a GPU if there is one")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="go on with the run saved in this folder; only --steps applies")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier run in --out")] = False,
    progress: Annotated[bool, typer.Option(help="a bar, on a terminal")] = True,
) -> None:
    """Sample images of a class from a bundled model and save them with their record."""
    files.check_new_folder(out, saving.RECORD if overwrite else None)
    given = {
        "mode": mode, "eps_prior": eps_prior, "eps_condition": eps_condition, "eps_noise": eps_noise,
        "step_size": step_size, "gamma": gamma, "levels": levels,
    }  # fmt: skip
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            if resume is not None:
                samples = _resumed(Samples.load(resume), steps, device, progress)
            else:
                settings = {name: value for name, value in given.items() if value is not None}
                if n < 1:
                    raise ValueError(f"n must be at least 1, got {n}")
                if sampler is not None and settings:
                    raise ValueError(f"--sampler walks with numbers of its own; leave out {', '.join(settings)}")
                found = training.join(device)
                if _is_saved(model):
                    pipeline, chains = _saved(model, variant, found, settings, batch_size), n
                else:
                    settings, label = _fitted(model, variant, settings, steps), label or _labels_of(model)
                    pipeline = pretrained.load(model, variant, device=found, settings=settings, batch_size=batch_size)
                if label is not None:
                    pipeline, chains = labelled(pipeline, label, n)
                samples = sample(pipeline, chains, steps, seed, sampler, progress=progress)
    except ChainError as error:
        error.samples.save(out, overwrite)
        raise
    samples.save(out, overwrite)
    for warning in told:
        typer.echo(f"ppgn: {warning.message}", err=True)
    ended = f"stopped after {samples.steps} steps; " if samples.record["interrupted"] else ""
    walk = f", their walk in {out / 'chain.gif'}" if (out / "chain.gif").exists() else ""
    typer.echo(f"{ended}{len(samples.images)} images in {out / 'grid.png'}{walk}")


def _fitted(model: str, variant: str | None, settings: dict[str, Any], steps: int) -> dict[str, Any]:
    """The settings, with a ladder that ends within the steps asked for."""
    described = pretrained.describe(model)
    levels = described["variants"].get(variant or described["default"], {"sampler": {}})["sampler"].get("levels", 0)
    return settings if "levels" in settings or levels <= steps else {**settings, "levels": max(1, steps)}


def _labels_of(model: str) -> list[str]:
    """What a bundled model shows if nothing is asked for."""
    return [pretrained.describe(model).get("label", "all")]


def _is_saved(model: str) -> bool:
    """Whether the name is that of a saved pipeline: a folder, or a repository as user/name."""
    return model not in pretrained.names() and ("/" in model or Path(model).is_dir())


def _saved(
    model: str, variant: str | None, device: torch.device, settings: dict[str, Any], batch_size: int | None
) -> Pipeline:
    """A saved pipeline, under its own condition."""
    if variant is not None or settings:
        told = ", ".join(["variant"] * (variant is not None) + list(settings))
        raise ValueError(f"a saved pipeline walks as it was saved; leave out {told}")
    pipeline = pretrained.from_pretrained(model, device=device)
    return pipeline if batch_size is None else replace(pipeline, batch_size=batch_size)


def _resumed(samples: Samples, steps: int, device: str | None, progress: bool) -> Samples:
    record = samples.record
    origin, walk, asked = (record.get(key, {}) for key in ("origin", "sampler", "condition"))
    bundled = walk.get("name") in ("annealed", "mala_approx")
    plain = bundled and not any(isinstance(value, dict) for value in walk.values())
    if "model" not in origin or asked.get("is") != "ClassLabel" or not plain:
        raise ValueError(
            "only runs of a bundled model under a class label, by annealed or mala_approx with plain numbers, are "
            "resumed from here; use Samples.resume"
        )
    settings = {name: value for name, value in walk.items() if name != "name"}
    pipeline = pretrained.load(
        origin["model"],
        origin["variant"],
        device=training.join(device),
        settings=settings,
        batch_size=record["batch_size"],
    )
    assert pipeline.classifier is not None
    condition = class_label(pipeline.classifier, asked["label"], objective=asked["objective"])
    return samples.resume(pipeline.given(condition), steps, progress=progress)
