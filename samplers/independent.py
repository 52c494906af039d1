"""Kernels that propose from the prior itself, so that no mode can trap a chain.

rejection   draw h ~ p(h), keep it with probability p(y|G(h))^gamma                    1 / p(y) draws a sample
isir        draw k codes from p(h), choose among them and the present one by weight    (Andrieu, Lee & Vihola 2018)
best_of_n   draw n codes from p(h), keep the one with the highest p(y|G(h))            no stated density

Draws cost a forward evaluation; what is kept is evaluated with its gradients, so that another kernel may go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ppgn.samplers.metropolis import MalaState, require_density, start
from ppgn.samplers.walks import begin, choose, require_fixed
from ppgn.types import Density, Posterior, Rng, Sampler, Terms

ROWS = 1000  # codes evaluated together, about: small batches waste a processor, large ones its memory


class RejectionState(NamedTuple):
    """One moment of all chains; a chain that has been accepted stays where it is."""

    h: Tensor  # (B, *latent)   its draw if accepted, else its start
    terms: Terms
    step: int
    failed_at: Tensor  # (B,) always -1
    accepted_at: Tensor  # (B,) int64: the draw that was accepted, 1 the first; -1: none yet
    draws: Tensor  # (B,) int64: draws made by the chain


def rejection(pipeline: Posterior, gamma: float = 1.0, *, draws: int = 32) -> Sampler[RejectionState]:
    """Rejection from the prior: accepted chains are independent draws of p(h) p(y|G(h))^gamma, after 1/p(y) on average.

    draws   tried a step by every chain that has none yet; so many steps times `draws` are the budget

    Chains with `accepted_at` < 0 are not samples yet. Raises TypeError if the prior has no density, ValueError for
    draws < 1, or in a step if log p(y|x) exceeds 0, as no probability's does.
    """
    prior = require_density(pipeline.prior, "rejection")
    require_fixed(pipeline, "rejection")
    _require_positive("draws", draws)

    def init(h: Tensor) -> RejectionState:
        terms, none = begin(pipeline, h, finite_terms=False)
        return RejectionState(h, terms, 0, none, none, torch.zeros_like(none))

    @torch.no_grad()
    def step(state: RejectionState, rng: Rng) -> RejectionState:
        trying = (state.accepted_at < 0).nonzero().flatten()  # the one wait for the device in `draws` draws
        if not len(trying):
            return state._replace(step=state.step + 1)
        part, own, first = pipeline.rows(trying), rng.rows(trying), state.step * draws
        h, at = state.h[trying], state.accepted_at[trying]
        highest = state.terms.log_condition.new_full((), -torch.inf)
        for i, (code, log_p) in enumerate(_draws(part, prior, h, own, first + draws, draws)):  # the start is draw 0
            kept = own.uniform(log_p, first + i).log() < gamma * log_p
            taken = kept & (at < 0)
            h, at = choose(taken, code, h), torch.where(taken, first + i + 1, at)
            highest = torch.maximum(highest, log_p.nan_to_num(nan=-torch.inf).max())
        _require_probability(highest)
        new = trying[at >= 0]
        codes = state.h.index_copy(0, trying, h)
        return RejectionState(
            codes,
            _renewed(state.terms, pipeline, codes, new),
            state.step + 1,
            state.failed_at,
            state.accepted_at.index_copy(0, trying, at),
            state.draws.index_copy(0, trying, torch.where(at < 0, first + draws, at)),
        )

    return Sampler(
        init, step, exact=True, target=pipeline, name="rejection", settings={"gamma": gamma, "draws": draws},
        finished=lambda state: state.accepted_at >= 0,
    )  # fmt: skip


def isir(pipeline: Posterior, proposals: int = 10, gamma: float = 1.0) -> Sampler[MalaState]:
    """Iterated sampling importance resampling: leaves p(h) p(y|G(h))^gamma invariant and jumps between far modes.

    proposals   codes drawn from the prior a step and chain, forward evaluations; one more with gradients

    Its state is that of `mala`, so that `cycle(isir(...), mala(...))` mixes global and local moves, the idea of Ex2MCMC
    (Samsonov et al. 2022). Raises TypeError if the prior has no density, ValueError for proposals < 1.
    """
    prior = require_density(pipeline.prior, "isir")
    require_fixed(pipeline, "isir")
    _require_positive("proposals", proposals)

    @torch.no_grad()
    def step(state: MalaState, rng: Rng) -> MalaState:
        """One pass over the proposals that keeps each in turn with its share of the weight seen so far."""
        h, total = state.h, _weight(gamma, state.terms.log_condition)
        stays = torch.ones_like(total)
        first = 1 + state.step * proposals  # 0 is the start
        for i, (code, log_p) in enumerate(_draws(pipeline, prior, h, rng, first, proposals)):
            weight = _weight(gamma, log_p)
            total = torch.logaddexp(total, weight)
            share = (weight - total).exp().nan_to_num(nan=0.0)  # where all so far are impossible
            h = choose(rng.uniform(total, first + i, "choose") < share, code, h)
            stays = stays * (1 - share)
        terms = pipeline(h)
        log_prob = prior.log_prob(h) + gamma * terms.log_condition
        return state._replace(h=h, terms=terms, log_prob=log_prob, step=state.step + 1, refreshed=1 - stays)

    settings = {"proposals": proposals, "gamma": gamma}
    return Sampler(
        start(pipeline, prior, gamma, finite_terms=False), step, exact=True, target=pipeline, name="isir",
        settings=settings, reports=("log_prob", "refreshed"),
    )  # fmt: skip


def best_of_n(pipeline: Posterior, n: int = 16) -> Sampler[MalaState]:
    """The best of n: a step draws n codes from the prior for every chain, and keeps the one of highest log p(y|G(h)).

    The present code counts among them, so further steps go on with the choice. Not exact: the more draws, the nearer to
    a maximum. Raises TypeError if the prior has no density, ValueError for n < 1.
    """
    prior = require_density(pipeline.prior, "best_of_n")
    require_fixed(pipeline, "best_of_n")
    _require_positive("n", n)

    @torch.no_grad()
    def step(state: MalaState, rng: Rng) -> MalaState:
        h, best = state.h, _weight(1.0, state.terms.log_condition)
        for code, log_p in _draws(pipeline, prior, h, rng, 1 + state.step * n, n):
            better = log_p > best  # never for NaN
            h, best = choose(better, code, h), torch.where(better, log_p, best)
        terms = pipeline(h)
        return state._replace(h=h, terms=terms, log_prob=prior.log_prob(h) + terms.log_condition, step=state.step + 1)

    return Sampler(
        start(pipeline, prior, 1.0, finite_terms=False), step, exact=False, target=pipeline, name="best_of_n",
        settings={"n": n}, reports=("log_prob",),
    )  # fmt: skip


def _weight(gamma: float, log_p: Tensor) -> Tensor:
    """gamma log p, where NaN is as impossible as -inf."""
    return (gamma * log_p).nan_to_num(nan=-torch.inf, neginf=-torch.inf)


def _draws(
    pipeline: Posterior, prior: Density, like: Tensor, rng: Rng, first: int, count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """(h (B, *latent), log p(y|G(h)) (B,)) of the prior's draws first, first + 1, ..., evaluated many at a time."""
    b = len(like)
    together = max(1, ROWS // b)
    for begun in range(first, first + count, together):
        steps = range(begun, min(begun + together, first + count))
        codes = torch.cat([prior.sample(b, rng, step).to(like) for step in steps])
        rows = torch.arange(b, device=like.device).repeat(len(steps))
        log_p = pipeline.rows(rows).log_condition(codes)
        yield from zip(codes.split(b), log_p.split(b), strict=True)


def _renewed(terms: Terms, pipeline: Posterior, h: Tensor, rows: Tensor) -> Terms:
    """The terms with those rows evaluated at h."""
    if not len(rows):
        return terms
    fresh = pipeline.rows(rows)(h[rows])
    return Terms(*(old.index_copy(0, rows, new) for old, new in zip(terms, fresh, strict=True)))


def _require_probability(highest: Tensor) -> None:
    if highest > 1e-3:
        raise ValueError(
            f"rejection needs log p(y|x) of at most 0, as a probability has, got {highest:.3g}; an activation "
            "(objective 'logit') may be more, and so may the log of a density"
        )


def _require_positive(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
