"""Kernels that propose from the prior itself, so that no mode can trap a chain. Exact for a prior with a density.

rejection   draw h ~ p(h), keep it with probability p(y|G(h))^gamma                    1 / p(y) draws a sample
isir        draw k codes from p(h), choose among them and the present one by weight    (Andrieu, Lee & Vihola 2018)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ppgn.samplers.metropolis import MalaState, require_density, start
from ppgn.samplers.walks import begin, choose, choose_terms
from ppgn.types import Posterior, Rng, Sampler, Terms


class RejectionState(NamedTuple):
    """One moment of all chains; a chain that has been accepted stays where it is."""

    h: Tensor  # (B, *latent)   its draw if accepted, else its start
    terms: Terms
    step: int  # draws made
    failed_at: Tensor  # (B,) always -1
    accepted_at: Tensor  # (B,) int64: the draw that was accepted, -1: none yet


def rejection(pipeline: Posterior, gamma: float = 1.0) -> Sampler[RejectionState]:
    """Rejection from the prior: accepted chains are independent draws of p(h) p(y|G(h))^gamma, about 1/p(y) steps each.

    One step draws once for every chain. Chains with `accepted_at` < 0 are not samples yet. The condition's log p(y|x)
    must not exceed 0, as a probability's. Raises TypeError if the prior has no density.
    """
    prior = require_density(pipeline.prior, "rejection")

    def init(h: Tensor) -> RejectionState:
        terms, none = begin(pipeline, h)
        return RejectionState(h, terms, 0, none, none)

    @torch.no_grad()
    def step(state: RejectionState, rng: Rng) -> RejectionState:
        h = prior.sample(len(state.h), rng, state.step + 1).to(state.h)  # 0 is the start
        terms = pipeline(h)
        kept = rng.uniform(terms.log_condition, state.step).log() < gamma * terms.log_condition
        taken = kept & (state.accepted_at < 0)
        return RejectionState(
            choose(taken, h, state.h),
            choose_terms(taken, terms, state.terms),
            state.step + 1,
            state.failed_at,
            torch.where(taken, state.step + 1, state.accepted_at),
        )

    return Sampler(init, step, exact=True, target=pipeline, name="rejection", settings={"gamma": gamma})


def isir(pipeline: Posterior, proposals: int = 10, gamma: float = 1.0) -> Sampler[MalaState]:
    """Iterated sampling importance resampling: leaves p(h) p(y|G(h))^gamma invariant and jumps between far modes.

    proposals   codes drawn from the prior a step and chain; a step costs so many evaluations

    Its state is that of `mala`, so that `cycle(mala(...), isir(...))` mixes local and global moves, the idea of Ex2MCMC
    (Samsonov et al. 2022). Raises TypeError if the prior has no density, ValueError for proposals < 1.
    """
    prior = require_density(pipeline.prior, "isir")
    if proposals < 1:
        raise ValueError(f"proposals must be at least 1, got {proposals}")

    @torch.no_grad()
    def step(state: MalaState, rng: Rng) -> MalaState:
        """One pass over the proposals that keeps each in turn with its share of the weight seen so far."""
        h, terms = state.h, state.terms
        total = gamma * terms.log_condition
        stays = torch.ones_like(total)
        for i in range(proposals):
            draw = 1 + state.step * proposals + i  # 0 is the start
            new_h = prior.sample(len(h), rng, draw).to(h)
            new = pipeline(new_h)
            weight = (gamma * new.log_condition).nan_to_num(nan=-torch.inf)
            total = torch.logaddexp(total, weight)
            share = (weight - total).exp()
            taken = rng.uniform(total, draw, "choose") < share
            h = choose(taken, new_h, h)
            terms = choose_terms(taken, new, terms)
            stays = stays * (1 - share)
        log_prob = prior.log_prob(h) + gamma * terms.log_condition
        return MalaState(h, terms, log_prob, state.step + 1, state.failed_at, 1 - stays)

    settings = {"proposals": proposals, "gamma": gamma}
    return Sampler(start(pipeline, prior, gamma), step, exact=True, target=pipeline, name="isir", settings=settings)
