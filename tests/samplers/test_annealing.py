from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import pytest
import torch
from targets import Counted, Logistic

import ppgn
from ppgn import samplers
from ppgn.random import streams

N = 8_000
HIGH, LOW, LEVELS = 10.0, 0.1, 150


@dataclass(frozen=True)
class Normal:
    """The best denoiser of N(mean, variance), independent units."""

    mean: torch.Tensor
    variance: torch.Tensor

    def __call__(self, h, sigma):
        return self.mean + self.variance / (self.variance + sigma**2) * (h - self.mean)


@dataclass(frozen=True)
class Mixture:
    """The best denoiser of a mixture of round normals."""

    means: torch.Tensor
    weights: torch.Tensor
    std: float

    def __call__(self, h, sigma):
        variance = self.std**2 + sigma**2
        away = h[:, None] - self.means
        share = (self.weights.log() - away.square().sum(2) / (2 * variance)).softmax(1)
        return (share[..., None] * (self.means + self.std**2 / variance * away)).sum(1)


@dataclass(frozen=True)
class Measured:
    """log p(y | x) = -(x_1 - y)^2 / (2 tau^2), or nothing for tau = inf."""

    y: float = 0.0
    tau: float = math.inf

    def log_prob(self, x):
        return -((x.flatten(1)[:, 0] - self.y) ** 2) / (2 * self.tau**2)

    def rows(self, index):
        return self


NORMAL = Normal(torch.tensor([1.0, -2.0]).double(), torch.tensor([4.0, 0.25]).double())
MODES = Mixture(torch.tensor([[4.0, 0.0], [-4.0, 0.0]]).double(), torch.tensor([0.3, 0.7]).double(), 0.5)


def pipeline(denoiser, condition, width=2):
    prior = ppgn.priors.dae(denoiser, LOW, conditional=True)
    return ppgn.Pipeline(lambda h: h.reshape(-1, 1, 1, width), prior, condition)


def start(n=N, shape=(2,)):
    return HIGH * streams(1, n).normal(torch.empty(n, *shape, dtype=torch.float64), 0, "start")


def end(target, h0, steps=LEVELS, **options):
    sampler = samplers.annealed(target, HIGH, LOW, LEVELS, **options)
    return next(islice(samplers.chain(sampler, h0, streams(0, len(h0))), steps, None))


@pytest.mark.parametrize("corrector", [0.0, 0.3, 1.0])
def test_a_normal_prior_is_sampled(corrector):
    """Mean and variance of N(m, S + sigma_min^2). Bias of the finite ladder, of 150 levels: below 3 %."""
    h0 = NORMAL.mean + (1 + NORMAL.variance / HIGH**2).sqrt() * start()
    h = end(pipeline(NORMAL, Measured()), h0, corrector=corrector).h
    variance = NORMAL.variance + LOW**2
    assert ((h.mean(0) - NORMAL.mean).abs() < (4 / math.sqrt(N) + 0.02) * variance.sqrt()).all()
    assert ((h.var(0) / variance - 1).abs() < 4 * math.sqrt(2 / N) + 0.03).all()


def test_a_linear_condition_gives_the_normal_posterior():
    """Precisions add. Guidance by the expected code is too sure on the way: a variance up to 10 % small is stated."""
    tau = 0.5
    h = end(pipeline(NORMAL, Measured(0.0, tau)), start()).h
    prior = NORMAL.variance + LOW**2
    posterior = 1 / (1 / prior[0] + 1 / tau**2)
    mean = posterior * NORMAL.mean[0] / prior[0]
    assert abs(h[:, 0].mean() - mean) < 4 * (posterior / N).sqrt() + 0.03 * posterior.sqrt()
    assert abs(h[:, 0].var() / posterior - 0.95) < 4 * math.sqrt(2 / N) + 0.05
    assert abs(h[:, 1].var() / prior[1] - 1) < 4 * math.sqrt(2 / N) + 0.01  # what the condition does not see


def test_two_modes_keep_their_weights():
    """A walk at sigma_min alone would never cross. The share of the lighter mode, and the modes' own moments."""
    h = end(pipeline(MODES, Measured()), start()).h
    right = h[:, 0] > 0
    assert abs(right.double().mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / N)
    variance = MODES.std**2 + LOW**2
    for mode, mean in ((right, 4.0), (~right, -4.0)):
        n = int(mode.sum())
        assert abs(h[mode, 0].mean() - mean) < 4 * math.sqrt(variance / n) + 0.02
        assert ((h[mode].var(0) / variance - 1).abs() < 4 * math.sqrt(2 / n) + 0.02).all()


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_a_logistic_condition_moves_the_weights(gamma):
    """Quadrature gives the share of the right mode; the stated bias of the guidance is 0.03."""
    condition = Logistic(0.5, 0.0)
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    codes = torch.stack([z, torch.zeros_like(z)], 1)
    away = (z[:, None] - MODES.means[:, 0]).square() / (2 * (MODES.std**2 + LOW**2))
    log_p = torch.logsumexp(MODES.weights.log() - away, 1) + gamma * condition.log_prob(codes.view(-1, 1, 1, 2))
    truth = log_p.softmax(0)[z > 0].sum()
    h = end(pipeline(MODES, condition), start(), gamma=gamma).h
    assert abs((h[:, 0] > 0).double().mean() - truth) < 4 * math.sqrt(0.25 / N) + 0.03


@pytest.mark.parametrize("corrector", [0.2, 1.0])
def test_noise_over_two_steps_leaves_no_bias_of_the_step(corrector):
    """At one level, on a target as narrow as a step: Euler's variance would be 1 / (1 - c / 2) too large."""
    narrow = Normal(torch.zeros(2).double(), torch.full((2,), 1e-8).double())
    h = end(pipeline(narrow, Measured()), start(), steps=LEVELS + 100, corrector=corrector).h
    assert ((h.var(0) / LOW**2 - 1).abs() < 4 * math.sqrt(2 / N)).all()


def test_images_may_be_codes():
    shape = (1, 2, 3)
    denoiser = Normal(torch.full(shape, 0.5).double(), torch.tensor(0.04).double())
    h = end(pipeline(denoiser, Measured(), 6), start(4000, shape)).h
    assert h.shape == (4000, *shape)
    count = h.numel()
    assert abs(h.mean() - 0.5) < 4 * math.sqrt(0.05 / count) + 0.004
    assert abs(h.var() / 0.05 - 1) < 4 * math.sqrt(2 / count) + 0.02


def test_terms_are_of_the_expected_code_and_at_the_end_of_the_code():
    target = pipeline(MODES, Logistic(2.0, 0.5))
    sampler = samplers.annealed(target, HIGH, LOW, levels=3)
    states = list(islice(samplers.chain(sampler, start(5), streams(0, 5)), 5))
    for state, sigma in zip(states, (10.0, 10 * 100 ** (-1 / 3), 10 * 100 ** (-2 / 3)), strict=False):
        h = state.h.clone().requires_grad_()
        clean = MODES(h, sigma)
        log_p = target.condition.log_prob(target.generator(clean))
        (gradient,) = torch.autograd.grad(log_p.sum(), h)
        assert torch.allclose(state.terms.image, target.generator(clean))
        assert torch.allclose(state.terms.condition, gradient)
        assert torch.allclose(state.terms.prior, (clean - h) / sigma**2)
        assert torch.allclose(state.terms.log_condition, log_p)
    for state in states[3:]:
        plain = target(state.h)
        assert all(torch.allclose(a, b) for a, b in zip(state.terms, plain, strict=True))


def test_one_generator_call_a_step_and_the_level_is_the_steps():
    """A walk goes on from any of its states, on and after the ladder, to the same bits."""
    target = pipeline(MODES, Logistic(2.0, 0.5))
    counted = Counted(torch.nn.Flatten(1)).eval()
    called = ppgn.Pipeline(lambda h: counted(h).view(-1, 1, 1, 2), target.prior, target.condition)
    sampler = samplers.annealed(called, HIGH, LOW, levels=6)
    whole = list(islice(samplers.chain(sampler, start(4), streams(0, 4)), 10))
    assert counted.calls == 10
    for k in (2, 6, 8):
        again = list(islice(samplers.walk(sampler, whole[k], streams(0, 4)), 10 - k))
        assert torch.equal(again[-1].h, whole[-1].h)
    assert not sampler.exact


def test_a_chain_that_fails_stops_where_all_was_finite():
    def broken(h, sigma):
        clean = MODES(h, sigma)
        return torch.where((torch.arange(len(h)) == 1)[:, None] & (sigma < 5), torch.nan, clean)

    state = end(pipeline(broken, Measured()), start(3))
    assert state.failed_at.tolist()[0] == state.failed_at.tolist()[2] == -1
    assert 0 < state.failed_at[1] < LEVELS
    assert torch.isfinite(state.h).all()


def test_bad_input():
    target = pipeline(MODES, Measured())
    with pytest.raises(TypeError, match=r"known at many noise levels, as dae\(..., conditional=True\), not NoPrior"):
        samplers.annealed(ppgn.Pipeline(target.generator, ppgn.priors.none(), target.condition), HIGH, LOW, LEVELS)
    single = ppgn.Pipeline(target.generator, ppgn.priors.dae(lambda h: h, 0.1), target.condition)
    with pytest.raises(ValueError, match=r"must know many noise levels, as of dae\(..., conditional=True\)"):
        samplers.annealed(single, HIGH, LOW, LEVELS)
    with pytest.raises(ValueError, match=r"0 < sigma_min < sigma_max and levels >= 1 are needed, got 0\.1, 0\.1 and 3"):
        samplers.annealed(target, 0.1, 0.1, 3)
    with pytest.raises(ValueError, match=r"and 0$"):
        samplers.annealed(target, HIGH, LOW, 0)
    with pytest.raises(ValueError, match="corrector must be at least 0 and less than 2, got 2"):
        samplers.annealed(target, HIGH, LOW, LEVELS, corrector=2.0)


def test_a_limit_holds_steep_conditions():
    """A measurement of deviation 0.02 under levels of up to 10: without a limit the walk is thrown about."""
    asked = pipeline(NORMAL, Measured(y=2.0, tau=0.02))
    ends = {}
    for limit in (None, 1.0):
        sampler = samplers.annealed(asked, HIGH, LOW, LEVELS, limit=limit)
        states = samplers.chain(sampler, start(500), rng=streams(0, 500))
        ends[limit] = next(islice(states, LEVELS, None)).h
    error = {limit: (h[:, 0] - 2.0).square().mean().sqrt() for limit, h in ends.items()}
    assert error[1.0] < 2 * LOW
    assert ends[1.0][:, 1].mean().item() == pytest.approx(-2.0, abs=4 * 0.5 / math.sqrt(500))
    assert not error[None] < 1e6


def test_a_limit_shortens_the_condition_alone_and_to_its_length():
    asked = pipeline(NORMAL, Measured(y=50.0, tau=1.0))
    h, rng = start(4), streams(0, 4)
    moved = {}
    for limit in (None, 1e9, 1e-3):
        sampler = samplers.annealed(asked, HIGH, LOW, LEVELS, corrector=0.0, limit=limit)
        moved[limit] = sampler.step(sampler.init(h), rng).h
    free = samplers.annealed(asked, HIGH, LOW, LEVELS, corrector=0.0, gamma=0.0)
    unasked = free.step(free.init(h), rng).h
    assert torch.equal(moved[None], moved[1e9])
    kept = 1 - (LOW / HIGH) ** (1 / LEVELS)  # the share of a pull that one step down the ladder takes
    size = (moved[1e-3] - unasked).square().mean(1).sqrt()
    assert torch.allclose(size, torch.full_like(size, kept * 1e-3 * HIGH), rtol=1e-6)


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_a_limit_must_be_positive(limit):
    with pytest.raises(ValueError, match="limit must be positive"):
        samplers.annealed(pipeline(NORMAL, Measured()), HIGH, LOW, LEVELS, limit=limit)
