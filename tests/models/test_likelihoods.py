"""Likelihoods: they sum or integrate to 1, and samples are as frequent as they say."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch.distributions import Normal as Gaussian

from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal, described, named
from ppgn.random import streams

N = 20_000


def numbers(*shape, seed=0, scale=1.0):
    return scale * streams(seed, 1).normal(torch.empty(1, *shape, dtype=torch.float64), 0)


def one_pixel(likelihood, parameters, x):
    """log p of many values x (n, C) of one pixel, given (1, maps)."""
    n = len(x)
    return likelihood.log_prob(parameters[:, :, None, None].expand(n, -1, 1, 1), x[:, :, None, None])


def draws(likelihood, parameters, channels, n=N):
    """n samples (n, C) of one pixel."""
    noise = likelihood.noise(torch.empty(1, channels, n, 1, dtype=parameters.dtype), streams(1, 1))
    return likelihood.sample(parameters[:, :, None, None].expand(1, -1, n, 1), noise)[0, :, :, 0].T


def levels(count, channels=1):
    """All values of a pixel (count ** channels, channels)."""
    line = torch.linspace(0, 1, count, dtype=torch.float64)
    return torch.cartesian_prod(*[line] * channels).reshape(-1, channels)


DISCRETE = [(Bernoulli(), 2, 1), (Bernoulli(), 2, 3), (Categorical(5), 5, 3), (Categorical(256), 256, 1),
            (LogisticMixture(4), 256, 1), (LogisticMixture(2), 256, 2)]  # fmt: skip


@pytest.mark.parametrize(("likelihood", "count", "channels"), DISCRETE)
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_probabilities_of_all_values_sum_to_one(likelihood, count, channels, scale):
    parameters = numbers(likelihood.maps(channels), scale=scale)
    log_p = one_pixel(likelihood, parameters, levels(count, channels))
    assert float(log_p.logsumexp(0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("likelihood", "count", "channels"), DISCRETE)
def test_samples_are_as_frequent_as_their_probabilities(likelihood, count, channels):
    """The distribution function of each channel and of the channels' sum, by Kolmogorov-Smirnov (p = 0.001)."""
    parameters = numbers(likelihood.maps(channels))
    values = levels(count, channels)
    p = one_pixel(likelihood, parameters, values).exp()
    x = draws(likelihood, parameters, channels)
    for weights in (*torch.eye(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)):
        ordered, order = (values @ weights).sort()
        places = ordered.unique()
        below = p[order].cumsum(0)[torch.searchsorted(ordered, places + 1e-9) - 1]
        seen = torch.searchsorted((x @ weights).sort().values, places + 1e-9) / N
        assert (seen - below).abs().max() < 1.95 / math.sqrt(N)


@pytest.mark.parametrize(("likelihood", "count", "channels"), DISCRETE[:4])
def test_the_mean_is_that_of_the_probabilities(likelihood, count, channels):
    parameters = numbers(likelihood.maps(channels))
    values = levels(count, channels)
    expected = one_pixel(likelihood, parameters, values).exp() @ values
    assert torch.allclose(likelihood.mean(parameters[:, :, None, None])[0, :, 0, 0], expected, atol=1e-9)


def test_the_mean_of_a_narrow_mixture_is_that_of_its_probabilities():
    """Logistics of scale 0.05 in the middle, where nothing lies outside the range."""
    likelihood = LogisticMixture(2)
    parameters = torch.tensor([[0.3, 0.1, -0.2, -3, -3, 0.5, -0.4, -0.2, 0.3, -3, -3, -0.6]], dtype=torch.float64)
    values = levels(256, 2)
    expected = one_pixel(likelihood, parameters, values).exp() @ values
    assert torch.allclose(likelihood.mean(parameters[:, :, None, None])[0, :, 0, 0], expected, atol=1e-3)


def test_a_mixture_is_the_formula_of_its_paper():
    """One component, RGB: differences of sigmoids, green moved by red, blue by both."""
    parameters = numbers(10, scale=0.5)
    _, *rest = parameters[0]
    mu, log_s, a = torch.stack(rest[:3]), torch.stack(rest[3:6]), torch.stack(rest[6:]).tanh()
    level = torch.tensor([0.0, 77, 255], dtype=torch.float64)
    v = 2 * level / 255 - 1
    m = torch.stack([mu[0], mu[1] + a[0] * v[0], mu[2] + a[1] * v[0] + a[2] * v[1]])
    upper, lower = ((v + s / 255 - m) / log_s.exp() for s in (1, -1))
    red, green, blue = upper[0].sigmoid(), upper[1].sigmoid() - lower[1].sigmoid(), 1 - lower[2].sigmoid()
    log_p = one_pixel(LogisticMixture(1), parameters, (level / 255)[None])
    assert float(log_p) == pytest.approx(float((red * green * blue).log()), abs=1e-9)


def test_the_third_channel_of_a_mixture_sums_to_one_given_the_others():
    """sum over blue of p(red, green, blue) is p(red, green) of the mixture without blue."""
    full = numbers(20).view(1, 2, 10)
    two = full[:, :, [0, 1, 2, 4, 5, 7]].flatten(1)  # weight, means, log-scales, the coefficient of green on red
    blue = levels(256)
    red_green = torch.tensor([[0.2, 0.6]], dtype=torch.float64)
    log_p = one_pixel(LogisticMixture(2), full.flatten(1), torch.cat([red_green.expand(256, -1), blue], 1))
    assert float(log_p.logsumexp(0)) == pytest.approx(float(one_pixel(LogisticMixture(2), two, red_green)), abs=1e-9)


def test_a_far_narrow_logistic_has_finite_probabilities_and_gradients():
    parameters = torch.tensor([[[[0.0]], [[1.0]], [[-50.0]]]], requires_grad=True)
    log_p = LogisticMixture(1).log_prob(parameters, torch.zeros(1, 1, 1, 1))
    (gradient,) = torch.autograd.grad(log_p.sum(), parameters)
    assert torch.isfinite(log_p).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("shared", [False, True])
def test_a_normal_integrates_to_one_and_is_torchs(shared):
    likelihood, parameters = Normal(shared), numbers(2)
    x = torch.linspace(-40, 40, 200_001, dtype=torch.float64)[:, None]
    log_p = one_pixel(likelihood, parameters, x)
    assert float(log_p.exp().sum() * (x[1] - x[0])) == pytest.approx(1, abs=1e-6)
    expected = Gaussian(parameters[0, 0].sigmoid(), 1e-3 + parameters[0, 1].exp()).log_prob(x[:, 0])
    assert torch.allclose(log_p, expected)


def test_a_shared_sigma_is_the_mean_of_its_map_and_pixels_add_up():
    parameters, x = numbers(4, 2, 3), numbers(3, 2, 3, seed=1)
    sigma = 1e-3 + parameters[0, 3].mean().exp()
    expected = Gaussian(parameters[:, :3].sigmoid(), sigma).log_prob(x).sum()
    assert float(Normal(shared=True).log_prob(parameters, x)) == pytest.approx(float(expected))


def test_normal_samples_have_their_mean_and_sigma():
    parameters = numbers(4)
    x = draws(Normal(), parameters, 2)
    mean, sigma = parameters[0, ::2].sigmoid(), 1e-3 + parameters[0, 1::2].exp()
    assert ((x.mean(0) - mean) / sigma).abs().max() < 4 / math.sqrt(N)
    assert (x.std(0) / sigma - 1).abs().max() < 4 / math.sqrt(2 * N)
    assert torch.equal(Normal().mean(parameters[:, :, None, None])[0, :, 0, 0], mean)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(4), LogisticMixture(3), Normal()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_a_stream_of_each_image_and_types_are_kept(likelihood, dtype, global_randomness_untouched):
    like = torch.empty(3, 3, 2, 2, dtype=dtype)
    noise = likelihood.noise(like, streams(0, 3))
    assert torch.equal(noise[2:], likelihood.noise(like[:1], streams(0, 1, first=2)))
    x = likelihood.sample(torch.zeros(3, likelihood.maps(3), 2, 2, dtype=dtype), noise)
    assert (x.dtype, x.shape) == (dtype, like.shape)


def test_maps_and_steps_of_a_pixel():
    assert [(k.maps(1), k.maps(3), k.groups(3)) for k in (Bernoulli(), Categorical(), LogisticMixture(), Normal())] == [
        (1, 3, 3), (256, 768, 3), (30, 100, 1), (2, 6, 3),
    ]  # fmt: skip
    assert Normal(shared=True).maps(3) == 4


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(7), LogisticMixture(3), Normal(True, 0.5)])
def test_a_likelihood_is_made_again_from_json(likelihood):
    assert named(json.loads(json.dumps(described(likelihood)))) == likelihood


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Categorical(1), "levels must be at least 2, got 1"),
        (lambda: LogisticMixture(0), "components must be at least 1, got 0"),
        (lambda: Normal(least=0), "least must be positive, got 0"),
        (lambda: named({"name": "Poisson"}), "likelihood must be one of .*'Categorical'.*, got 'Poisson'"),
        (lambda: described(3), "likelihood must be one of .*, got 3"),
        (lambda: Bernoulli().log_prob(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, 1)), r"must have 1 maps .*\(1, 2"),
        (lambda: Categorical(4).mean(torch.zeros(1, 6, 1, 1)), "must have a multiple of 4 maps, got 6"),
        (lambda: LogisticMixture(1).mean(torch.zeros(1, 4, 1, 1)), "must have 3 maps, or 10 for RGB, got 4"),
        (lambda: LogisticMixture(1).log_prob(torch.zeros(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)), "must have 10 maps"),
        (lambda: Normal().mean(torch.zeros(1, 3, 1, 1)), "must have means and log sigmas, got 3 maps"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
