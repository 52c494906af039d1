"""`evaluate`: all numbers of a set of samples, each beside the same number of as many real images."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ppgn import diagnostics, records
from ppgn.checks import require_eval, require_shape
from ppgn.evaluation import rows
from ppgn.evaluation.drawing import Real, Rows, drawn
from ppgn.evaluation.figures import LEVEL, quantile
from ppgn.evaluation.judging import Judge, named, warn_of_same
from ppgn.evaluation.memory import Nearest, nearest
from ppgn.evaluation.overlaps import K
from ppgn.evaluation.report import Report
from ppgn.evaluation.sides import Network, Side, Task, seen


@runtime_checkable
class Configured(Protocol):
    """A network that says how it was built, as ours do."""

    @property
    def config(self) -> dict[str, Any]:
        """Arguments by name."""
        ...


def evaluate(
    samples: Tensor,
    labels: Tensor | None,
    real: Real,
    judge: Judge,
    *,
    guide: Network | None = None,
    run: diagnostics.Run | None = None,
    seconds: float | None = None,
    n: int | None = None,
    k: int = K,
    level: float = LEVEL,
    seed: int = 0,
) -> Report:
    """Measure images by a judge, and beside them as many real test images, both against real training images.

    samples   (N, C, H, W), float in [0, 1] (brought to 8 bits, as the real ones are) or uint8
    labels    (N,) the class each was to show; None if that is not known
    real      `Real(train, test)`: image sets of the same shape, with labels if the samples have them
    judge     a classifier with features, in eval mode, that was never the condition
    guide     the condition's classifier
    run       the run that made the samples (`ppgn.Samples`), for its mixing and cost; seconds: that it took
    n         of the samples, so many by chance; never more than there are real test images of their class
    k         neighbours of precision, recall, density and coverage
    level     of all intervals
    seed      of the draws of real images, of pairs and halves

    Numbers that so few images cannot support are refused with the reason. Warns (`SameNetworkWarning`) if the judge
    is the guide or a network of the run's condition. Raises ValueError for images of another shape than the real ones
    or the judge's, labels that are no classes of the judge's, a network in train mode, or numbers out of their range.

    >>> import torch
    >>> from ppgn import data, pretrained
    >>> noise = torch.randint(256, (300, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    >>> parts = [data.ImageSet(part, torch.zeros(100, dtype=torch.int64)) for part in noise.split(100)]
    >>> report = evaluate(parts[0].images, None, Real(parts[1], parts[2]), pretrained.network("mnist", "judge"))
    >>> report.rows["judge_agreement"].samples.refused
    'the samples have no labels'
    """
    quantile(level)
    _check(samples, labels, real, judge, guide)
    warn_of_same(judge, _pleased(guide, run))
    chosen = drawn(len(samples), labels, real, n, seed)
    task, train = seen(samples, labels, real, chosen, judge, guide, (k, level, seed))
    near, floor = _nearest(task.samples, real, train), _nearest(task.floor, real, train)
    found = dict(rows.compared(task)) | dict(rows.of_memory(near, floor, level))
    if run is not None:
        found |= dict(rows.of_run(run, found["judge_agreement"].samples, seconds))
    return Report(found, near, _record(task, chosen, len(samples), judge, guide))


def _check(samples: Tensor, labels: Tensor | None, real: Real, judge: Judge, guide: Network | None) -> None:
    require_eval(judge, "judge")
    require_eval(guide, "guide")
    for part in real:
        require_shape("real images", part.image_shape, real.train.image_shape)
    if samples.ndim != 4 or len(samples) == 0:
        raise ValueError(f"samples must have shape (N, C, H, W), N > 0, got {tuple(samples.shape)}")
    require_shape("samples", tuple(samples.shape[1:]), real.train.image_shape, "the real images have that")
    if isinstance(judge, Configured) and "image_shape" in judge.config:
        needed = tuple(judge.config["image_shape"])
        require_shape("samples", tuple(samples.shape[1:]), needed, "the judge was made for those")
    if labels is not None and labels.shape != samples.shape[:1]:
        raise ValueError(f"one label a sample is needed, ({len(samples)},), got {tuple(labels.shape)}")


def _pleased(guide: Network | None, run: diagnostics.Run | None) -> list[str | None]:
    """The sha256 of all networks that the samples are known to have been made to please."""
    of_run = {} if run is None else run.record.get("weights", {})
    return [named(guide)["sha256"], *(sha256 for name, sha256 in of_run.items() if name.startswith("condition"))]


def _nearest(side: Side, real: Real, train: Tensor) -> dict[str, Nearest]:
    return {
        "pixels": nearest(side.images, real.train.images),
        "features": nearest(side.features, train),
    }


def _record(task: Task, chosen: Rows, given: int, judge: Judge, guide: Network | None) -> dict[str, Any]:
    return {
        "n": {"given": given, "used": len(chosen.samples)},
        "labelled": task.labelled,
        "judge": {**named(judge), "features": task.samples.features.shape[1]},
        "guide": None if guide is None else named(guide),
        "k": task.k,
        "level": task.level,
        "seed": task.seed,
        "rows": {name: part.tolist() for name, part in chosen._asdict().items()},
        "versions": records.versions(),
    }
