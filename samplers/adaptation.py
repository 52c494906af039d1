"""What a warm-up learns and then freezes: a step size that is accepted as often as asked, and a scale per coordinate.

step size   dual averaging of log d towards a mean acceptance            (Hoffman & Gelman 2014, Sec. 3.2)
scale       standard deviations of the codes seen in growing windows, the diagonal preconditioner

Each chain learns from itself, so that it depends on (seed, chain) alone; or all learn together (`pooled`), which needs
fewer steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

MALA_ACCEPTANCE = 0.574  # Roberts & Rosenthal 1998
GAIN, DELAY, FORGET = 0.05, 10.0, 0.75  # gamma, t0 and kappa of Hoffman & Gelman
WINDOWS = (0.1, 0.3, 0.75)  # of the warm-up: codes are watched from the first on, and used at the second and third


class Tuning(NamedTuple):
    """What has been learnt so far; part of the state, so that a warm-up too is resumed to the bit."""

    log_step: Tensor  # (B,) log of the step size tried now over the kernel's own
    log_average: Tensor  # (B,) the one used once the warm-up is over
    anchor: Tensor  # (B,) what dual averaging shrinks towards
    error: Tensor  # (B,) running mean of (target - acceptance)
    moves: int  # since the last restart
    scale: Tensor  # (B, *latent) of the coordinates, ones at first
    mean: Tensor  # (B, *latent) of the codes of this window
    square: Tensor  # (B, *latent) sum of squares about the mean
    seen: int  # codes in this window
    windows: int  # passed


def untuned(h: Tensor) -> Tuning:
    """Nothing learnt yet, for chains at h (B, *latent)."""
    zeros, none = h.new_zeros(len(h)), torch.zeros_like(h)
    anchor = zeros + math.log(3.0)  # long steps are tried first: short ones waste the warm-up
    return Tuning(zeros, zeros, anchor, zeros, 0, torch.ones_like(h), none, none, 0, 0)


@dataclass(frozen=True)
class Warmup:
    """How a kernel learns.

    steps          of the walk, after which all is frozen; 0: nothing is learnt
    acceptance     mean acceptance to reach
    pooled         one step size and scale for all chains, from all of them
    precondition   learn a scale per coordinate too
    """

    steps: int = 0
    acceptance: float = MALA_ACCEPTANCE
    pooled: bool = False
    precondition: bool = False

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"warmup must be at least 0 steps, got {self.steps}")
        if not 0 < self.acceptance < 1:
            raise ValueError(f"acceptance must lie between 0 and 1, got {self.acceptance}")
        if self.precondition and not self.steps:
            raise ValueError("precondition needs a warmup to learn the scales in, got warmup=0")

    def step_size(self, tuning: Tuning, step: int, own: float) -> Tensor | float:
        """(B,) for the move from `step`; `own` is the kernel's."""
        if not self.steps:
            return own
        return own * (tuning.log_step if step < self.steps else tuning.log_average).exp()

    def learn(self, tuning: Tuning, h: Tensor, acceptance: Tensor, step: int) -> Tuning:
        """After the move from `step` that came to h and was accepted with that probability (B,)."""
        if step >= self.steps:
            return tuning
        acceptance = acceptance.to(tuning.error.dtype)  # as the codes, whatever log p's is
        tuning = self._average(tuning, acceptance.mean().expand_as(acceptance) if self.pooled else acceptance)
        return self._watch(tuning, h, (step + 1) / self.steps) if self.precondition else tuning

    def _average(self, tuning: Tuning, acceptance: Tensor) -> Tuning:
        count = tuning.moves + 1
        share = 1 / (count + DELAY)
        error = (1 - share) * tuning.error + share * (self.acceptance - acceptance)
        log_step = tuning.anchor - math.sqrt(count) / GAIN * error
        weight = count**-FORGET
        log_average = weight * log_step + (1 - weight) * tuning.log_average
        return tuning._replace(log_step=log_step, log_average=log_average, error=error, moves=count)

    def _watch(self, tuning: Tuning, h: Tensor, share: float) -> Tuning:
        if share < WINDOWS[0]:
            return tuning
        seen = tuning.seen + 1
        mean = tuning.mean + (h - tuning.mean) / seen  # Welford 1962
        square = tuning.square + (h - tuning.mean) * (h - mean)
        tuning = tuning._replace(mean=mean, square=square, seen=seen)
        due = tuning.windows + 1 < len(WINDOWS) and share >= WINDOWS[tuning.windows + 1]
        return self._rescale(tuning) if due else tuning

    def _rescale(self, tuning: Tuning) -> Tuning:
        """Take the window's deviations as the scale, and begin a new window and a new search of the step size."""
        chains, seen = (len(tuning.mean) if self.pooled else 1), tuning.seen
        variance = tuning.square / max(1, seen - 1)
        if self.pooled:
            variance = (variance + (tuning.mean - tuning.mean.mean(0)).square()).mean(0).expand_as(variance)
        # few codes know their variance badly: as Stan, five draws' worth of "all are alike"
        overall = variance.flatten(1).mean(1).view(-1, *[1] * (variance.ndim - 1))
        weight = chains * seen / (chains * seen + 5)
        variance = weight * variance + (1 - weight) * overall
        scale = torch.where(overall > 0, variance.sqrt(), tuning.scale)  # a chain that never moved knows nothing
        # the same move on average, so that the search goes on from where it was
        shift = 2 * (tuning.scale.log() - scale.log()).flatten(1).mean(1)
        log_step = tuning.log_average + shift
        none = torch.zeros_like(scale)
        return tuning._replace(
            log_step=log_step, log_average=log_step, anchor=log_step, error=torch.zeros_like(log_step), moves=0,
            scale=scale, mean=none, square=none, seen=0, windows=tuning.windows + 1,
        )  # fmt: skip
