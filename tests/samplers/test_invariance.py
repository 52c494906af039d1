"""Exact kernels leave the posterior where it is: from exact draws a few steps lead to exact draws.

Simulation-based (Geweke 2004; Talts et al. 2018): h ~ p(h), then y ~ p(y|h), so that h is a draw of p(h|y) for a y of
its own. After any number of exact steps its rank in p(h|y), known by quadrature, is still uniform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import pytest
import torch
from targets import Logistic, logistic_posterior, normal_start

import ppgn
from ppgn import samplers
from ppgn.random import streams

N, BINS, K, C = 12_000, 20, 4.0, 0.7
GRID = torch.linspace(-9, 9, 20_001, dtype=torch.float64)


@dataclass(frozen=True)
class Answers:
    """p(y = 1 | x) = sigmoid(K (x_1 - C)), y = +-1 given for every chain."""

    sign: torch.Tensor

    def log_prob(self, x):
        return torch.nn.functional.logsigmoid(self.sign * K * (x.flatten(1)[:, 0] - C))

    def rows(self, index):
        return Answers(self.sign[index])


def joint(seed):
    """(pipeline, h, y): codes of the prior and answers drawn to them."""
    h = normal_start(N, seed)
    uniform = streams(seed, N).uniform(h[:, 0], 0, "answer")
    sign = torch.where(uniform < torch.sigmoid(K * (h[:, 0] - C)), 1.0, -1.0).double()
    return logistic_posterior(Answers(sign)), h, sign


def ranks(h, sign):
    """(N, 2) in [0, 1]: of each coordinate in its posterior."""
    rank = torch.empty_like(h)
    for y in (1.0, -1.0):
        log_p = -0.5 * GRID**2 + torch.nn.functional.logsigmoid(y * K * (GRID - C))
        below = torch.cumsum(log_p.softmax(0), 0)
        own = sign == y
        rank[own, 0] = below[torch.searchsorted(GRID, h[own, 0].contiguous()).clamp(max=len(GRID) - 1)]
    rank[:, 1] = torch.special.ndtr(h[:, 1])  # the condition does not see it
    return rank


def chance(rank):
    """The p-value of a chi-square test that ranks (N,) are uniform."""
    count = torch.histc(rank, BINS, 0, 1)
    expected = len(rank) / BINS
    square = ((count - expected) ** 2 / expected).sum()
    return torch.special.gammaincc(torch.tensor((BINS - 1) / 2, dtype=torch.float64), square / 2).item()


def assert_uniform(h, sign):
    """Each coordinate's ranks, and those of its distance from the middle of them."""
    for column in ranks(h, sign).T:
        assert chance(column) > 0.01
        assert chance((2 * column - 1).abs()) > 0.01


def walked(sampler, state, seed, steps):
    return next(islice(samplers.walk(sampler, state, streams(seed, N)), steps, None)).h


@pytest.mark.parametrize("build", [
    lambda p: samplers.mala(p, 0.5),
    lambda p: samplers.isir(p, 4),
    lambda p: samplers.cycle(samplers.isir(p, 2), samplers.mala(p, 0.5)),
    lambda p: samplers.rejection(p, draws=32),
], ids=["mala", "isir", "cycle", "rejection"])  # fmt: skip
def test_exact_kernels(build):
    pipeline, h, sign = joint(0)
    assert_uniform(h, sign)
    sampler = build(pipeline)
    assert sampler.exact
    h = walked(sampler, sampler.init(h), 2, 6)
    assert_uniform(h, sign)


@pytest.mark.parametrize("pooled", [False, True])
def test_mala_after_its_warmup(pooled):
    """The tuning of one walk, frozen, on fresh exact draws: steps and scales of each chain's own, and still exact."""
    pipeline, h, sign = joint(0)
    sampler = samplers.mala(pipeline, 0.5, warmup=60, precondition=True, pooled=pooled)
    start = sampler.init(normal_start(N, 3))
    tuned = next(islice(samplers.walk(sampler, start, streams(3, N)), 60, None))
    state = sampler.init(h)._replace(tuning=tuned.tuning, step=60)
    assert bool(tuned.tuning.log_average.std() < 1e-12) is pooled
    assert_uniform(walked(sampler, state, 2, 6), sign)


def test_the_moves_of_smc_at_the_posterior():
    pipeline, h, sign = joint(0)
    sampler = samplers.smc(pipeline, 0.5, sign.long(), moves=3)
    state = sampler.init(h)
    state = state._replace(
        step=1, gamma=torch.ones_like(state.gamma), log_prob=state.log_prob + state.terms.log_condition
    )
    assert torch.equal(state.log_prob, pipeline.prior.log_prob(h) + state.terms.log_condition)
    assert_uniform(walked(sampler, state, 2, 2), sign)


@pytest.mark.parametrize("spoil", ["ula", "power", "score"])
def test_what_is_not_invariant_is_seen(spoil):
    """So that the tests above can fail: an unadjusted walk, MALA at another power, MALA told a wrong density."""
    pipeline, h, sign = joint(0)
    wrong = ppgn.Pipeline(pipeline.generator, ppgn.priors.gaussian((2,), std=1.15), pipeline.condition)
    sampler = {
        "ula": lambda: samplers.ula(pipeline, 0.5),
        "power": lambda: samplers.mala(pipeline, 0.5, gamma=1.3),
        "score": lambda: samplers.mala(wrong, 0.5),
    }[spoil]()
    rank = ranks(walked(sampler, sampler.init(h), 2, 6), sign)
    worst = min(chance(r) for column in rank.T for r in (column, (2 * column - 1).abs()))
    assert worst < 1e-4


class Given:
    """Random numbers that were chosen."""

    def __init__(self, noise, uniform):
        self.noise, self.numbers = noise, uniform

    def normal(self, like, step, purpose="move"):
        return self.noise.to(like).view(like.shape)

    def uniform(self, like, step, purpose="accept"):
        return self.numbers.to(like).view(like.shape)

    def rows(self, index):
        return Given(self.noise[index], self.numbers[index])


def flow(sampler, state, to, root):
    """log of pi(h) q(to | h) a(h, to), by the kernel's own acceptance, for proposals h + a root + root z = to."""
    score = state.terms.prior + state.terms.condition
    z = (to - state.h - 0.5 * root**2 * score) / root
    after = sampler.step(state, Given(z, torch.zeros(len(z))))  # a number of 0 takes any proposal that may be taken
    assert torch.allclose(after.h, to, atol=1e-12)
    log_q = (-0.5 * z**2 - root.log() - 0.5 * math.log(2 * math.pi)).sum(1)
    assert after.acceptance.min() < 0.5  # or nothing would be put to the test
    return state.log_prob + log_q + after.acceptance.log()


@pytest.mark.parametrize("step_size", [0.05, 0.5, 3.0])
def test_detailed_balance_on_a_grid(step_size):
    """pi(x) q(x' | x) a(x, x') = pi(x') q(x | x') a(x', x) for all pairs of 41 places."""
    condition = Logistic(6.0, 0.5)
    pipeline = ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 1), ppgn.priors.gaussian((1,)), condition)
    sampler = samplers.mala(pipeline, step_size)
    grid = torch.linspace(-3, 3, 41, dtype=torch.float64)
    a, b = (places.reshape(-1, 1) for places in torch.meshgrid(grid, grid, indexing="ij"))
    root = torch.full_like(a, math.sqrt(2 * step_size))
    there, back = flow(sampler, sampler.init(a), b, root), flow(sampler, sampler.init(b), a, root)
    assert torch.allclose(there, back, rtol=1e-10, atol=1e-10)


def test_detailed_balance_with_scales_and_steps_of_each_chain():
    """As above between random places in two dimensions; every pair of them with its own frozen step and scale."""
    n = 500
    pipeline = logistic_posterior(Logistic(6.0, 0.5))
    sampler = samplers.mala(pipeline, 0.2, warmup=1, precondition=True)
    rng = torch.Generator().manual_seed(0)
    a, b, log_scale = (torch.randn(n, 2, generator=rng, dtype=torch.float64) for _ in range(3))
    log_step = torch.randn(n, generator=rng, dtype=torch.float64)
    root = (0.4 * log_step.exp()).sqrt()[:, None] * log_scale.exp()

    def tuned(h):
        state = sampler.init(h)
        return state._replace(step=1, tuning=state.tuning._replace(log_average=log_step, scale=log_scale.exp()))

    there, back = flow(sampler, tuned(a), b, root), flow(sampler, tuned(b), a, root)
    assert torch.allclose(there, back, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("proposals", [1, 5])
def test_isir_chooses_by_weight(proposals):
    """Many chains at one place, with the same proposals, choose each as often as its weight says."""
    n, pipeline = 20_000, logistic_posterior(Logistic(2.0, 0.0))
    codes = torch.tensor([[0.3, 0.0], [-1.0, 0.0], [2.0, 0.0], [0.9, 0.0], [-0.2, 0.0], [-2.0, 0.0]]).double()
    codes = codes[: proposals + 1]
    weights = pipeline(codes).log_condition.softmax(0)

    class Fixed:
        """A prior whose draws are the codes in turn."""

        score, log_prob = pipeline.prior.score, pipeline.prior.log_prob

        def sample(self, n, rng, step=0):
            return codes[step].expand(n, 2)

    sampler = samplers.isir(ppgn.Pipeline(pipeline.generator, Fixed(), pipeline.condition), proposals)
    h = sampler.step(sampler.init(codes[0].expand(n, 2).clone()), streams(0, n)).h
    share = torch.stack([(h == code).all(1).double().mean() for code in codes])
    assert ((share - weights).abs() < 4 * (weights * (1 - weights) / n).sqrt()).all()
