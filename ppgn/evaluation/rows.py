"""The numbers of a report, one by one: of the samples, and of as many real test images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from ppgn import diagnostics
from ppgn.evaluation.chains import cost, mixing
from ppgn.evaluation.diversity import spread_in_classes
from ppgn.evaluation.figures import Figure, mean, measured, refused, share
from ppgn.evaluation.frechet import frechet_with_error
from ppgn.evaluation.kernel import kernel_with_error
from ppgn.evaluation.memory import Nearest, memorised
from ppgn.evaluation.overlaps import Overlap, overlap
from ppgn.evaluation.report import Row
from ppgn.evaluation.sides import Side, Task
from ppgn.evaluation.similarity import scales, similarity_in_classes
from ppgn.evaluation.two_samples import TwoSample, two_sample

Nearests = Mapping[str, Nearest]


def compared(task: Task) -> Iterator[tuple[str, Row]]:
    """Agreement, distances, overlap, diversity and the two-sample test, by name."""
    level, group = task.level, "a class" if task.labelled else "the set"
    yield "judge_agreement", _both(task, "judge agrees with the label", lambda s: _labelled(task, s, s.judged))
    if task.samples.guided is not None:
        yield "guide_agreement", _both(task, "guide agrees with the label", lambda s: _labelled(task, s, s.guided))
        yield "guide_and_judge", _both(task, "guide and judge agree", lambda s: _agreed(s.guided, s.judged, level))
    yield "frechet", _both(task, "Fréchet distance", lambda s: frechet_with_error(s.features, task.reference, level))
    yield "kernel", replace(_both(task, "kernel distance", lambda s: _kernel(task, s)), divided=False)
    overlaps = [_overlap(task, side) for side in (task.samples, task.floor)]
    for i, name in enumerate(Overlap._fields):
        yield name, Row(f"{name}, k = {task.k}", overlaps[0][i], overlaps[1][i])
    spreading = _both(task, f"mean distance in {group}", lambda s: spread_in_classes(s.features, s.labels, level))
    yield "spread", spreading
    name = f"MS-SSIM in {group}{_scales(task)}"
    yield "ms_ssim", _both(task, name, lambda s: similarity_in_classes(s.images, s.labels, task.seed, level))
    tests = [_tested(task, side) for side in (task.samples, task.floor)]
    yield "two_sample", Row("told from real by a classifier", tests[0].accuracy, tests[1].accuracy)
    yield "two_sample_p", Row("its p-value", tests[0].p_value, tests[1].p_value, divided=False)


def _both(task: Task, about: str, number: Callable[[Side], Figure]) -> Row:
    return Row(about, measured(number, task.samples), measured(number, task.floor))


def _kernel(task: Task, side: Side) -> Figure:
    return kernel_with_error(side.features, task.reference, side.labels if task.labelled else None, task.level)


def _scales(task: Task) -> str:
    try:
        count = scales(*task.samples.images.shape[2:])
    except ValueError:
        return ""
    return f", {count} scale{'s' * (count > 1)}"


def _labelled(task: Task, side: Side, found: Tensor | None) -> Figure:
    return _agreed(found, side.labels, task.level) if task.labelled else refused("the samples have no labels")


def _agreed(found: Tensor | None, classes: Tensor, level: float) -> Figure:
    return refused("there is no guide") if found is None else share(found == classes, level)


def _overlap(task: Task, side: Side) -> Overlap:
    try:
        return overlap(side.features, task.reference, task.k, task.level)
    except ValueError as error:
        return Overlap(*[refused(str(error))] * 4)


def _tested(task: Task, side: Side) -> TwoSample:
    try:
        return two_sample(side.features, task.reference, task.seed, task.level)
    except ValueError as error:
        return TwoSample(*[refused(str(error))] * 2)


def of_memory(near: Nearests, floor: Nearests, level: float) -> Iterator[tuple[str, Row]]:
    """How near training images are, in pixels and in features, by name."""
    for name, found in near.items():
        real = floor[name]
        distances = [measured(mean, x.distance, level) for x in (found, real)]
        yield f"nearest_{name}", Row(f"nearest training image, {name}", distances[0], distances[1])
        shares = [measured(memorised, x, real, level) for x in (found, real)]
        yield f"memorised_{name}", Row(f"nearer than 1 % of real, {name}", shares[0], shares[1])


def of_run(run: diagnostics.Run, agreement: Figure, seconds: float | None) -> Iterator[tuple[str, Row]]:
    """How the chains mixed, and what an independent success has cost."""
    try:
        mixed = mixing(run)
    except (ValueError, ImportError) as error:
        yield "draws", Row("independent draws", refused(str(error)))
        return
    series = "" if mixed.worst is None else f" ({mixed.worst})"
    yield "draws", Row(f"independent draws{series}", Figure(mixed.draws))
    if mixed.r_hat is not None:
        yield "r_hat", Row("R-hat, the worst", Figure(mixed.r_hat))
    steps = run.steps * len(run.finished)
    yield "cost_steps", Row("chain steps a success", measured(cost, steps, mixed.draws, agreement))
    if seconds is not None:
        yield "cost_seconds", Row("seconds a success", measured(cost, seconds, mixed.draws, agreement))
