"""MALA: Langevin proposals, corrected by a Metropolis step (Roberts & Tweedie 1996). Exact for a prior with a density.

The proposal and its test are in `ppgn.samplers.moves`, what a warm-up learns in `ppgn.samplers.adaptation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ppgn.samplers.adaptation import MALA_ACCEPTANCE, Tuning, Warmup, untuned
from ppgn.samplers.moves import fast_moves, several_moves
from ppgn.samplers.walks import begin, require_fixed
from ppgn.types import Density, Posterior, Prior, Rng, Sampler, Terms


class MalaState(NamedTuple):
    """One moment of all chains; terms and log_prob belong to h, so that a step costs one evaluation."""

    h: Tensor  # (B, *latent)
    terms: Terms
    log_prob: Tensor  # (B,)   log p(h) + gamma log p(y|G(h)), nats
    step: int
    failed_at: Tensor  # (B,) always -1: what is not finite is rejected
    acceptance: Tensor  # (B,)   probability with which the last Langevin proposal was accepted
    refreshed: Tensor  # (B,)   probability with which the last `isir` step chose another code
    tuning: Tuning


def mala(
    pipeline: Posterior,
    step_size: float,
    gamma: float = 1.0,
    *,
    warmup: int = 0,
    acceptance: float = MALA_ACCEPTANCE,
    pooled: bool = False,
    precondition: bool = False,
    moves: int = 1,
    compiled: bool = False,
) -> Sampler[MalaState]:
    """Metropolis-adjusted Langevin: leaves p(h) p(y|G(h))^gamma invariant, one evaluation a move.

    step_size      of a proposal, in units of h^2; the first one, if there is a warm-up
    gamma          power of the condition: 1 is Bayes' rule
    warmup         steps of the walk in which the step size is adapted to `acceptance`, to be thrown away; then frozen
    acceptance     the mean acceptance to reach, best at about 0.574 (Roberts & Rosenthal 1998)
    pooled         adapt to all chains together: sooner learnt, but then a chain depends on the others of its batch,
                   and one that began far off walks by steps that suit the rest
    precondition   learn a scale c for every coordinate in the warm-up too; 1 otherwise
    moves          proposals a step; neighbours are alike, so that thinning by a few costs little and saves the rest
    compiled       compile a whole step, networks included (torch's Inductor): seconds at first, then many times faster
                   where networks are small; equal but for rounding

    A proposal with a NaN ratio is rejected. Raises TypeError if the prior has no log_prob, ValueError for a step_size
    that is not positive and finite.
    """
    prior = require_density(pipeline.prior, "mala")
    require_fixed(pipeline, "mala")
    require_step_size(step_size)
    warm = Warmup(warmup, acceptance, pooled, precondition)
    if moves < 1:
        raise ValueError(f"moves must be at least 1, got {moves}")
    go = fast_moves(pipeline, prior) if compiled else partial(several_moves, pipeline, prior)

    @torch.no_grad()
    def step(state: MalaState, rng: Rng) -> MalaState:
        size = warm.step_size(state.tuning, state.step, step_size)
        scale = state.tuning.scale if precondition else None
        like = state.h[:, None].expand(-1, moves, *state.h.shape[1:])
        noise = rng.normal(like, state.step)
        uniform = rng.uniform(state.log_prob[:, None].expand(-1, moves), state.step)
        moved = go(gamma, state, size, scale, noise, uniform)
        tuning = warm.learn(state.tuning, moved.h, moved.acceptance, state.step)
        return state._replace(**moved._asdict(), step=state.step + 1, tuning=tuning)

    settings = {
        "step_size": step_size, "gamma": gamma, "warmup": warmup, "acceptance": acceptance, "pooled": pooled,
        "precondition": precondition, "moves": moves, "compiled": compiled,
    }  # fmt: skip
    return Sampler(
        start(pipeline, prior, gamma), step, exact=True, target=pipeline, name="mala", settings=settings,
        reports=("log_prob", "acceptance"),
    )  # fmt: skip


def start(
    pipeline: Posterior, prior: Density, gamma: float, finite_terms: bool = True
) -> Callable[[Tensor], MalaState]:
    """The init of every kernel on this state; finite_terms: whether it needs them to leave its start."""

    def init(h: Tensor) -> MalaState:
        terms, failed_at = begin(pipeline, h, finite_terms)
        log_prob = prior.log_prob(h) + gamma * terms.log_condition
        ones = torch.ones_like(log_prob)
        return MalaState(h, terms, log_prob, 0, failed_at, ones, ones, untuned(h))

    return init


def require_density(prior: Prior, kernel: str) -> Density:
    """The prior itself. Raises TypeError naming what would do if it only knows a score."""
    if isinstance(prior, Density):
        return prior
    raise TypeError(
        f"{kernel} needs a prior with a density (log_prob and sample), as gaussian, but {type(prior).__name__} has "
        "none; ula, mala_approx and annealed walk on a score alone"
    )


def require_step_size(step_size: float) -> None:
    """Raise ValueError unless it is positive and finite."""
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size must be positive and finite, got {step_size}")
