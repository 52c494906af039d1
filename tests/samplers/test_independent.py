from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from targets import Logistic, logistic_posterior, normal_start

from ppgn import priors, samplers
from ppgn.random import streams


def last(sampler, h0, rng, steps):
    return next(islice(samplers.chain(sampler, h0, rng), steps, None))


def assert_agrees(h, condition, gamma):
    """Mean, spread and accuracy within 4 standard errors of quadrature, and the nuisance coordinate untouched."""
    n = len(h)
    mean, std, accuracy = condition.truth(gamma)
    assert abs(h[:, 0].mean().item() - mean) < 4 * std / math.sqrt(n)
    assert abs(h[:, 0].std().item() - std) < 4 * std / math.sqrt(n)
    assert abs((h[:, 0] > condition.c).double().mean().item() - accuracy) < 4 * math.sqrt(0.25 / n)
    assert abs(h[:, 1].std().item() - 1) < 4 / math.sqrt(2 * n)


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_rejection_is_the_truth_and_costs_one_over_p(gamma):
    n, condition = 6000, Logistic(4.0, 1.0)
    state = last(samplers.rejection(logistic_posterior(condition), gamma), normal_start(n), streams(1, n), 120)
    assert (state.accepted_at > 0).all()
    assert_agrees(state.h, condition, gamma)
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    weight = (gamma * torch.nn.functional.logsigmoid(4.0 * (z - 1.0)) - 0.5 * z**2).exp().sum()
    p = (weight / (-0.5 * z**2).exp().sum()).item()
    cost = state.accepted_at.double().mean().item()
    assert abs(cost - 1 / p) < 4 * math.sqrt(1 - p) / p / math.sqrt(n)


def test_what_is_accepted_stays_and_what_is_not_is_marked():
    sampler = samplers.rejection(logistic_posterior(Logistic(8.0, 2.0)), draws=1)
    states = list(islice(samplers.chain(sampler, normal_start(200), streams(0, 200)), 20))
    done = states[10].accepted_at > 0
    assert 0 < done.sum() < 200
    assert torch.equal(states[19].h[done], states[10].h[done])
    waiting = states[19].accepted_at < 0
    assert torch.equal(states[19].h[waiting], normal_start(200)[waiting])


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_isir_leaves_the_posterior_invariant(gamma):
    n, condition = 6000, Logistic(8.0, 2.0)
    state = last(samplers.isir(logistic_posterior(condition), 10, gamma), normal_start(n), streams(1, n), 40)
    assert_agrees(state.h, condition, gamma)


def test_isir_and_mala_in_turn():
    n, condition, pipeline = 6000, Logistic(8.0, 2.0), logistic_posterior(Logistic(8.0, 2.0))
    sampler = samplers.cycle(samplers.isir(pipeline, 5), samplers.mala(pipeline, 0.05))
    assert sampler.exact
    state = last(sampler, normal_start(n), streams(1, n), 60)
    assert_agrees(state.h, condition, 1.0)
    again = pipeline(state.h)
    assert torch.allclose(state.log_prob, pipeline.prior.log_prob(state.h) + again.log_condition)


def test_one_isir_step_chooses_by_weight():
    """With one proposal: it is taken with probability w' / (w + w')."""
    n, pipeline = 800, logistic_posterior(Logistic(2.0, 0.0))
    sampler = samplers.isir(pipeline, proposals=1)
    before = sampler.init(normal_start(n))
    after = sampler.step(before, streams(3, n))
    proposal = pipeline.prior.sample(n, streams(3, n), 1).double()
    w, new = before.terms.log_condition.exp(), pipeline(proposal).log_condition.exp()
    assert torch.allclose(after.refreshed, new / (w + new))
    taken = (after.h != before.h).any(1)
    assert torch.equal(after.h[taken], proposal[taken])
    assert abs(taken.double().mean() - after.refreshed.mean()) < 4 * 0.5 / math.sqrt(n)


@pytest.mark.parametrize(("count", "steps"), [(4, 1), (7, 3), (600, 2)])
def test_best_of_n_is_the_maximum_of_all_its_draws(count, steps):
    """The start and count * steps draws of the prior, drawn again here; 600 do not fit one evaluation."""
    n, pipeline = 50, logistic_posterior(Logistic(4.0, 1.0))
    state = last(samplers.best_of_n(pipeline, count), normal_start(n), streams(3, n), steps)
    draws = [pipeline.prior.sample(n, streams(3, n), 1 + i) for i in range(count * steps)]
    codes = torch.stack([normal_start(n), *draws])
    log_p = torch.stack([pipeline.log_condition(h) for h in codes])
    assert torch.equal(state.terms.log_condition, log_p.max(0).values)
    assert torch.equal(state.h, codes[log_p.argmax(0), torch.arange(n)])
    assert torch.equal(state.log_prob, pipeline.prior.log_prob(state.h) + log_p.max(0).values)


def test_bad_input():
    scored = logistic_posterior(Logistic(4.0, 1.0), priors.dae(lambda h: h, 0.1))
    for kernel in (samplers.rejection, samplers.isir):
        with pytest.raises(TypeError, match="needs a prior with a density"):
            kernel(scored)
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    with pytest.raises(ValueError, match="proposals must be at least 1, got 0"):
        samplers.isir(pipeline, 0)
    with pytest.raises(ValueError, match="at least one sampler"):
        samplers.cycle()
    with pytest.raises(ValueError, match="samplers of one pipeline"):
        samplers.cycle(samplers.isir(pipeline), samplers.isir(logistic_posterior(Logistic(4.0, 1.0))))
