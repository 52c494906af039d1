"""Moves that renew a code by its prior and look at the condition alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from targets import Counted, LinearGenerator, Logistic, logistic_posterior, normal_start

import ppgn
from ppgn import priors, samplers
from ppgn.random import streams
from ppgn.samplers.moves import Moved, refresh_move
from ppgn.types import Refreshable


def test_a_refresh_is_in_detailed_balance_with_the_prior():
    """log p(h) + log q(h' | h) = log p(h') + log q(h | h'), the normal densities written out."""
    prior = priors.gaussian((2,), torch.tensor([1.0, -2.0]).double(), torch.tensor([0.5, 3.0]).double())
    h, noise, amount = normal_start(9), normal_start(9, seed=1), torch.full((9, 1), 0.6, dtype=torch.float64)
    other = prior.refresh(h, noise, amount)

    def log_q(to, origin):
        mean = prior.mean + 0.8 * (origin - prior.mean)
        return torch.distributions.Normal(mean, 0.6 * prior.std).log_prob(to).sum(1)

    assert torch.allclose(prior.log_prob(h) + log_q(other, h), prior.log_prob(other) + log_q(h, other))
    assert torch.allclose(prior.refresh(h, noise, torch.ones(9, 1).double()), prior.mean + prior.std * noise)
    assert isinstance(prior, Refreshable)


@pytest.mark.parametrize("gamma", [1.0, 0.4])
def test_moves_keep_the_posterior(gamma):
    """From exact draws, by rejection, thirty moves lead to draws of the same mean and spread."""
    n, condition = 20_000, Logistic(4.0, 1.0)
    pipeline = logistic_posterior(condition)
    state = samplers.rejection(pipeline, gamma).init(normal_start(n))
    while bool((state.accepted_at < 0).any()):
        state = samplers.rejection(pipeline, gamma).step(state, streams(0, n))
    at = Moved(
        state.h, state.terms, pipeline.prior.log_prob(state.h) + gamma * state.terms.log_condition, state.h[:, 0]
    )
    rng, size = streams(1, n), torch.full((n,), 0.2, dtype=torch.float64)
    for i in range(30):
        at = refresh_move(pipeline, pipeline.prior, gamma, at, size, rng.normal(at.h, i), rng.uniform(at.log_prob, i))
    mean, std, _ = condition.truth(gamma)
    assert not torch.equal(at.h, state.h)
    assert abs(at.h[:, 0].mean() - mean) < 4 * std / math.sqrt(n)
    assert abs(at.h[:, 0].std() - std) < 4 * std / math.sqrt(n)
    assert abs(at.h[:, 1].std() - 1) < 4 / math.sqrt(2 * n)
    assert torch.allclose(at.terms.log_condition, pipeline.log_condition(at.h))
    assert torch.allclose(at.log_prob, pipeline.prior.log_prob(at.h) + gamma * at.terms.log_condition)


def test_populations_by_pcn():
    """Evidence and moments of 40 populations of 200 against quadrature; p(y) = 0.026."""
    groups, condition = torch.arange(8000) // 200, Logistic(8.0, 2.0)
    pipeline = logistic_posterior(condition)
    sampler = samplers.smc(pipeline, 0.3, groups, proposal="pcn")
    state = sampler.init(normal_start(8000))
    while not bool(sampler.finished(state).all()):
        state = sampler.step(state, streams(2, 8000))
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    weight = (-0.5 * z**2).softmax(0)
    p = (weight * condition.log_prob(z[:, None]).exp()).sum()
    found = state.log_evidence.view(40, 200)[:, 0].exp()
    assert abs(found.mean() - p) < 4 * found.std() / math.sqrt(40)
    each = state.h[:, 0].view(40, 200).mean(1)
    assert abs(each.mean() - condition.truth()[0]) < 4 * each.std() / math.sqrt(40)
    assert torch.allclose(state.terms.condition, pipeline(state.h).condition)
    assert 0.15 < state.acceptance.mean() < 0.5


def test_a_move_costs_a_forward_evaluation():
    generator = Counted(LinearGenerator(torch.randn(4, 3), torch.zeros(4))).eval()
    pipeline = ppgn.Pipeline(generator, priors.gaussian((3,)), Logistic(2.0, 0.0))
    sampler = samplers.smc(pipeline, 0.3, proposal="pcn", moves=7)
    state = sampler.init(torch.zeros(20, 3))
    before = generator.calls
    sampler.step(state, streams(0, 20))
    assert generator.calls - before == 1 + 7 + 1  # the population drawn, its moves, the terms at its end


def test_what_pcn_needs():
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    with pytest.raises(ValueError, match="proposal must be one of mala, pcn, got 'hmc'"):
        samplers.smc(pipeline, 0.3, proposal="hmc")

    @dataclass(frozen=True)
    class Known:
        """A density that cannot renew codes."""

        def score(self, h, x):
            return -h

        def log_prob(self, h):
            return -0.5 * h.square().sum(1)

        def sample(self, n, rng, step=0):
            return rng.normal(torch.empty(n, 2), step)

    with pytest.raises(TypeError, match=r"pcn needs a prior that can renew codes .* as gaussian; Known cannot"):
        samplers.smc(logistic_posterior(Logistic(4.0, 1.0), Known()), 0.3, proposal="pcn")
