"""Sequential Monte Carlo: evidence against quadrature, populations that never mix, and what no weight can reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice, product

import pytest
import torch
from targets import Logistic, assert_close, logistic_posterior, normal_start

import ppgn
from ppgn import samplers
from ppgn.random import streams
from ppgn.samplers.groups import grouping


def last(sampler, h0, rng, steps):
    return next(islice(samplers.chain(sampler, h0, rng), steps, None))


def probability(k, c):
    """p(y) of `Logistic(k, c)` under a standard normal."""
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    weights = (-0.5 * z**2).softmax(0)
    return (weights * torch.sigmoid(k * (z - c))).sum().item()


@dataclass(frozen=True)
class Rows:
    """`Logistic` with a threshold for every chain."""

    c: torch.Tensor
    k: float = 4.0

    def log_prob(self, x):
        return torch.nn.functional.logsigmoid(self.k * (x.flatten(1)[:, 0] - self.c))

    def rows(self, index):
        return Rows(self.c[index], self.k)


@dataclass(frozen=True)
class Beyond:
    """p(y | x) = 1 for x_1 > c, else 0: nothing to follow uphill."""

    c: torch.Tensor

    def log_prob(self, x):
        x1 = x.flatten(1)[:, 0]
        return torch.where(x1 > self.c, 0.0 * x1, -torch.inf)

    def rows(self, index):
        return self if self.c.ndim == 0 else Beyond(self.c[index])


def finished(sampler, n, seed, dtype=torch.float64):
    walk = islice(samplers.chain(sampler, normal_start(n).to(dtype), streams(seed, n)), 60)
    return next(state for state in walk if bool(sampler.finished(state).all()))


@pytest.mark.parametrize(("k", "c"), [(4.0, 1.0), (8.0, 3.0)], ids=["common", "rare"])
def test_evidence_and_moments_are_those_of_quadrature(k, c):
    """Over 40 populations of 200, so that the errors are measured and not assumed."""
    groups, condition = torch.arange(8000) % 40, Logistic(k, c)
    state = finished(samplers.smc(logistic_posterior(condition), 0.3, groups), 8000, 1)
    evidence = torch.stack([state.log_evidence[groups == g] for g in range(40)])
    assert bool((evidence == evidence[:, :1]).all())
    share = evidence[:, 0].exp() / probability(k, c)
    assert_close(share.mean(), 1.0, share.std() / math.sqrt(40))  # the estimate itself has no bias, its log has
    assert share.std() < 0.35
    z = torch.stack([state.h[groups == g, 0] for g in range(40)])
    mean, std, _ = condition.truth()
    assert_close(z.mean(), mean, z.mean(1).std() / math.sqrt(40))
    assert_close(((z - mean) ** 2).mean(), std**2, ((z - mean) ** 2).mean(1).std() / math.sqrt(40))
    other = torch.stack([state.h[groups == g, 1] for g in range(40)])
    assert_close((other**2).mean(), 1.0, (other**2).mean(1).std() / math.sqrt(40))


def test_populations_of_unlike_conditions_do_not_mix():
    """Four thresholds in a shuffled batch: each group comes to its own posterior from its own particles."""
    n, thresholds = 8000, torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    groups = torch.randint(4, (n,), generator=torch.Generator().manual_seed(0))
    pipeline = logistic_posterior(Rows(thresholds[groups]))
    state = finished(samplers.smc(pipeline, 0.3, 10 * groups - 7), n, 2)  # numbers may be any
    assert torch.equal(groups[state.ancestor], groups)
    for g, c in enumerate(thresholds.tolist()):
        own = groups == g
        mean, std, _ = Logistic(4.0, c).truth()
        error = std / math.sqrt(own.sum() / 10)  # a tenth of the particles are as good as independent, or more
        assert_close(state.h[own, 0].mean(), mean, error)
        assert_close(state.log_evidence[own][0].exp() / probability(4.0, c), 1.0, 0.04)


def test_a_hard_constraint_is_reached():
    """-inf for 97.7 % of the prior: gamma is 1, all particles within, and the moments those of a normal's tail."""
    c, groups = torch.tensor(2.0), torch.arange(8000) // 400
    state = finished(samplers.smc(logistic_posterior(Beyond(c)), 0.3, groups), 8000, 3)
    assert (state.gamma == 1).all()
    assert (state.h[:, 0] > 2).all()
    normal = torch.distributions.Normal(0.0, 1.0)
    tail = normal.cdf(-c).item()
    mean = normal.log_prob(c).exp().item() / tail
    z = state.h[:, 0].view(20, 400)
    assert_close(z.mean(), mean, z.mean(1).std() / math.sqrt(20))
    square = (z**2).mean(1)
    assert_close(square.mean(), 1 + 2 * mean, square.std() / math.sqrt(20))
    share = state.log_evidence.view(20, 400)[:, 0].exp() / tail
    assert_close(share.mean(), 1.0, share.std() / math.sqrt(20))


def test_a_group_that_nothing_fits_fails_alone():
    """Group 1 asks for what no draw has; the others end as if it were not there."""
    n, groups = 600, torch.arange(600) % 3
    limits = torch.tensor([0.5, 60.0, -0.5])
    pipeline = logistic_posterior(Beyond(limits[groups]))
    with pytest.raises(ppgn.ChainError, match="the other 400 chains are whole") as caught:
        ppgn.sample(pipeline, n, 30, 0, sampler=samplers.smc(pipeline, 0.3, groups), progress=False)
    samples = caught.value.samples
    assert torch.equal(samples.failed_at >= 0, groups == 1)
    assert torch.equal(samples.finished, groups != 1)
    assert bool((samples.failed_at[groups == 1] == 1).all())
    assert torch.isfinite(samples.codes).all()
    assert torch.isneginf(samples.log_evidence[groups == 1]).all()
    for g, limit in ((0, 0.5), (2, -0.5)):
        assert (samples.codes[groups == g, 0] > limit).all()
    alike = logistic_posterior(Beyond(limits[[0, 0, 2]][groups]))
    well = ppgn.sample(alike, n, 30, 0, sampler=samplers.smc(alike, 0.3, groups), progress=False)
    assert torch.equal(samples.codes[groups != 1], well.codes[groups != 1])


def test_unlike_conditions_in_one_group_are_refused():
    own = torch.arange(30) % 3 // 2
    pipeline = logistic_posterior(Rows(own.double()))
    for groups in (None, torch.zeros(30, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"must share a condition; give it groups"):
            samplers.smc(pipeline, 0.3, groups).init(normal_start(30))
    samplers.smc(pipeline, 0.3, own).init(normal_start(30))
    with pytest.raises(ValueError, match=r"one number per chain, 30, got shape \(3,\)"):
        samplers.smc(pipeline, 0.3, torch.zeros(3)).init(normal_start(30))
    with pytest.raises(ValueError, match=r"at least 10 chains of each condition, .* got 9; .*mala\+isir"):
        samplers.smc(logistic_posterior(Logistic(4.0, 1.0)), 0.3).init(normal_start(9))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_resampling_is_systematic(dtype):
    """w / mean(w) rounded down or up, in each of eight interleaved groups, for uniforms up to the very ends."""
    n = 400
    numbers = torch.arange(n) % 8
    among = grouping(numbers)(torch.zeros(n, 2, dtype=dtype))
    for seed, u in product(range(20), (0.0, 1e-7, 0.3, 0.7, 1 - 2**-24)):
        weights = 3 * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=dtype)
        weights[-8:] = -torch.inf  # the last of each group: where rounding would put what is left over
        chosen = among.resample(weights, torch.full((n,), u, dtype=dtype))
        assert torch.equal(numbers[chosen], numbers)
        count = torch.bincount(chosen, minlength=n).double()
        w = weights.double().exp()
        share = w / torch.stack([w[numbers == g].mean() for g in range(8)])[numbers]
        assert ((count - share).abs() < 1 + 1e-5).all()
        assert (count[-8:] == 0).all()


def test_resampling_has_no_bias():
    """Over all uniforms a particle is chosen as often as its share says: the mean over a fine grid, to its spacing."""
    among = grouping(None)(torch.zeros(20, 1, dtype=torch.float64))
    weights = torch.randn(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    grid = (torch.arange(2000) + 0.5).double() / 2000
    count = sum(torch.bincount(among.resample(weights, u.expand(20)), minlength=20) for u in grid)
    assert torch.allclose(count.double() / 2000, 20 * weights.softmax(0), atol=2 / 2000)


def test_once_at_the_posterior_it_is_a_walk():
    """No resampling, no learning, the evidence as it was."""
    sampler = samplers.smc(logistic_posterior(Logistic(4.0, 1.0)), 0.3)
    states = list(islice(samplers.chain(sampler, normal_start(300), streams(0, 300)), 20))
    done = next(i for i, state in enumerate(states) if bool((state.gamma == 1).all()))
    a, b = states[done], states[-1]
    for name in ("ancestor", "log_step", "log_evidence", "gamma"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert not torch.equal(a.h, b.h)
    again = sampler.target(b.h)
    assert torch.allclose(b.log_prob, sampler.target.prior.log_prob(b.h) + again.log_condition)
    assert sampler.finished(states[done + 5]).all()
    assert not sampler.finished(states[done + 4]).any()


def test_the_start_does_not_matter():
    sampler = samplers.smc(logistic_posterior(Logistic(4.0, 1.0)), 0.3)
    a = last(sampler, normal_start(50), streams(0, 50), 10)
    b = last(sampler, normal_start(50) + 100, streams(0, 50), 10)
    assert torch.equal(a.h, b.h)


@pytest.mark.parametrize("option", [{"moves": 0}, {"settle": -1}, {"ess": 1.0}, {"acceptance": 0.0}], ids=str)
def test_bad_input(option):
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    with pytest.raises(ValueError, match="moves must be at least 1, settle at least 0, ess and acceptance between"):
        samplers.smc(pipeline, 0.1, **option)
    with pytest.raises(TypeError, match="smc needs a prior with a density"):
        samplers.smc(logistic_posterior(Logistic(4.0, 1.0), ppgn.priors.dae(lambda h: h, 0.1)), 0.1)
