"""Run a trainer to its end: checkpoints, progress, TensorBoard, resume. What every `ppgn train` command shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

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
    checkpoint_every: int = 500,
    log_every: int = 50,
    tensorboard: bool = False,
    progress: bool = True,
) -> dict[str, float]:
    """Train for `steps` and write out/NAME.safetensors for every result; returns the last metrics.

    batches: step -> the batches from that step on (`ppgn.data.batches` with `start`).
    config: the run's arguments, JSON; a resume must have the same.
    resume: go on from out/checkpoint.safetensors if there is one; the end is the same to the bit, wherever it was cut.
    Ctrl-C and NaN keep the last checkpoint. Raises FileExistsError if `out` holds a run and resume is off,
    FloatingPointError naming the loss and step that became NaN or infinite.
    """
    path = out / "checkpoint.safetensors"
    start = _begin(path, trainer, config, resume)
    writer = _writer(out) if tensorboard else None
    metrics: Metrics = {}
    stream = islice(fit(trainer, batches(start), per_step(seed, device), start), max(0, steps - start))
    done = start
    with tqdm(total=steps, initial=start, disable=None if progress else True, unit="step") as bar:
        try:
            for done, metrics in enumerate(stream, start + 1):
                if done % log_every == 0 or done == steps:
                    _log(_finite(metrics, done), done, bar, writer)
                if done % checkpoint_every == 0:
                    _finite(metrics, done)
                    checkpoint.save(path, trainer, done, config)
        finally:
            if writer is not None:
                writer.close()
    last = _finite(metrics, done)
    checkpoint.save(path, trainer, done, config)
    for name, module in trainer.results.items():
        models.save(module, out / f"{name}.safetensors", {"trained": {"steps": done, "seed": seed, **config}})
    return last


def _begin(path: Path, trainer: Trainer[Any], config: Mapping[str, Any], resume: bool) -> int:
    """The step to start at. A new run has a checkpoint at once, so that it can be resumed wherever it is killed."""
    if resume:
        for left in path.parent.glob(f".{path.name}.*"):  # half a file, of a write that was killed
            left.unlink()
        if path.exists():
            return checkpoint.load(path, trainer, config)
    files.check_new_folder(path.parent)
    checkpoint.save(path, trainer, 0, config)
    return 0


def _finite(metrics: Mapping[str, Tensor], step: int) -> dict[str, float]:
    values = {name: float(value) for name, value in metrics.items()}
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise FloatingPointError(
            f"losses must stay finite: {', '.join(bad)} at step {step}; the last checkpoint is from before"
        )
    return values


def _log(values: Mapping[str, float], step: int, bar: Any, writer: Any) -> None:
    bar.update(step - bar.n)
    bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
    if writer is not None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)


def _writer(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError("TensorBoard is an extra: pip install 'ppgn[tensorboard]'") from None
    return SummaryWriter(str(out / "tensorboard"))
