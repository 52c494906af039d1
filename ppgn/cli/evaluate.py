"""`ppgn evaluate`: images of any origin, measured by a judge beside as many real ones."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from ppgn import data, evaluation, files, models, pretrained, saving, training
from ppgn.samples import Samples

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="a folder of `ppgn sample`; a folder or .zip of pictures; or an .npz")
]


@dataclass(frozen=True)
class Asked:
    """Images (N, C, H, W), uint8 or in [0, 1], what they were to show, (N,), and the run that made them."""

    images: Tensor
    labels: Tensor | None
    run: Samples | None = None


def evaluate_command(
    source: Source,
    data_source: Annotated[str, typer.Option("--data", help="real images: an .npz with x_train, y_train, x_test, ...")],
    split: Annotated[str, typer.Option(help="of an .npz or a folder with such parts: train or test")] = "train",
    label: Annotated[int | None, typer.Option(min=0, help="the class of all images, where SOURCE does not say")] = None,
    model: Annotated[str, typer.Option(help="bundled model whose judge and classifier are taken")] = "mnist",
    judge: Annotated[Path | None, typer.Option(help="instead, a file of `ppgn train classifier`")] = None,
    guide: Annotated[Path | None, typer.Option(help="the condition's classifier, a file; default: the model's")] = None,
    n: Annotated[int | None, typer.Option(min=1, help="take so many, by chance")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="that the run took, for its cost")] = None,
    level: Annotated[float, typer.Option(help="of all intervals")] = evaluation.LEVEL,
    seed: Annotated[int, typer.Option(min=0, help="of what is drawn by chance")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="a .json to write, with all rows and indices")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: a GPU if there is one")] = None,
) -> None:
    """Measure images by a judge that never guided them, beside real test images, both against training images."""
    if out is not None:
        files.check_writable(out)
    asked, place = _asked(source, split, label), training.join(device)
    real = evaluation.Real(data.load(data_source), data.load(data_source, "test"))
    judging, guiding = _networks(model, judge, guide, place)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        report = evaluation.evaluate(
            asked.images, asked.labels, real, judging,
            guide=guiding, run=asked.run, seconds=seconds, n=n, level=level, seed=seed,
        )  # fmt: skip
    for warning in told:
        typer.echo(f"ppgn: {warning.message}", err=True)
    typer.echo(report.table())
    if out is not None:
        took = round(time.perf_counter() - began, 1)
        files.write_json(out, {"source": source, "data": data_source, "evaluated_in_s": took, **report.to_json()})
        typer.echo(f"\nall of it in {out}")


def _asked(source: str, split: str, label: int | None) -> Asked:
    """The images of a saved run, its finished chains alone, or of an image set."""
    if (Path(source) / saving.RECORD).is_file():
        run = Samples.load(source)
        if not bool(run.finished.any()):
            raise ValueError(f"a run must have finished chains, but {source} has none")
        labels = None if run.labels is None else run.labels[run.finished]
        images = run.images[run.finished]
        return Asked(images, _told(labels, label, len(images)), run)
    found = data.load(source, split)
    return Asked(found.images, _told(found.labels if found.labelled else None, label, len(found)))


def _told(labels: Tensor | None, label: int | None, n: int) -> Tensor | None:
    """The labels there are, or the one given. Raises ValueError if both are."""
    if labels is not None and label is not None:
        raise ValueError(f"--label is for images without labels, but these have some, got --label {label}")
    return labels if label is None else torch.full((n,), label)


def _networks(
    model: str, judge: Path | None, guide: Path | None, place: torch.device
) -> tuple[evaluation.Judge, Callable[[Tensor], Tensor] | None]:
    """Judge and guide: the bundle's, unless files are given; no guide beside a judge of one's own."""
    judging: nn.Module = pretrained.network(model, "judge") if judge is None else models.load(judge)
    if not isinstance(judging, evaluation.Judge):
        raise ValueError(f"a judge must be a classifier with features, got {type(judging).__name__}")
    guiding: nn.Module | None = None
    if guide is not None:
        guiding = models.load(guide)
    elif judge is None:
        guiding = pretrained.network(model, "classifier")
    judging.to(place)
    return judging, None if guiding is None else guiding.to(place)
