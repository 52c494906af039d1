from __future__ import annotations

import math

import pytest
import torch
from targets import LinearMap, linear
from torch import nn

from ppgn import priors
from ppgn.random import streams
from ppgn.types import Density


def image(n):
    return torch.zeros(n, 1, 2, 2)


def test_none_pulls_nowhere():
    h = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(priors.none().score(h, image(3)), torch.zeros(3, 4))


def test_gaussian_is_the_normal_density():
    mean, std = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    prior = priors.gaussian((2,), mean, std)
    h = torch.tensor([[0.2, 0.7], [1.0, -2.0]], dtype=torch.float64)
    expected = torch.distributions.Normal(mean.double(), std.double()).log_prob(h).sum(1)
    assert torch.allclose(prior.log_prob(h), expected)


def test_gaussian_score_is_the_gradient_of_its_log_prob():
    prior = priors.gaussian((2, 3), mean=0.3, std=2.0)
    h = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(prior.log_prob(h).sum(), h)
    assert torch.allclose(prior.score(h.detach(), image(4)), gradient)


def test_gaussian_draws_have_its_moments():
    n = 20_000
    h = priors.gaussian((2,), torch.tensor([1.0, 5.0]), torch.tensor([0.5, 2.0])).sample(n, streams(0, n))
    assert (h.mean(0) - torch.tensor([1.0, 5.0])).abs()[0] < 4 * 0.5 / math.sqrt(n)
    assert (h.std(0) / torch.tensor([0.5, 2.0]) - 1).abs().max() < 4 / math.sqrt(2 * n)


def test_only_the_gaussian_is_a_density():
    assert isinstance(priors.gaussian((2,)), Density)
    assert not isinstance(priors.none(), Density)
    assert not isinstance(priors.dae(nn.Identity().eval(), 0.1), Density)
    assert not isinstance(priors.joint(nn.Identity().eval()), Density)


def test_dae_is_the_score_of_the_smoothed_density():
    """For codes N(m, S) the best denoiser is linear; its residual is sigma^2 times the score of N(m, S + sigma^2)."""
    sigma, m = 0.7, torch.tensor([1.0, -1.0], dtype=torch.float64)
    s = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    smoothed = s + sigma**2 * torch.eye(2, dtype=torch.float64)
    h = torch.tensor([[0.0, 0.0], [3.0, 2.0]], dtype=torch.float64)
    prior = priors.dae(lambda noisy: m + (noisy - m) @ torch.linalg.solve(smoothed, s), sigma)
    expected = -(h - m) @ torch.linalg.inv(smoothed)
    assert torch.allclose(prior.score(h, image(2)), expected)


def test_a_conditional_dae_is_the_score_at_every_level():
    """The best denoiser of N(m, s^2), at its own level and at another; the first is left as it was."""

    def denoiser(noisy, sigma):
        return 1.0 + 4.0 / (4.0 + sigma**2) * (noisy - 1.0)

    prior = priors.dae(denoiser, 0.5, conditional=True)
    h = torch.tensor([[0.2, -3.0], [5.0, 1.0]], dtype=torch.float64)
    for level, sigma in ((prior, 0.5), (prior.at(3.0), 3.0), (prior.at(3.0).at(0.1), 0.1), (prior, 0.5)):
        assert level.sigma == sigma
        assert torch.allclose(level.score(h, image(2)), -(h - 1.0) / (4.0 + sigma**2))


def test_joint_uses_the_image_handed_in():
    problem = linear()
    encoder = LinearMap(problem.r, problem.s).eval()
    x = torch.randn(2, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = torch.ones(2, 3, dtype=torch.float64)
    assert torch.allclose(priors.joint(encoder).score(h, x), x.flatten(1) @ problem.r.T + problem.s - h)


def test_bad_input():
    with pytest.raises(ValueError, match="std must be positive everywhere, got a minimum of 0"):
        priors.gaussian((2,), std=0.0)
    with pytest.raises(ValueError, match=r"broadcast to latent_shape \(2,\).*got \(3,\)"):
        priors.gaussian((2,), mean=torch.zeros(3))
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        priors.dae(nn.Identity().eval(), 0.0)
    with pytest.raises(ValueError, match=r"denoiser must be in eval mode.*\.eval\(\)"):
        priors.dae(nn.Linear(2, 2), 0.1)
    with pytest.raises(ValueError, match="encoder must be in eval mode"):
        priors.joint(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"denoiser must keep the shape \(2, 3\), got \(2, 1\)"):
        priors.dae(lambda h: h[:, :1], 0.1).score(torch.zeros(2, 3), image(2))
    with pytest.raises(
        ValueError, match=r"must know many noise levels, as of dae\(..., conditional=True\), not only 0.1"
    ):
        priors.dae(lambda h: h, 0.1).at(1.0)
    with pytest.raises(ValueError, match="sigma must be positive, got -1"):
        priors.dae(lambda h, sigma: h, 0.1, conditional=True).at(-1)
    with pytest.raises(ValueError, match=r"codes of shape \(2, 3\), got \(2, 4\)"):
        priors.joint(nn.Flatten().eval()).score(torch.zeros(2, 3), image(2))


def test_gaussian_keeps_its_precision_and_its_own_numbers():
    h = torch.tensor([[7.0]], dtype=torch.float64)
    mean, std = torch.tensor([0.1, 0.3], dtype=torch.float64)
    exact = torch.distributions.Normal(mean, std).log_prob(h).sum(1)
    assert torch.allclose(priors.gaussian((1,), 0.1, 0.3).log_prob(h), exact, rtol=1e-12)
    mean = torch.zeros(2)
    prior = priors.gaussian((2,), mean)
    mean += 5
    assert prior.mean.tolist() == [0, 0]
