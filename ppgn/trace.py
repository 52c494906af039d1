"""Take steps and note what happens on the way; a few copies a run, no host sync a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ppgn import images, statistics
from ppgn.samplers import walk
from ppgn.statistics import Statistics
from ppgn.types import Rng, Sampler

FRAME_NUMBERS = 1 << 26  # pictures of the walk are kept for as many chains as fit in so many bytes


@dataclass(frozen=True)
class Notes:
    """What to note.

    statistics    of every `every`-th state after the first `warmup` steps
    codes         whether to keep their codes too
    frame_every   pictures of the chains `shown`, 0: none
    pictured      the last step that has been pictured already
    """

    statistics: Statistics
    warmup: int
    every: int
    codes: bool
    frame_every: int
    shown: Tensor
    pictured: int = -1

    def due(self, step: int) -> bool:
        """Whether the state after so many steps is kept."""
        return step > self.warmup and (step - self.warmup) % self.every == 0


@dataclass(frozen=True)
class Trace:
    """A stretch of a walk: its last state, and what was noted (on the CPU)."""

    state: Any
    log_condition: Tensor  # (steps + 1, n), the first row being where the stretch began
    series: Tensor  # (k, names, n)
    chain: Tensor  # (k, n, *latent) or (0, n, *latent)
    frames: Tensor  # (f, m, C, H, W) uint8
    frame_steps: Tensor  # (f,)
    interrupted: bool  # by Ctrl-C, between two steps

    def then(self, more: Trace) -> Trace:
        """This stretch and the one that began where it ended."""
        return replace(
            more,
            log_condition=torch.cat([self.log_condition, more.log_condition[1:]]),
            series=torch.cat([self.series, more.series]),
            chain=torch.cat([self.chain, more.chain]),
            frames=torch.cat([self.frames, more.frames]),
            frame_steps=torch.cat([self.frame_steps, more.frame_steps]),
        )


def begun(state: Any, names: int, shown: Tensor) -> Trace:
    """The trace of a walk that has not taken a step, with room for so many statistics."""
    like = state.h.cpu()
    return Trace(
        state,
        state.terms.log_condition.cpu()[None],
        like.new_empty((0, names, len(like))),
        like.new_empty((0, *like.shape)),
        _no_frames(state.terms.image, len(shown)),
        torch.empty(0, dtype=torch.int64),
        interrupted=False,
    )


def take(sampler: Sampler[Any], state: Any, steps: int, rng: Rng, notes: Notes, bar: tqdm[Any]) -> Trace:
    """Walk `steps` from `state`; fewer if all chains are finished, or after Ctrl-C."""
    first, n = state.step, len(state.h)
    shown = notes.shown.to(state.h.device)
    kept = max(0, (first + steps - notes.warmup) // notes.every) - max(0, (first - notes.warmup) // notes.every)
    log_condition = state.terms.log_condition.new_empty((steps + 1, n))
    series = log_condition.new_empty((kept, len(notes.statistics), n))
    frames: dict[int, Tensor] = {}
    codes: list[Tensor] = []
    count = 0

    def look(state: Any) -> None:
        nonlocal count
        log_condition[state.step - first] = state.terms.log_condition
        if notes.frame_every and state.step % notes.frame_every == 0 and state.step > notes.pictured:
            frames[state.step] = images.to_uint8(state.terms.image[shown]).cpu()
            bar.set_postfix(log_p=f"{float(state.terms.log_condition.mean()):.3g}", refresh=False)
        if state.step > first and notes.due(state.step):
            series[count] = statistics.note(notes.statistics, state)
            if notes.codes:
                codes.append(state.h.cpu())
            count += 1

    interrupted = False
    try:
        for after in islice(walk(sampler, state, rng), steps + 1):
            look(after)
            bar.update(after.step - state.step)
            state = after
            if sampler.finished is not None and bool(sampler.finished(state).all()):
                break
    except KeyboardInterrupt:
        interrupted = True
    whole = sum(notes.due(step) for step in range(first + 1, state.step + 1))
    pictured = [step for step in frames if step <= state.step]
    return Trace(
        state,
        log_condition[: state.step - first + 1].cpu(),
        series[:whole].cpu(),
        torch.stack(codes[:whole]) if codes[:whole] else state.h.new_empty((0, *state.h.shape), device="cpu"),
        torch.stack([frames[step] for step in pictured]) if pictured else _no_frames(state.terms.image, len(shown)),
        torch.tensor(pictured, dtype=torch.int64),
        interrupted,
    )


def chains_to_show(image: Tensor, labels: Tensor | None, frames: int) -> Tensor:
    """Indices of the chains in the animation: the first of each class, as many as memory allows."""
    room = max(1, min(160, FRAME_NUMBERS // (max(1, frames) * image[0].numel())))
    if labels is None:
        return torch.arange(min(room, 16, len(image)))
    classes = labels.unique()
    each = max(1, min(room // len(classes), 16))
    rows = [(labels == label).nonzero().flatten()[:each] for label in classes]
    return torch.cat(rows)[:room].sort().values


def _no_frames(image: Tensor, rows: int) -> Tensor:
    return torch.empty((0, rows, *image.shape[1:]), dtype=torch.uint8)
