"""Likelihoods of levels under normal noise, against sums over the levels, and the terms of a bound."""

from __future__ import annotations

import math

import pytest
import torch

from ppgn import models
from ppgn.models.dequantised import DequantisedPixels, DequantisedVAE
from ppgn.models.evidence import divergence, evidence_terms
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.smoothed import Smoothed
from ppgn.random import streams

CASES = [(Bernoulli(), 3, 2), (Categorical(3), 3, 3), (LogisticMixture(2), 1, 256)]


def normals(*shape, seed=0):
    return streams(seed, shape[0]).normal(torch.empty(shape, dtype=torch.float64), 0)


@pytest.mark.parametrize(("likelihood", "channels", "levels"), CASES)
@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_it_is_the_sum_over_levels_of_one_pixel_after_another(likelihood, channels, levels, sigma):
    """Every channel by itself given the parameters: asked for one level at a time, the others being black."""
    smoothed = Smoothed(likelihood, sigma)
    parameters = normals(4, likelihood.maps(channels), 1, 1)
    x = 0.5 + 0.5 * normals(4, channels, 1, 1, seed=1)
    total, mean, flat = torch.zeros(4, dtype=torch.float64), [], []
    black = likelihood.log_prob(parameters, torch.zeros_like(x))
    for c in range(channels):
        values = torch.linspace(0, 1, levels, dtype=torch.float64)
        log_p = []
        for value in values:
            image = torch.zeros_like(x)
            image[:, c] = value
            log_p.append(likelihood.log_prob(parameters, image) - black)
        p = torch.stack(log_p, 1).softmax(1)
        seen = torch.distributions.Normal(values, sigma).log_prob(x[:, c, 0]).exp()
        total += (p * seen).sum(1).log()
        mean.append((p * seen * values).sum(1) / (p * seen).sum(1))
        flat.append((seen * values).sum(1) / seen.sum(1))
    assert torch.allclose(smoothed.log_prob(parameters, x), total)
    assert torch.allclose(smoothed.expected(parameters, x).flatten(1), torch.stack(mean, 1))
    assert torch.allclose(smoothed.rounded(x).flatten(1), torch.stack(flat, 1))
    leaf = x.clone().requires_grad_()
    (score,) = torch.autograd.grad(smoothed.log_prob(parameters, leaf).sum(), leaf)
    assert torch.allclose(score, (smoothed.expected(parameters, x) - x) / sigma**2)  # Tweedie


@pytest.mark.parametrize(("likelihood", "channels", "levels"), CASES)
def test_draws_are_those_of_the_likelihood_and_noise_beside_them(likelihood, channels, levels):
    n, sigma = 2000, 0.3
    smoothed = Smoothed(likelihood, sigma)
    like = torch.empty(n, channels, 1, 2, dtype=torch.float64)
    parameters = normals(1, likelihood.maps(channels), 1, 2).expand(n, -1, -1, -1)
    assert smoothed.maps(channels) == likelihood.maps(channels)
    assert smoothed.groups(channels) == likelihood.groups(channels)
    assert torch.equal(smoothed.mean(parameters), likelihood.mean(parameters))
    x = smoothed.sample(parameters, smoothed.noise(like, streams(0, n)))
    clean = likelihood.sample(parameters, likelihood.noise(like, streams(0, n)))
    noise = (x - clean).flatten() / sigma
    assert noise.mean().abs() < 4 / math.sqrt(len(noise))
    assert (noise.var() - 1).abs() < 4 * math.sqrt(2 / len(noise))
    correlation = (noise * (clean.flatten() - clean.mean())).mean() / clean.std()
    assert correlation.abs() < 4 / math.sqrt(len(noise))


def test_the_terms_of_a_bound_by_hand():
    """Two draws of two images by two calls of the decoder, and by other draws in every row."""
    network = models.build(lambda: models.DenseVAE((1, 2, 2), latent=3, hidden=(5,)), 0).double()
    x, noise = normals(2, 1, 2, 2), normals(2, 2, 3)
    log_p, kl = evidence_terms(network, x, lambda mean: noise.to(mean))
    mean, log_variance = network.encode(x)
    for k in range(2):
        z = mean + (0.5 * log_variance).exp() * noise[k]
        assert torch.allclose(log_p[k], Bernoulli().log_prob(network.decode(z), x))
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mean), 1.0)
    assert torch.allclose(kl, torch.distributions.kl_divergence(q, standard))
    assert torch.equal(kl, divergence(mean, log_variance))


def test_networks_of_noisy_images_are_networks():
    """They draw, encode and have probabilities; a drawn image is the same whichever way it is drawn."""
    pixels = models.build(lambda: models.GatedPixelCNN((3, 2, 2), Categorical(4), width=6, layers=2), 0).double().eval()
    noisy = DequantisedPixels(pixels, 0.3)
    assert not noisy.training
    noise = noisy.likelihood.noise(torch.empty(5, 3, 2, 2, dtype=torch.float64), streams(0, 5))
    drawn = [models.draw(noisy, noise, way=way).images for way in ("naive", "fixed_point")]
    assert torch.allclose(*drawn)
    assert not torch.isclose(drawn[0], (drawn[0] * 3).round() / 3).any()
    vae = models.build(lambda: models.DenseVAE((1, 2, 2), latent=3, hidden=(5,)), 0).double().eval()
    x, z = normals(2, 1, 2, 2), normals(2, 3)
    shown = DequantisedVAE(vae, 0.4)
    assert torch.allclose(shown.encode(x)[0], vae.encode(torch.sigmoid((x - 0.5) / 0.16))[0])
    assert torch.equal(shown.decode(z), vae.decode(z))
    assert shown.likelihood == Smoothed(Bernoulli(), 0.4)


def test_errors():
    with pytest.raises(ValueError, match=r"likelihood must be one of whole levels to be smoothed, got Normal"):
        Smoothed(Normal(), 0.1)
    for sigma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="sigma must be positive and finite, got"):
            Smoothed(Bernoulli(), sigma)
    with pytest.raises(ValueError, match=r"parameters must have 6 maps, got shape \(1, 4, 2, 2\)"):
        Smoothed(Categorical(2), 0.1).log_prob(torch.zeros(1, 4, 2, 2), torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match="smoothed for grey images, of 1 channel, got 3"):
        Smoothed(LogisticMixture(1), 0.1).log_prob(torch.zeros(1, 10, 2, 2), torch.zeros(1, 3, 2, 2))
