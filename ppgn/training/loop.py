"""The one training loop: a trainer says what one step is, `fit` takes steps, the caller slices, logs and saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ppgn.training import processes
from ppgn.types import Schedule

B = TypeVar("B")
Metrics = Mapping[str, Tensor]


@dataclass(frozen=True)
class Trainer(Generic[B]):
    """Modules and optimizers that learn, and the function that makes them take one step.

    modules      everything a checkpoint must hold, averages and flags included
    optimizers   by name; `learning_rates` may give a schedule for each
    update       (batch, rng) -> detached scalars; changes modules and optimizers in place
    results      the networks that the run is for (usually averages), written when it ends
    clip         greatest norm of the gradient of each optimizer, to which `fit` shortens longer ones
    sheet        (a batch, rng) -> images (N, C, H, W) in [0, 1] that show how far the results are; see `run`
    """

    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer]
    update: Callable[[B, torch.Generator], Metrics]
    results: Mapping[str, nn.Module]
    learning_rates: Mapping[str, Schedule] = field(default_factory=dict)
    clip: float | None = None
    sheet: Callable[[B, torch.Generator], Tensor] | None = None


def averaged_trainer(
    network: nn.Module,
    losses: Callable[[B, torch.Generator], Metrics],
    *,
    learning_rate: Schedule,
    average: float,
    clip: float | None = None,
    sheet: Callable[[Any, B, torch.Generator], Tensor] | None = None,
) -> Trainer[B]:
    """Trainer of one network by Adam on its losses["loss"]; the result is the moving average, of decay `average`.

    sheet: as a Trainer's, but it is handed the averaged network first.
    """
    averaged = average_of(network, average)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def update(batch: B, rng: torch.Generator) -> Metrics:
        network.train()
        metrics = losses(batch, rng)
        optimizer.zero_grad()
        metrics["loss"].backward()
        optimizer.step()
        averaged.update_parameters(network)
        return {name: value.detach() for name, value in metrics.items()}

    return Trainer(
        modules={"network": network, "averaged": averaged},
        optimizers={"network": optimizer},
        update=update,
        results={"model": averaged.module},
        learning_rates={"network": learning_rate},
        clip=clip,
        sheet=None if sheet is None else lambda batch, rng: sheet(averaged.module, batch, rng),
    )


def fit(
    trainer: Trainer[B],
    batches: Iterable[B],
    rng: Callable[[int], torch.Generator],
    start: int = 0,
    precision: torch.dtype = torch.float32,
    clip: float | None = None,
) -> Iterator[Metrics]:
    """Take one step per batch, endless if the batches are; yields each step's metrics, those of this process's part.

    Of several processes (`processes.join`) each takes its rows of every batch; a step is one on the whole batch.

    precision: of matrix products and convolutions (torch.autocast); weights and optimizers stay as they are. bfloat16
    is several times faster on GPUs and on CPUs with AMX. Raises ValueError for any but these two.

    rng: `ppgn.random.per_step(seed)`. Noise and dropout of a step depend on (seed, step) alone, and the global
    generator is left as it was, so a run resumed at `start` goes the way it would have gone.

    clip: greatest norm of the gradient of each optimizer, to which longer ones are shortened; None: the trainer's own.
    """
    if precision not in (torch.float32, torch.bfloat16):
        raise ValueError(f"precision must be torch.float32 or torch.bfloat16, got {precision}")
    most = trainer.clip if clip is None else clip
    if most is not None and not most > 0:
        raise ValueError(f"clip must be positive, got {most}")
    with _gradients_ready(list(trainer.optimizers.values()), most):
        for step, batch in enumerate(batches, start):
            for name, rate in trainer.learning_rates.items():
                for group in trainer.optimizers[name].param_groups:
                    group["lr"] = rate(step) if callable(rate) else rate
            generator = rng(step)
            with global_seed(generator), _rounded(generator.device, precision):
                metrics = trainer.update(processes.own_part(batch), generator)
            yield metrics


@contextmanager
def _gradients_ready(optimizers: Sequence[Optimizer], most: float | None) -> Iterator[None]:
    """Before an optimizer's step its gradients are averaged over the processes, then shortened to a norm of `most`."""

    def prepare(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        processes.average([p.grad for p in parameters])
        if most is not None:
            clip_grad_norm_(parameters, most)

    needed = most is not None or processes.count() > 1
    hooks = [optimizer.register_step_pre_hook(prepare) for optimizer in optimizers if needed]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _rounded(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Autocast without its cache, in which a step of an optimizer would leave the weights of before it."""
    enabled = precision == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


@contextmanager
def global_seed(generator: torch.Generator) -> Iterator[None]:
    """Layers that draw for themselves, as dropout does, follow the step's seed; the global generators are restored.

    Each process has a seed of its own, that the same masks do not fall on all parts of a batch.
    """
    seed = generator.initial_seed() + processes.index()
    cuda = [generator.device] if generator.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for device in cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def average_of(module: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of weights and buffers; `update_parameters` after each step.

    Over the first steps the decay is (1 + n) / (10 + n) where that is less, so that short runs forget their start too.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], seen: Tensor | int) -> None:
        rest = 1 - (1.0 + seen) / (10.0 + seen)
        weight = torch.clamp(torch.as_tensor(rest), min=1 - decay)
        real = [i for i, average in enumerate(averages) if average.is_floating_point()]
        targets = [averages[i] for i in real]
        weights = {kind: weight.to(targets[0].device, kind) for kind in {target.dtype for target in targets}}
        if real:
            torch._foreach_lerp_(targets, [values[i] for i in real], [weights[target.dtype] for target in targets])
        for i in set(range(len(averages))).difference(real):
            averages[i].copy_(values[i])  # counters, as batch norm's

    return AveragedModel(module, multi_avg_fn=update, use_buffers=True)


def cosine(start: float, end: float, steps: int, warmup: int = 0) -> Callable[[int], float]:
    """A half cosine from `start` to `end` over `steps`, after a linear warm-up from 0."""

    def at(step: int) -> float:
        if step < warmup:
            return start * (step + 1) / warmup
        part = min(1.0, (step - warmup) / max(1, steps - warmup))
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * part))

    return at
