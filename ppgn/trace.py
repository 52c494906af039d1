"""Take steps and note what happens on the way; a few copies a run, no host sync a step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ppgn import images
from ppgn.samplers import walk
from ppgn.types import Rng, Sampler

FRAME_NUMBERS = 1 << 26  # pictures of the walk are kept for as many chains as fit in so many bytes


@dataclass(frozen=True)
class Notes:
    """What to note: every `thin`-th code, every `frame_every`-th picture of the chains `shown` (0: none)."""

    thin: int
    frame_every: int
    shown: Tensor
    pictured: bool = False  # whether the first state has been pictured before, as a resumed one has


@dataclass(frozen=True)
class Trace:
    """A stretch of a walk: its last state, and what was noted (on the CPU). Ctrl-C ends it early, between two steps."""

    state: Any
    log_condition: Tensor  # (steps + 1, n), the first row being where the stretch began
    frames: Tensor  # (f, m, C, H, W) uint8
    frame_steps: Tensor  # (f,)
    chain: Tensor  # (k, n, *latent)
    interrupted: bool


def take(sampler: Sampler[Any], state: Any, steps: int, rng: Rng, notes: Notes, progress: bool) -> Trace:
    """Walk `steps` from `state`, noting that one too unless `notes.pictured`."""
    first = state.step
    log_condition = state.terms.log_condition.new_empty((steps + 1, len(state.h)))
    shown = notes.shown.to(state.h.device)
    frames: dict[int, Tensor] = {}
    chain: dict[int, Tensor] = {}

    def note(state: Any) -> None:
        log_condition[state.step - first] = state.terms.log_condition
        fresh = state.step > first or not notes.pictured
        if notes.frame_every and state.step % notes.frame_every == 0 and fresh:
            frames[state.step] = images.to_uint8(state.terms.image[shown]).cpu()
            bar.set_postfix(log_p=f"{float(state.terms.log_condition.mean()):.3g}", refresh=False)
        if notes.thin and state.step > first and state.step % notes.thin == 0:
            chain[state.step] = state.h.cpu()

    interrupted = False
    with tqdm(total=steps, disable=None if progress else True, unit="step") as bar:
        try:
            for after in islice(walk(sampler, state, rng), steps + 1):
                note(after)
                bar.update(after.step - state.step)
                state = after
        except KeyboardInterrupt:
            interrupted = True
    kept = [step for step in frames if step <= state.step]
    codes = [code for step, code in chain.items() if step <= state.step]
    return Trace(
        state,
        log_condition[: state.step - first + 1].cpu(),
        torch.stack([frames[step] for step in kept]) if kept else _no_frames(state.terms.image, len(shown)),
        torch.tensor(kept, dtype=torch.int64),
        torch.stack(codes) if codes else state.h.new_empty((0, *state.h.shape), device="cpu"),
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
