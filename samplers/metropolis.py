"""MALA: Langevin proposals, corrected by a Metropolis step (Roberts & Tweedie 1996). Exact for a prior with a density.

h' = h + d s(h) + sqrt(2 d) z,    s = d log p(h)/dh + gamma d log p(y|G(h))/dh
accepted with probability min(1, p(h') q(h | h') / (p(h) q(h' | h))),    p = p(h) p(y|G(h))^gamma
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ppgn.samplers.walks import begin, choose, choose_terms
from ppgn.types import Density, Posterior, Prior, Rng, Sampler, Terms


class MalaState(NamedTuple):
    """One moment of all chains; terms and log_prob belong to h, so that a step costs one evaluation."""

    h: Tensor  # (B, *latent)
    terms: Terms
    log_prob: Tensor  # (B,)   log p(h) + gamma log p(y|G(h)), nats
    step: int
    failed_at: Tensor  # (B,) always -1: what is not finite is rejected
    acceptance: Tensor  # (B,)   probability with which the last proposal was accepted


def mala(pipeline: Posterior, step_size: float, gamma: float = 1.0) -> Sampler[MalaState]:
    """Metropolis-adjusted Langevin: leaves p(h) p(y|G(h))^gamma invariant, one evaluation a step.

    step_size   d above, in units of h^2; good ones accept about 0.574 of the proposals (Roberts & Rosenthal 1998)
    gamma       power of the condition: 1 is Bayes' rule

    A proposal with a NaN ratio is rejected. Raises TypeError if the prior has no log_prob, ValueError for a step_size
    that is not positive and finite.
    """
    prior = require_density(pipeline.prior, "mala")
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size must be positive and finite, got {step_size}")

    def evaluate(h: Tensor) -> tuple[Terms, Tensor]:
        terms = pipeline(h)
        return terms, prior.log_prob(h) + gamma * terms.log_condition

    @torch.no_grad()
    def step(state: MalaState, rng: Rng) -> MalaState:
        noise = rng.normal(state.h, state.step)
        score = state.terms.prior + gamma * state.terms.condition
        h = state.h + step_size * score + math.sqrt(2 * step_size) * noise
        terms, log_prob = evaluate(h)
        back = _log_proposal(state.h - h, terms.prior + gamma * terms.condition, step_size)
        log_ratio = log_prob - state.log_prob + back + 0.5 * noise.flatten(1).square().sum(1)
        acceptance = log_ratio.nan_to_num(nan=-math.inf).exp().clamp(max=1)
        taken = rng.uniform(log_prob, state.step) < acceptance
        return MalaState(
            choose(taken, h, state.h),
            choose_terms(taken, terms, state.terms),
            choose(taken, log_prob, state.log_prob),
            state.step + 1,
            state.failed_at,
            acceptance,
        )

    settings = {"step_size": step_size, "gamma": gamma}
    return Sampler(start(pipeline, prior, gamma), step, exact=True, target=pipeline, name="mala", settings=settings)


def start(pipeline: Posterior, prior: Density, gamma: float) -> Callable[[Tensor], MalaState]:
    """The init of every kernel on this state."""

    def init(h: Tensor) -> MalaState:
        terms, failed_at = begin(pipeline, h)
        log_prob = prior.log_prob(h) + gamma * terms.log_condition
        return MalaState(h, terms, log_prob, 0, failed_at, torch.ones_like(log_prob))

    return init


def require_density(prior: Prior, kernel: str) -> Density:
    """The prior itself. Raises TypeError naming what would do if it only knows a score."""
    if isinstance(prior, Density):
        return prior
    raise TypeError(
        f"{kernel} needs a prior with a density (log_prob and sample), as gaussian, but {type(prior).__name__} has "
        "none; ula and mala_approx walk on a score alone"
    )


def _log_proposal(move: Tensor, score: Tensor, step_size: float) -> Tensor:
    """log q of a move made from where `score` was measured, up to the constant that both directions share."""
    return -(move - step_size * score).flatten(1).square().sum(1) / (4 * step_size)
