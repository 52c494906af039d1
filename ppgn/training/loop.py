"""The one training loop: a trainer says what one step is, `fit` takes steps, the caller slices, logs and saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

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
    """

    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer]
    update: Callable[[B, torch.Generator], Metrics]
    results: Mapping[str, nn.Module]
    learning_rates: Mapping[str, Schedule] = field(default_factory=dict)


def averaged_trainer(
    network: nn.Module,
    losses: Callable[[B, torch.Generator], Metrics],
    *,
    learning_rate: Schedule,
    average: float,
) -> Trainer[B]:
    """Trainer of one network by Adam on its losses["loss"]; the result is the moving average, of decay `average`."""
    averaged = average_of(network, average)
    optimizer = torch.optim.Adam(network.parameters())

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
    )


def fit(
    trainer: Trainer[B],
    batches: Iterable[B],
    rng: Callable[[int], torch.Generator],
    start: int = 0,
    precision: torch.dtype = torch.float32,
) -> Iterator[Metrics]:
    """Take one step per batch, endless if the batches are; yields each step's metrics.

    precision: of matrix products and convolutions (torch.autocast); weights and optimizers stay as they are. bfloat16
    is several times faster on GPUs and on CPUs with AMX. Raises ValueError for any but these two.

    rng: `ppgn.random.per_step(seed)`. Noise and dropout of a step depend on (seed, step) alone, and the global
    generator is left as it was, so a run resumed at `start` goes the way it would have gone.
    """
    if precision not in (torch.float32, torch.bfloat16):
        raise ValueError(f"precision must be torch.float32 or torch.bfloat16, got {precision}")
    for step, batch in enumerate(batches, start):
        for name, rate in trainer.learning_rates.items():
            for group in trainer.optimizers[name].param_groups:
                group["lr"] = rate(step) if callable(rate) else rate
        generator = rng(step)
        with _global_seed(generator), _rounded(generator.device, precision):
            metrics = trainer.update(batch, generator)
        yield metrics


def _rounded(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Autocast without its cache, in which a step of an optimizer would leave the weights of before it."""
    enabled = precision == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


@contextmanager
def _global_seed(generator: torch.Generator) -> Iterator[None]:
    """Layers that draw for themselves, as dropout does, follow the step's seed; the global generators are restored."""
    cuda = [generator.device] if generator.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(generator.initial_seed())
        for device in cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(generator.initial_seed())
        yield


def average_of(module: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of weights and buffers; `update_parameters` after each step.

    Over the first steps the decay is (1 + n) / (10 + n) where that is less, so that short runs forget their start too.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], seen: Tensor | int) -> None:
        rest = 1 - (1.0 + seen) / (10.0 + seen)
        weight = torch.clamp(torch.as_tensor(rest), min=1 - decay)
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value, weight.to(average))
            else:
                average.copy_(value)  # counters, as batch norm's

    return AveragedModel(module, multi_avg_fn=update, use_buffers=True)


def cosine(start: float, end: float, steps: int, warmup: int = 0) -> Callable[[int], float]:
    """A half cosine from `start` to `end` over `steps`, after a linear warm-up from 0."""

    def at(step: int) -> float:
        if step < warmup:
            return start * (step + 1) / warmup
        part = min(1.0, (step - warmup) / max(1, steps - warmup))
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * part))

    return at
