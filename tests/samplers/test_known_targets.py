"""Targets whose moments are known in closed form. Draws are the ends of chains, so they are independent."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from targets import assert_close, assert_moments, drawn, posterior_of

from ppgn import samplers
from ppgn.random import streams


def last(sampler, h0, rng, steps):
    return next(islice(samplers.chain(sampler, h0, rng), steps, None))


D = 50
MEAN = torch.linspace(-1, 1, D, dtype=torch.float64)
VARIANCE = torch.logspace(-1, 0, D, dtype=torch.float64)  # condition number 10


def fifty():
    """N(MEAN, VARIANCE) in 50 dimensions."""
    return posterior_of(lambda h: -0.5 * ((h - MEAN) ** 2 / VARIANCE).sum(1), torch.full((D,), 1.2))


def assert_fifty(h):
    """A hundred numbers within 4 standard errors each, and their squares' sum within 4 of its own, sqrt(2 * 50)."""
    assert_moments(h, MEAN, VARIANCE)
    z = (h.mean(0) - MEAN) / (VARIANCE / len(h)).sqrt()
    assert (z**2).sum() < D + 4 * math.sqrt(2 * D)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("precondition", [False, True])
def test_mala_in_fifty_dimensions(precondition, pooled):
    n, pipeline = 1000, fifty()
    sampler = samplers.mala(pipeline, 0.5, warmup=250, precondition=precondition, pooled=pooled)
    state = last(sampler, drawn(pipeline, n), streams(1, n), 400)
    assert_fifty(state.h)
    if precondition:  # a chain's own scales are of 110 steps, the pooled ones of all chains'
        ratio = state.tuning.scale / VARIANCE.sqrt()
        spread = (ratio / ratio.mean(1, keepdim=True)).log().std()
        assert spread < (0.03 if pooled else 0.35)
        assert VARIANCE.sqrt().log().std() > 0.33  # what it would be had nothing been learnt


def test_smc_in_fifty_dimensions():
    """Twenty populations of 100: particles of one are not independent, the populations' means are."""
    groups = torch.arange(2000) % 20
    pipeline = fifty()
    sampler = samplers.smc(pipeline, 0.1, groups)
    state = last(sampler, drawn(pipeline, 2000), streams(1, 2000), 45)
    assert sampler.finished(state).all()
    means = torch.stack([state.h[groups == g].mean(0) for g in range(20)])
    variances = torch.stack([((state.h[groups == g] - MEAN) ** 2).mean(0) for g in range(20)])
    assert_close(means.mean(0), MEAN, means.std(0) / math.sqrt(20), 5)  # Student's t of 19 degrees
    assert_close(variances.mean(0), VARIANCE, variances.std(0) / math.sqrt(20), 5)


MODES = torch.tensor([[0.0, 4.0], [4.0, -3.0], [-5.0, -2.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
STDS = torch.tensor([0.5, 0.8, 1.1], dtype=torch.float64)


def three_modes():
    def log_density(h):
        squares = ((h[:, None] - MODES) ** 2).sum(2) / STDS**2
        return (WEIGHTS.log() - 2 * STDS.log() - 0.5 * squares).logsumexp(1) - math.log(2 * math.pi)

    return posterior_of(log_density, torch.full((2,), 4.0))


def mode_of(h):
    """Of two modes of unlike width the nearest in deviations: no draw in a thousand is told wrong."""
    return (((h[:, None] - MODES) ** 2).sum(2) / STDS**2 + 4 * STDS.log()).argmin(1)


def assert_three_modes(h):
    own = mode_of(h)
    share = torch.stack([(own == i).double().mean() for i in range(3)])
    assert_close(share, WEIGHTS, (WEIGHTS * (1 - WEIGHTS) / len(h)).sqrt())
    for i in range(3):
        assert_moments(h[own == i], MODES[i], STDS[i].expand(2) ** 2)


@pytest.mark.parametrize("build", [
    lambda p: samplers.isir(p, 20),
    lambda p: samplers.cycle(samplers.isir(p, 20), samplers.mala(p, 0.3)),
    lambda p: samplers.cycle(samplers.isir(p, 20), samplers.mala(p, 0.3, warmup=20)),
], ids=["isir", "cycle", "cycle-adapted"])  # fmt: skip
def test_three_modes_by_jumps(build):
    n, pipeline = 4000, three_modes()
    h0 = (0.1 * drawn(pipeline, n)) + MODES[0]  # all in one mode
    assert_three_modes(last(build(pipeline), h0, streams(1, n), 60).h)


def test_three_modes_are_what_mala_alone_cannot_mix():
    """So that the test above can fail."""
    n, pipeline = 500, three_modes()
    h = last(samplers.mala(pipeline, 0.3), (0.1 * drawn(pipeline, n)) + MODES[0], streams(1, n), 60).h
    assert (mode_of(h) == 0).double().mean() > 0.9


def test_three_modes_by_smc():
    """Shares of the modes over 20 populations of 400, the error from their own spread; all evidence is 1."""
    groups = torch.arange(8000) // 400
    pipeline = three_modes()
    sampler = samplers.smc(pipeline, 0.3, groups)
    state = last(sampler, drawn(pipeline, 8000), streams(1, 8000), 25)
    assert sampler.finished(state).all()
    own = mode_of(state.h).view(20, 400)
    share = torch.stack([(own == i).double().mean(1) for i in range(3)])  # (modes, populations)
    assert_close(share.mean(1), WEIGHTS, share.std(1) / math.sqrt(20), 4.5)
    for i in range(3):
        within = [h[o == i] - MODES[i] for h, o in zip(state.h.view(20, 400, 2), own, strict=True)]
        mean, square = (torch.stack([f(w) for w in within]) for f in (lambda w: w.mean(0), lambda w: (w**2).mean(0)))
        assert_close(mean.mean(0), 0.0, mean.std(0) / math.sqrt(20), 4.5)
        assert_close(square.mean(0), STDS[i] ** 2, square.std(0) / math.sqrt(20), 4.5)
    evidence = state.log_evidence.exp().view(20, 400)[:, 0]
    assert_close(evidence.mean(), 1.0, evidence.std() / math.sqrt(20), 4.5)


def funnel():
    """Neal's: v ~ N(0, 1.5^2), x_i | v ~ N(0, e^v), i = 1, 2."""

    def log_density(h):
        v, x = h[:, 0], h[:, 1:]
        return -0.5 * v**2 / 2.25 - 0.5 * (x**2).sum(1) * (-v).exp() - v

    return posterior_of(log_density, torch.tensor([2.0, 5.0, 5.0]))


def test_neals_funnel():
    """v, and x_i e^(-v/2), are independent normals; the variance of x_i is e^(1.125)."""
    n, pipeline = 3000, funnel()
    sampler = samplers.cycle(samplers.isir(pipeline, 10), samplers.mala(pipeline, 0.2, warmup=100))
    h = last(sampler, drawn(pipeline, n), streams(1, n), 250).h
    v, x = h[:, 0], h[:, 1:]
    assert_moments(torch.cat([v[:, None] / 1.5, x * (-v / 2).exp()[:, None]], 1), torch.zeros(3), torch.ones(3))
    fourth = 3 * math.exp(4 * 1.125)  # of x: 3 E e^(2v)
    assert_close((x**2).mean(0), math.exp(1.125), math.sqrt((fourth - math.exp(2.25)) / n))
    assert_close((v[:, None] * (x * (-v / 2).exp()[:, None]) ** 2).mean(0), 0.0, 1.5 * math.sqrt(3 / n))


def banana():
    """x ~ N(0, 1), y | x ~ N(x^2, 0.5^2)."""
    return posterior_of(lambda h: -0.5 * h[:, 0] ** 2 - 2 * (h[:, 1] - h[:, 0] ** 2) ** 2, torch.tensor([1.5, 4.0]))


@pytest.mark.parametrize(("build", "n", "steps"), [
    (lambda p: samplers.mala(p, 0.1, warmup=300), 2000, 1500),
    (lambda p: samplers.cycle(samplers.isir(p, 5), samplers.mala(p, 0.1, warmup=100)), 4000, 400),
], ids=["mala", "cycle"])  # fmt: skip
def test_a_banana(build, n, steps):
    """x and (y - x^2) / 0.5 are standard normals; y has mean 1 and variance 2.25, and x y mean 0."""
    pipeline = banana()
    x, y = last(build(pipeline), drawn(pipeline, n), streams(1, n), steps).h.T
    assert_moments(torch.stack([x, (y - x**2) / 0.5], 1), torch.zeros(2), torch.ones(2))
    assert_close(y.mean(), 1.0, math.sqrt(2.25 / n))
    fourth = 60 + 6 * 2 * 0.25 + 3 * 0.25**2  # E (y - 1)^4: of a centred chi-square and a normal
    assert_close(((y - 1) ** 2).mean(), 2.25, math.sqrt((fourth - 2.25**2) / n))
    assert_close((x * y).mean(), 0.0, math.sqrt(15.25 / n))  # E x^2 y^2 = E x^6 + 0.25 E x^2
