"""The truncated normal against scipy's, and walks that never leave it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import ppgn
from ppgn import priors, samplers
from ppgn.random import streams
from ppgn.types import Refreshable

MEAN, STD, CUT = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]), torch.tensor([2.0, 0.7])
IMAGE = torch.zeros(3, 1, 2, 2)


def theirs(i: int):
    return stats.truncnorm(-float(CUT[i]), float(CUT[i]), loc=float(MEAN[i]), scale=float(STD[i]))


@pytest.fixture
def prior():
    return priors.truncated_gaussian((2,), CUT, MEAN, STD)


def test_it_is_the_density_that_scipy_has(prior):
    h = torch.tensor([[1.0, -2.0], [0.1, -3.9], [1.99, 0.05], [2.01, -2.0], [1.0, -4.2]], dtype=torch.float64)
    expected = theirs(0).logpdf(h[:, 0]) + theirs(1).logpdf(h[:, 1])
    assert np.isneginf(expected[3:]).all()
    assert torch.allclose(prior.log_prob(h), torch.tensor(expected), rtol=1e-6)


def test_it_integrates_to_one():
    h = torch.linspace(-3, 3, 60_001, dtype=torch.float64)[:, None]
    density = priors.truncated_gaussian((1,), 1.3).log_prob(h).exp()
    assert float(torch.trapezoid(density, h[:, 0])) == pytest.approx(1, abs=1e-4)


def test_draws_have_its_law_and_stay_inside(prior):
    h = prior.sample(4000, streams(0, 4000))
    assert prior.log_prob(h).isfinite().all()
    for i in range(2):
        assert stats.kstest(h[:, i].numpy(), theirs(i).cdf).pvalue > 1e-3


def test_rows_of_draws_are_their_chains_own(prior):
    whole, other = prior.sample(8, streams(3, 8)), prior.sample(8, streams(3, 8), step=1)
    assert torch.equal(whole[5:6], prior.sample(1, streams(3, 1, first=5)))
    assert not torch.isclose(whole, other).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("threshold", [1e-3, 0.1, 1 / 3, 2.0])
def test_rounding_puts_no_draw_outside(dtype, threshold):
    prior = priors.truncated_gaussian((500,), threshold, 0.7, 0.3)
    assert prior.log_prob(prior.sample(4, streams(0, 4)).to(dtype)).isfinite().all()


def test_without_a_threshold_it_is_the_gaussian(prior):
    whole = priors.truncated_gaussian((2,), math.inf, MEAN, STD)
    plain = priors.gaussian((2,), MEAN, STD)
    h = torch.tensor([[0.3, 9.0], [40.0, -70.0]])
    noise, half = torch.ones(2, 2), torch.full((2, 1), 0.5)
    assert torch.allclose(whole.log_prob(h), plain.log_prob(h))
    assert torch.allclose(whole.refresh(h, noise, half), plain.refresh(h, noise, half))
    n = 20_000
    assert (whole.sample(n, streams(0, n)).std(0) / STD - 1).abs().max() < 4 / math.sqrt(2 * n)


def test_the_score_is_the_gradient_inside_and_points_back_outside(prior):
    h = torch.tensor([[1.2, -2.5], [0.4, -1.0], [9.0, 5.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(prior.log_prob(h)[:2].sum(), h)
    score = prior.score(h.detach(), IMAGE)
    assert torch.allclose(score[:2], gradient[:2])
    assert (score[2] < 0).all()


def test_refreshed_codes_keep_the_law(prior):
    """Draws stay draws under a step that is in detailed balance, and the step is symmetric in time."""
    n = 4000
    h = prior.sample(n, streams(0, n))
    assert isinstance(prior, Refreshable)
    moved = prior.refresh(h, streams(0, n).normal(h, 0), torch.full((n, 1), 0.5))
    for i in range(2):
        assert stats.kstest(moved[:, i].numpy(), theirs(i).cdf).pvalue > 1e-3
    asymmetry = h[:, 0] * moved[:, 0] ** 2 - moved[:, 0] * h[:, 0] ** 2
    assert asymmetry.mean().abs() < 4 * asymmetry.std() / math.sqrt(n)
    assert torch.allclose(prior.refresh(h, torch.zeros_like(h), torch.full((n, 1), 1e-8)), h, atol=1e-5)


@pytest.mark.parametrize("name", ["mala", "isir", "rejection"])
def test_exact_walks_never_leave_it(name):
    """Steps of mala that are far too long for the cut: every proposal outside is rejected, and the law is right."""
    prior = priors.truncated_gaussian((1,), 0.5)
    generator = nn.Sequential(nn.Linear(1, 4), nn.Sigmoid(), nn.Unflatten(1, (1, 2, 2))).eval()
    pipeline = ppgn.Pipeline(generator, prior, ppgn.conditions.unconditional(), latent_shape=(1,))
    kernel = {
        "mala": lambda: samplers.mala(pipeline, step_size=0.5),
        "isir": lambda: samplers.isir(pipeline),
        "rejection": lambda: samplers.rejection(pipeline),
    }[name]()
    n = 2000
    state, rng = kernel.init(prior.sample(n, streams(0, n)).float()), streams(0, n)
    for _ in range(5):
        state = kernel.step(state, rng)
        assert (state.h.abs() <= 0.5).all()
    assert (state.failed_at == -1).all()
    assert stats.kstest(state.h[:, 0].numpy(), stats.truncnorm(-0.5, 0.5).cdf).pvalue > 1e-3
    if name == "mala":
        assert 0.1 < state.acceptance.mean() < 0.9


def test_errors():
    with pytest.raises(ValueError, match=r"threshold must be positive everywhere, got a minimum of 0\.0"):
        priors.truncated_gaussian((2,), torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"threshold must broadcast to latent_shape \(2,\), got \(3,\)"):
        priors.truncated_gaussian((2,), torch.ones(3))
    with pytest.raises(ValueError, match="std must be positive"):
        priors.truncated_gaussian((2,), 1.0, std=-1.0)
