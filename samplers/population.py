"""Sequential Monte Carlo: a population led from p(h) to p(h) p(y|G(h)) by powers of the condition (Del Moral, Doucet &
Jasra 2006), and log p(y) on the way.

Each step takes the next power gamma such that the effective sample size of the weights p(y|G(h))^(gamma' - gamma) is a
set share of the population, resamples systematically, and moves every particle at the new power. Once gamma is 1, steps
are moves that leave the target invariant.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ppgn.samplers.adaptation import MALA_ACCEPTANCE
from ppgn.samplers.groups import Groups, grouping
from ppgn.samplers.metropolis import require_density, require_step_size
from ppgn.samplers.moves import move, refresh_move
from ppgn.samplers.walks import begin, choose, require_fixed
from ppgn.types import Density, Posterior, Refreshable, Rng, Sampler, Terms


class Usual(NamedTuple):
    """What `smc` does if not told."""

    moves: int
    settle: int
    acceptance: float
    longest: float  # log of the step size: a pcn move of 1/2 is an independent draw


PROPOSALS = {"mala": Usual(5, 5, MALA_ACCEPTANCE, math.inf), "pcn": Usual(20, 1, 0.3, math.log(0.5))}
LEAST = 10  # particles: fewer cannot say by their weights how far the next power may be
BISECTIONS, SMALLEST = 40, 1e-6  # of the search for the next power
RATE = 1.0  # of the step size's search: log d rises by so much per unit of acceptance too many


class SmcState(NamedTuple):
    """One moment of the population."""

    h: Tensor  # (B, *latent)
    terms: Terms
    log_prob: Tensor  # (B,)   log p(h) + gamma log p(y|G(h)), nats
    step: int
    failed_at: Tensor  # (B,) int64: the step at which no particle of the group had a finite weight; -1 while well
    acceptance: Tensor  # (B,)   of the last move
    gamma: Tensor  # (B,)   power reached by the chain's group
    log_evidence: Tensor  # (B,)   estimate of log integral p(h) p(y|G(h))^gamma dh of the group: log p(y) at gamma = 1
    ancestor: Tensor  # (B,) int64: the particle of the first draw that this one descends from
    log_step: Tensor  # (B,)   log of the group's step size
    settled: Tensor  # (B,) int64: steps since the group's gamma is 1


def smc(
    pipeline: Posterior,
    step_size: float,
    groups: Tensor | None = None,
    *,
    proposal: Literal["mala", "pcn"] = "mala",
    moves: int | None = None,
    settle: int | None = None,
    ess: float = 0.5,
    acceptance: float | None = None,
) -> Sampler[SmcState]:
    """Sequential Monte Carlo from p(h) to p(h) p(y|G(h)); `log_evidence` is then an estimate of log p(y).

    step_size    first step size of the moves, in units of h^2; adapted to `acceptance` until gamma is 1
    groups       (B,) int64, chains of one number share a condition and are one population (a class label does); None:
                 all are one
    proposal     "mala": Langevin, an evaluation with its gradient a move; "pcn": the code renewed in part by the prior
                 (a normal one can), a forward evaluation a move, for conditions too rough for long Langevin steps
    moves        a step; None: 5 of mala, 20 of pcn
    settle       steps at gamma = 1 before the population is finished, so that copies of one particle part; None: 5, 1
    ess          share of the population that the weights' effective sample size must be at each power
    acceptance   of the moves, that their size is adapted to; None: 0.574 of mala, 0.3 of pcn

    The first step draws the population from the prior: the start does not matter. Exact in the limit of large
    populations; a group wants a hundred particles or more. Chains depend on the others of their group. Raises TypeError
    if the prior has no density or, for pcn, cannot renew codes; ValueError for a number out of range, a group of fewer
    than 10 chains, or one with unlike conditions.
    """
    prior = require_density(pipeline.prior, "smc")
    require_fixed(pipeline, "smc")
    require_step_size(step_size)
    usual = _usual(proposal, prior)
    moves = usual.moves if moves is None else moves
    settle = usual.settle if settle is None else settle
    acceptance = usual.acceptance if acceptance is None else acceptance
    if moves < 1 or settle < 0 or not 0 < ess < 1 or not 0 < acceptance < 1:
        raise ValueError(
            "moves must be at least 1, settle at least 0, ess and acceptance between 0 and 1, "
            f"got {moves=}, {settle=}, {ess=}, {acceptance=}"
        )
    among = grouping(groups)

    def init(h: Tensor) -> SmcState:
        terms, failed_at = begin(pipeline, h, finite_terms=False)
        _require_populations(among(h))
        _require_alike(pipeline, h, terms, among(h))
        zero, own = torch.zeros_like(terms.log_condition), torch.arange(len(h), device=h.device)
        return SmcState(
            h, terms, prior.log_prob(h), 0, failed_at, zero + 1, zero, zero, own, zero + math.log(step_size), 0 * own
        )

    @torch.no_grad()
    def step(state: SmcState, rng: Rng) -> SmcState:
        if state.step == 0:
            h = prior.sample(len(state.h), rng, 1).to(state.h)  # 0 is the start
            state = state._replace(h=h, terms=pipeline(h), log_prob=prior.log_prob(h))
        alike, learning = among(state.h), state.gamma < 1
        state = _tempered(state, alike, rng, ess)
        for i in range(state.step * moves, (state.step + 1) * moves):
            state = _moved(state, alike, learning, rng, i)
        if proposal == "pcn":  # whose moves look at the condition alone
            terms = pipeline(state.h)
            state = state._replace(terms=terms, log_prob=prior.log_prob(state.h) + state.gamma * terms.log_condition)
        return state._replace(step=state.step + 1, settled=torch.where(state.gamma == 1, state.settled + 1, 0))

    def _moved(state: SmcState, alike: Groups, learning: Tensor, rng: Rng, i: int) -> SmcState:
        noise, uniform, size = rng.normal(state.h, i), rng.uniform(state.log_prob, i), state.log_step.exp()
        if proposal == "pcn" and isinstance(prior, Refreshable):
            moved = refresh_move(pipeline, prior, state.gamma, state, size, noise, uniform)
        else:
            moved = move(pipeline, prior, state.gamma, state, size, None, noise, uniform)
        learnt = state.log_step + RATE * (alike.mean(moved.acceptance) - acceptance)
        log_step = torch.where(learning, learnt.clamp(max=usual.longest), state.log_step)
        return state._replace(**moved._asdict(), log_step=log_step)

    settings = {
        "step_size": step_size, "groups": groups, "proposal": proposal, "moves": moves, "settle": settle, "ess": ess,
        "acceptance": acceptance,
    }  # fmt: skip
    return Sampler(
        init, step, exact=True, target=pipeline, name="smc", settings=settings, reports=("log_prob",),
        finished=lambda state: (state.settled > settle) | (state.failed_at >= 0),
    )  # fmt: skip


def _tempered(state: SmcState, among: Groups, rng: Rng, ess: float) -> SmcState:
    """The next power, its weights, and the population resampled by them; as it was where gamma is 1 already."""
    log_p = state.terms.log_condition
    log_p = torch.where(log_p.isnan(), -torch.inf, log_p)
    gamma = _next_power(state.gamma, log_p, among, ess)
    weights = torch.where(gamma > state.gamma, (gamma - state.gamma) * log_p, 0.0)
    gain = among.logmeanexp(weights)
    lost = torch.isneginf(gain)  # no particle of the group can be weighed
    weights, going = torch.where(lost, 0.0, weights), (gamma > state.gamma) & ~lost
    chosen = among.resample(weights, rng.uniform(log_p, state.step, "resample"))
    chosen = torch.where(going, chosen, torch.arange(len(chosen), device=chosen.device))
    log_prob = state.log_prob + torch.where(going, (gamma - state.gamma) * log_p, 0.0)
    failed_at = torch.where(lost & (state.failed_at < 0), state.step + 1, state.failed_at)
    return state._replace(
        h=state.h[chosen],
        terms=Terms(*(value[chosen] for value in state.terms)),
        log_prob=log_prob[chosen],
        failed_at=failed_at,
        gamma=choose(lost, state.gamma, gamma),
        log_evidence=state.log_evidence + gain,
        ancestor=state.ancestor[chosen],
    )


def _next_power(gamma: Tensor, log_p: Tensor, among: Groups, ess: float) -> Tensor:
    """(B,) the largest power at which the weights' effective sample size is `ess` of the group, at most 1."""
    low, high = gamma, torch.ones_like(gamma)

    def enough(power: Tensor) -> Tensor:
        weights = torch.where(power > gamma, (power - gamma) * log_p, 0.0)
        return 2 * among.logmeanexp(weights) - among.logmeanexp(2 * weights) >= math.log(ess)

    full = enough(high)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        well = enough(middle)
        low, high = torch.where(well, middle, low), torch.where(well, high, middle)
    # where no power is enough, since too many particles have p = 0, the smallest move on leaves those behind
    return torch.where(full, 1.0, torch.maximum(high, gamma + SMALLEST).clamp(max=1))


def _usual(proposal: str, prior: Density) -> Usual:
    if proposal not in PROPOSALS:
        raise ValueError(f"proposal must be one of {', '.join(PROPOSALS)}, got {proposal!r}")
    if proposal == "pcn" and not isinstance(prior, Refreshable):
        raise TypeError(f"pcn needs a prior that can renew codes (refresh), as gaussian; {type(prior).__name__} cannot")
    return PROPOSALS[proposal]


def _require_populations(among: Groups) -> None:
    least = int(among.sizes.min())
    if least < LEAST:
        raise ValueError(
            f"smc needs at least {LEAST} chains of each condition, better a hundred, got {least}; "
            "sampler='mala+isir' walks single chains"
        )


def _require_alike(pipeline: Posterior, h: Tensor, terms: Terms, among: Groups) -> None:
    """Raise ValueError if chains of one group answer to unlike conditions: one could not descend from the other."""
    other = among.neighbour()
    swapped = pipeline.rows(other).log_condition(h)
    if not torch.allclose(swapped, terms.log_condition, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise ValueError(
            "smc makes chains of one group descend from each other, so they must share a condition; give it "
            "groups, as smc(pipeline, step_size, groups=labels)"
        )
