"""The cells of a design: a setting and a seed each, independent of one another, known by what they depend on."""

from __future__ import annotations

import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ppgn import evaluation, files, records
from ppgn.ablation import pictures, results, walks
from ppgn.ablation.axes import Value
from ppgn.ablation.design import Design
from ppgn.ablation.mixing import cost, mixing
from ppgn.ablation.parts import Given, built
from ppgn.pipeline import Pipeline
from ppgn.samples import Samples
from ppgn.sampling import sample


@dataclass(frozen=True)
class Cell:
    """One run of an ablation.

    settings   axis -> value, steps and model included
    labels     the classes asked for, n chains each
    classes    that the model has
    weights    sha256 of every network of the pipeline, by its dotted name
    id         of settings, seed, n, labels and the fingerprints of the networks and of the walk: sixteen digits
    """

    settings: Mapping[str, Value]
    seed: int
    n: int
    labels: tuple[int, ...]
    classes: int
    weights: Mapping[str, str]
    id: str

    @property
    def asked(self) -> Tensor:
        """The label of each chain (n * labels,), class by class."""
        return torch.tensor(self.labels).repeat_interleave(self.n)


Measure = Callable[[Samples, Cell], Mapping[str, float | str]]
"""What is measured of a cell's samples: name -> number, or, where there can be none, the reason why."""


def cells(design: Design, given: Given, judges: Mapping[str, nn.Module | None]) -> list[Cell]:
    """All cells, in the order of the design, seed by seed; each setting is built once, so that all of them fit.

    judges   model -> the network that judges its images, which must be no condition

    Raises ValueError that names the setting, for whatever does not fit in it.
    """
    found: dict[str, Cell] = {}
    for settings in design.settings():
        try:
            pipeline = built(settings, given)
            labels, classes, prints = _tried(pipeline, settings, design, given)
            _require_other(judges.get(str(settings["model"])), pipeline)
        except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
            raise ValueError(f"{told(settings)}: {error}") from error
        for seed in range(design.seeds):
            content = {"settings": settings, "seed": seed, "n": design.n, "labels": labels, **prints}
            name = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
            found.setdefault(name, Cell(settings, seed, design.n, labels, classes, prints["weights"], name))
    return list(found.values())


def walked(cell: Cell, given: Given, measure: Measure, out: Path) -> dict[str, Any]:
    """The cell's row, its pictures written: settings, figures, reasons for those that are not, warnings, seconds.

    A cell that fails has its error in its row, and figures of none. Raises KeyboardInterrupt for Ctrl-C.
    """
    row = {"id": cell.id, "settings": dict(cell.settings), "seed": cell.seed, "n": cell.n, "labels": list(cell.labels)}
    began = time.perf_counter()
    seconds: float | None = None
    figures: dict[str, float | str] = {}
    samples: Samples | None = None
    error: str | None = None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            pipeline = walks.asked(built(cell.settings, given), cell.settings, cell.asked)
            samples = _samples(cell, pipeline, given)
            seconds = time.perf_counter() - began
            measured = measure(samples, cell)
            figures = {**measured, **_own(samples, cell, pipeline), **measured}  # in that order
            if "judge" in measured:
                figures["cost"] = cost(figures, samples, seconds)
            pictures.write(samples, cell.asked, results.picture_path(out, cell.id), results.walk_path(out, cell.id))
        except Exception as failure:  # whatever it is, the other cells go on
            first = str(failure).splitlines()[0] if str(failure) else ""
            error, figures = f"{type(failure).__name__}: {first}", {}
    numbers, reasons = _parted(figures)
    return {
        **row,
        "figures": numbers,
        "reasons": reasons,
        "sampler": None if samples is None else samples.record["sampler"]["name"],
        "exact": None if samples is None else samples.exact,
        "walk_steps": [] if samples is None else samples.frame_steps.tolist(),
        "warnings": list(dict.fromkeys(str(one.message) for one in said)),
        "error": error,
        "seconds": seconds,
        "networks": dict(cell.weights),
        "device": records.device_name(given.device),
        "versions": records.versions(),
    }


def told(settings: Mapping[str, Value]) -> str:
    """A setting in a line: `model=mnist eps_noise=0.1`."""
    shown = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in settings.items()}
    return " ".join(f"{name}={value}" for name, value in shown.items())


def _tried(
    pipeline: Pipeline, settings: Mapping[str, Value], design: Design, given: Given
) -> tuple[tuple[int, ...], int, dict[str, Any]]:
    """(labels, classes, fingerprints) of a setting, all of which is put together but not walked."""
    shape, classes = walks.shape_and_classes(pipeline)
    if given.images is not None and given.images.image_shape != shape:
        raise ValueError(f"images must be as the model makes them, {shape}, got {given.images.image_shape}")
    labels = design.labels or tuple(range(classes))
    if max(labels) >= classes:
        raise ValueError(f"labels must be of 0..{classes - 1}, the model has {classes} classes, got {max(labels)}")
    chains = torch.tensor(labels)
    target = walks.asked(pipeline, settings, chains)
    walks.start_of(settings, target, chains, 0, given)
    return labels, classes, walks.fingerprints(target, settings, given)


def _require_other(judge: nn.Module | None, pipeline: Pipeline) -> None:
    """A judge that is the condition would agree with itself."""
    if judge is not None and pipeline.classifier is not None:
        own = {files.fingerprint(one) for _, one in records.networks(pipeline.classifier)}
        if files.fingerprint(judge) in own:
            raise ValueError("classifier must be another network than the judge, which is never a condition")


def _samples(cell: Cell, pipeline: Pipeline, given: Given) -> Samples:
    name = str(cell.settings.get("sampler", "own"))
    start = walks.start_of(cell.settings, pipeline, cell.asked, cell.seed, given)
    samples = sample(
        pipeline, len(cell.asked), int(cell.settings["steps"]), cell.seed, None if name == "own" else name,
        progress=False, frames=pictures.FRAMES, start=start,
    )  # fmt: skip
    if samples.record["interrupted"]:
        raise KeyboardInterrupt
    return samples


@torch.no_grad()
def _own(samples: Samples, cell: Cell, pipeline: Pipeline) -> dict[str, float | str]:
    """What no judge is needed for: how far the condition itself was met, and how the chains mixed."""
    guide = pipeline.classifier
    assert guide is not None
    device, dtype = records.of_device(guide)
    logits = evaluation.in_parts(guide, samples.images.to(device, dtype)).double().cpu()
    own = logits.log_softmax(1).gather(1, cell.asked[:, None])[:, 0]
    return {
        "guide": float((logits.argmax(1) == cell.asked).double().mean()),
        "log_p": float(own.mean()),
        **mixing(samples),
    }


def _parted(figures: Mapping[str, float | str]) -> tuple[dict[str, float | None], dict[str, str]]:
    """(numbers, reasons for those that are none)."""
    reasons = {name: value for name, value in figures.items() if isinstance(value, str)}
    for name, value in figures.items():
        if not isinstance(value, str) and not math.isfinite(value):
            reasons[name] = f"it is {value}"
    return {name: None if name in reasons else float(value) for name, value in figures.items()}, reasons
