"""Run a trainer to its end: checkpoints, progress, TensorBoard, resume. What every `ppgn train` command shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ppgn import files, models
from ppgn.random import per_step
from ppgn.training import checkpoint
from ppgn.training.loop import Metrics, Trainer, fit

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
    checkpoint_every: int = 500,
    log_every: int = 50,
    tensorboard: bool = False,
    progress: bool = True,
) -> dict[str, float]:
    """Train for `steps` and write out/NAME.safetensors for every result; returns the last metrics.

    batches: step -> the batches from that step on (`ppgn.data.batches` with `start`).
    config: the run's arguments, JSON; a resume must have the same.
    resume: go on from out/checkpoint.safetensors if there is one; the end is the same to the bit, wherever it was cut.
    precision: see `fit`; bfloat16 rounds, and two machines may round otherwise.
    Ctrl-C and NaN keep the last checkpoint. Raises FileExistsError if `out` holds a run and resume is off,
    FloatingPointError naming the loss and step that became NaN or infinite.
    """
    path = out / "checkpoint.safetensors"
    for module in trainer.modules.values():
        module.to(memory_format=torch.channels_last)  # up to twice as fast a convolution; parameters stay the same
    rng = per_step(seed, device)
    start_log = _tensorboard() if tensorboard else None
    start = _begin(path, trainer, config, resume, probe=lambda: (next(batches(0)), rng(0)))
    writer = start_log(str(out / "tensorboard")) if start_log else None
    metrics: Metrics = {}
    spoilt: dict[str, Tensor] = {}
    done = start
    with tqdm(total=steps, initial=start, disable=None if progress else True, unit="step") as bar:
        try:
            for metrics in islice(fit(trainer, batches(start), rng, start, precision), max(0, steps - start)):
                done += 1
                _watch(spoilt, metrics, done)
                if done % log_every == 0 or done == steps:
                    _require_finite(spoilt, trainer)
                    _log(metrics, done, bar, writer)
                if done % checkpoint_every == 0 or done == steps:
                    _require_finite(spoilt, trainer)
                    checkpoint.save(path, trainer, done, config)
        finally:
            if writer is not None:
                writer.close()
    for name, module in trainer.results.items():
        models.save(module, out / f"{name}.safetensors", {"trained": {"steps": done, "seed": seed, **config}})
    return {name: float(value) for name, value in metrics.items()}


def _begin(
    path: Path, trainer: Trainer[Any], config: Mapping[str, Any], resume: bool, probe: Callable[[], object]
) -> int:
    """The step to start at. A new run has a checkpoint at once, so that it can be resumed wherever it is killed.

    `probe` tries data and seed, so that what is wrong with them shows before anything is written.
    """
    if resume:
        files.remove_halves(path)
        if path.exists():
            return checkpoint.load(path, trainer, config)
    files.check_new_folder(path.parent)
    probe()
    checkpoint.save(path, trainer, 0, config)
    return 0


def _watch(spoilt: dict[str, Tensor], metrics: Metrics, step: int) -> None:
    """Note, without waiting for the device, the first step at which each loss was not finite; -1: none."""
    for name, value in metrics.items():
        known = spoilt.get(name, torch.full_like(value, -1))
        spoilt[name] = torch.where((known < 0) & ~torch.isfinite(value), float(step), known)


def _require_finite(spoilt: Mapping[str, Tensor], trainer: Trainer[Any]) -> None:
    """Raise FloatingPointError, before anything is saved, if a loss or a weight is NaN or infinite."""
    steps = {name: int(step) for name, step in spoilt.items() if step >= 0}
    if steps:
        text = ", ".join(f"{name} at step {step}" for name, step in steps.items())
        raise FloatingPointError(f"losses must stay finite: {text}; the last checkpoint is from before")
    for name, module in trainer.modules.items():
        for key, value in module.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise FloatingPointError(f"weights must stay finite: {name}.{key}; the last checkpoint is from before")


def _log(metrics: Metrics, step: int, bar: Any, writer: Any) -> None:
    values = {name: float(value) for name, value in metrics.items()}
    bar.update(step - bar.n)
    bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
    if writer is not None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError("TensorBoard is an extra: pip install 'ppgn[tensorboard]'") from None
    return SummaryWriter
