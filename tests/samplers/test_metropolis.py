from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import pytest
import torch
from targets import Logistic, gaussian_target, linear, logistic_posterior, normal_start

import ppgn
from ppgn import samplers
from ppgn.random import streams


def last(sampler, h0, rng, steps):
    return next(islice(samplers.chain(sampler, h0, rng), steps, None))


@pytest.mark.parametrize("gamma", [1.0, 3.0])
def test_mala_samples_the_posterior(gamma):
    """Mean, spread and accuracy within 4 standard errors of quadrature, at a step so long that ULA is off."""
    n, condition = 20_000, Logistic(4.0, 1.0)
    mean, std, accuracy = condition.truth(gamma)
    state = last(samplers.mala(logistic_posterior(condition), 0.3, gamma), normal_start(n), streams(1, n), 60)
    z1, z2 = state.h.T
    assert abs(z1.mean().item() - mean) < 4 * std / math.sqrt(n)
    assert abs(z1.std().item() - std) < 4 * std / math.sqrt(n)
    assert abs((z1 > 1).double().mean().item() - accuracy) < 4 * math.sqrt(accuracy * (1 - accuracy) / n)
    assert abs(z2.std().item() - 1) < 4 / math.sqrt(2 * n)
    assert abs(
        last(samplers.ula(logistic_posterior(condition), 0.3, gamma), normal_start(n), streams(1, n), 60).h[:, 0].mean()
        - mean
    ) > (8 * std / math.sqrt(n))


def test_ula_has_its_known_bias():
    step_size, precision, n = 0.3, 2.0, 40_000
    sampler = samplers.ula(gaussian_target(precision), step_size)
    h = last(sampler, torch.zeros(n // 8, 8, dtype=torch.float64), streams(0, n // 8), 60).h
    expected = 1 / (precision * (1 - precision * step_size / 2))
    assert abs(h.var().item() - expected) < 4 * expected * math.sqrt(2 / n)


def test_ula_is_mala_approx_with_tied_epsilons():
    pipeline, d, gamma = linear().pipeline(2), 0.04, 2.5
    h0 = torch.ones(3, 3, dtype=torch.float64)
    a = last(samplers.ula(pipeline, d, gamma), h0, streams(0, 3), 20).h
    b = last(samplers.mala_approx(pipeline, d, gamma * d, math.sqrt(2 * d)), h0, streams(0, 3), 20).h
    assert torch.allclose(a, b, atol=1e-12)
    cold = last(samplers.ula(pipeline, d, gamma, temperature=0.0), h0, streams(0, 3), 20).h
    assert torch.allclose(cold, last(samplers.mala_approx(pipeline, d, gamma * d, 0.0), h0, streams(0, 3), 20).h)


def test_the_acceptance_is_metropolis():
    """Against the normal densities of both proposals, written out."""
    n, d, pipeline = 500, 0.4, logistic_posterior(Logistic(3.0, 0.5))
    sampler = samplers.mala(pipeline, d)
    before = sampler.init(normal_start(n))
    after = sampler.step(before, streams(2, n))
    z = streams(2, n).normal(before.h, 0)
    score = before.terms.prior + before.terms.condition
    h = before.h + d * score + math.sqrt(2 * d) * z
    new = pipeline(h)

    def log_q(to, origin, score):
        return torch.distributions.Normal(origin + d * score, math.sqrt(2 * d)).log_prob(to).sum(1)

    log_ratio = (
        pipeline.prior.log_prob(h) + new.log_condition - before.log_prob
        + log_q(before.h, h, new.prior + new.condition) - log_q(h, before.h, score)
    )  # fmt: skip
    assert torch.allclose(after.acceptance, log_ratio.exp().clamp(max=1), atol=1e-10)
    taken = streams(2, n).uniform(before.log_prob, 0) < after.acceptance
    assert torch.allclose(after.h, torch.where(taken[:, None], h, before.h), atol=1e-12)
    assert 0.2 < taken.double().mean() < 0.98


def test_the_state_is_of_its_code_whether_accepted_or_not():
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    state = last(samplers.mala(pipeline, 0.8), normal_start(50), streams(0, 50), 7)
    again = pipeline(state.h)
    for kept, fresh in zip(state.terms, again, strict=True):
        assert torch.equal(kept, fresh)
    assert torch.allclose(state.log_prob, pipeline.prior.log_prob(state.h) + again.log_condition)


@dataclass(frozen=True)
class Cliff:
    """NaN beyond x_1 = 1."""

    def log_prob(self, x):
        x1 = x.flatten(1)[:, 0]
        return torch.where(x1 < 1, 0.0 * x1, torch.nan)

    def rows(self, index):
        return self


def test_nan_is_a_rejection():
    n = 4000
    state = last(samplers.mala(logistic_posterior(Cliff()), 0.3), normal_start(n).clamp(max=0.9), streams(0, n), 80)
    assert (state.h[:, 0] < 1).all()
    assert torch.isfinite(state.h).all()
    normal = torch.distributions.Normal(0.0, 1.0)
    one = torch.tensor(1.0)
    mean = -(normal.log_prob(one).exp() / normal.cdf(one)).item()  # of a normal cut off at 1
    assert abs(state.h[:, 0].mean().item() - mean) < 4 / math.sqrt(n)


def test_exactness_is_stated_and_needs_a_density():
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    assert samplers.mala(pipeline, 0.1).exact
    assert not samplers.ula(pipeline, 0.1).exact
    with pytest.raises(
        TypeError, match=r"mala needs a prior with a density.*DAE has none; ula, mala_approx and annealed walk"
    ):
        samplers.mala(logistic_posterior(Logistic(4.0, 1.0), ppgn.priors.dae(lambda h: h, 0.1)), 0.1)


@pytest.mark.parametrize("step_size", [0.0, -1.0, math.nan, math.inf])
def test_step_sizes(step_size):
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    for kernel in (samplers.mala, samplers.ula):
        with pytest.raises(ValueError, match="step_size must be positive and finite"):
            kernel(pipeline, step_size)


def test_negative_temperature():
    with pytest.raises(ValueError, match="temperature must not be negative, got -1"):
        samplers.ula(logistic_posterior(Logistic(4.0, 1.0)), 0.1, temperature=-1.0)


def test_a_saved_mala_run_goes_on_to_the_same_bits(tmp_path):
    pipeline = logistic_posterior(Logistic(4.0, 1.0))

    def run(steps):
        sampler = samplers.mala(pipeline, 0.4)
        return ppgn.sample(pipeline, 8, steps, 0, sampler=sampler, progress=False)

    whole = run(31)
    run(12).save(tmp_path / "out")
    loaded = ppgn.Samples.load(tmp_path / "out")
    again = loaded.resume(pipeline, 19, sampler=lambda p: samplers.mala(p, 0.4), progress=False)
    assert torch.equal(again.codes, whole.codes)
    assert again.exact
    assert again.record["exact"]


def test_several_moves_a_step_are_as_many_steps():
    """With the same noise: three steps of two moves against six of one, and the mean of their acceptances."""
    pipeline, n = logistic_posterior(Logistic(4.0, 1.0)), 20
    noise, numbers = torch.randn(6, n, 2, generator=torch.Generator().manual_seed(0)).double(), normal_start(n, d=6).T

    @dataclass(frozen=True)
    class Given:
        moves: int

        def normal(self, like, step, purpose="move"):
            return noise[step * self.moves : (step + 1) * self.moves].transpose(0, 1)

        def uniform(self, like, step, purpose="accept"):
            return numbers[step * self.moves : (step + 1) * self.moves].T.sigmoid()

    single = list(islice(samplers.chain(samplers.mala(pipeline, 0.5), normal_start(n), Given(1)), 7))
    double = list(islice(samplers.chain(samplers.mala(pipeline, 0.5, moves=2), normal_start(n), Given(2)), 4))
    for i in (1, 2, 3):
        assert torch.equal(double[i].h, single[2 * i].h)
        assert torch.equal(double[i].log_prob, single[2 * i].log_prob)
        mean = (single[2 * i - 1].acceptance + single[2 * i].acceptance) / 2
        assert torch.allclose(double[i].acceptance, mean)
    with pytest.raises(ValueError, match="moves must be at least 1, got 0"):
        samplers.mala(pipeline, 0.5, moves=0)
