"""Run a trainer to its end: checkpoints, progress, TensorBoard, resume. What every `ppgn train` command shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ppgn import files, models
from ppgn.random import per_step
from ppgn.training import checkpoint, processes, reporting
from ppgn.training.loop import Metrics, Trainer, fit
from ppgn.training.sheets import contact_sheet

B = TypeVar("B")


def run(
    trainer: Trainer[B],
    batches: Callable[[int], Iterator[B]],
    *,
    steps: int,
    seed: int,
    out: Path,
    config: Mapping[str, Any],
    resume: bool = False,
    device: Any = "cpu",
    precision: torch.dtype = torch.float32,
    clip: float | None = None,
    checkpoint_every: int = 500,
    log_every: int = 50,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    tensorboard: bool = False,
    progress: bool = True,
) -> dict[str, float]:
    """Train for `steps` and write out/NAME.safetensors for every result; returns the last metrics.

    batches: step -> the batches from that step on (`ppgn.data.batches` with `start`).
    config: the run's arguments, JSON; a resume must have the same.
    resume: go on from out/checkpoint.safetensors if there is one; the end is the same to the bit, wherever it was cut.
    precision, clip: see `fit`; bfloat16 rounds, and two machines may round otherwise.
    steps_per_epoch: write the trainer's sheet, of the first batch, to out/samples/epoch-0001.png every so often.
    batch_size: of all processes; with it the bar counts images.

    Started by `accelerate launch` or torchrun, the processes share each batch, and the main one writes; `out` must be
    the same folder for all. Ctrl-C and NaN keep the last checkpoint. Raises FileExistsError if `out` holds a run and
    resume is off, FloatingPointError naming the loss and step that became NaN or infinite, and the checkpoint to go
    on from, ValueError for a batch that the processes cannot share.
    """
    path = out / "checkpoint.safetensors"
    processes.join(device)
    for module in trainer.modules.values():
        module.to(memory_format=torch.channels_last)  # up to twice as fast a convolution; parameters stay the same
    if tensorboard:
        reporting.tensorboard_writer()  # if it is not there, this shows before anything is written
    rng = per_step(seed, device)
    start = processes.main_first(
        lambda: _begin(path, trainer, config, resume, probe=lambda: (processes.own_part(next(batches(0))), rng(0)))
    )
    if not processes.is_main():
        checkpoint.load(path, trainer, config)
    metrics: Metrics = {}
    spoilt: dict[str, Tensor] = {}
    saved = done = start
    with reporting.reports(
        out, steps=steps, start=start, batch_size=batch_size, tensorboard=tensorboard, progress=progress
    ) as reports:
        for metrics in islice(fit(trainer, batches(start), rng, start, precision, clip), max(0, steps - start)):
            done += 1
            reports.advance()
            _watch(spoilt, metrics, done)
            intervals = (log_every, checkpoint_every, steps_per_epoch or steps)
            log, save, show = (done % interval == 0 or done == steps for interval in intervals)
            if log or save or show:
                _require_finite(spoilt, trainer, f"the last good checkpoint is {path}, of step {saved}")
            if log:
                reports.log(processes.means(metrics), done)
            if show and steps_per_epoch and trainer.sheet is not None and processes.is_main():
                sheet = contact_sheet(trainer, next(batches(0)), torch.Generator(device).manual_seed(seed))
                reports.show(sheet, -(-done // steps_per_epoch), done)
            if save:  # after the sheet, which a resumed run would not make again
                saved = _save(path, trainer, done, config)
    if processes.is_main():
        for name, module in trainer.results.items():
            models.save(module, out / f"{name}.safetensors", {"trained": {"steps": done, "seed": seed, **config}})
    processes.wait_for_all()  # the files are there when any process goes on
    return {name: float(value) for name, value in processes.means(metrics).items()}


def _save(path: Path, trainer: Trainer[Any], step: int, config: Mapping[str, Any]) -> int:
    """The step, once the main process has written its checkpoint."""
    if processes.is_main():
        checkpoint.save(path, trainer, step, config)
    return step


def _begin(
    path: Path, trainer: Trainer[Any], config: Mapping[str, Any], resume: bool, probe: Callable[[], object]
) -> int:
    """The step to start at. A new run has a checkpoint at once, so that it can be resumed wherever it is killed.

    `probe` tries data and seed, so that what is wrong with them shows before anything is written.
    """
    if resume:
        files.remove_halves(path)
        files.remove_halves(path.parent / reporting.SAMPLES / "epoch-*")
        if path.exists():
            return checkpoint.load(path, trainer, config)
    files.check_new_folder(path.parent)
    probe()
    checkpoint.save(path, trainer, 0, config)
    return 0


def _watch(spoilt: dict[str, Tensor], metrics: Metrics, step: int) -> None:
    """Note, without waiting for the device, the first step at which each loss was not finite; infinity: none."""
    for name, value in metrics.items():
        known = spoilt.get(name)
        if known is None:
            known = torch.full_like(value, torch.inf, dtype=torch.float32)
        spoilt[name] = torch.where(torch.isfinite(value), known, known.clamp(max=step))


def _require_finite(spoilt: Mapping[str, Tensor], trainer: Trainer[Any], kept: str) -> None:
    """Raise FloatingPointError, before anything is saved, if a loss or a weight is NaN or infinite, in any process."""
    first = processes.least(torch.stack(list(spoilt.values()))) if spoilt else torch.empty(0)
    steps = {name: int(step) for name, step in zip(spoilt, first.tolist(), strict=True) if step < torch.inf}
    if steps:
        text = ", ".join(f"{name} at step {step}" for name, step in steps.items())
        raise FloatingPointError(f"losses must stay finite: {text}; {kept}")
    for name, module in trainer.modules.items():
        for key, value in module.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise FloatingPointError(f"weights must stay finite: {name}.{key}; {kept}")
