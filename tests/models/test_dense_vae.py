"""The dense VAE: sizes, ranges, a decoder of known log p, and that it is built again from its configuration."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ppgn import models, training
from ppgn.data import Batch
from ppgn.models.dense_vae import ACTIVATIONS, DenseVAE
from ppgn.models.likelihoods import Bernoulli, LogisticMixture, Normal

LIKELIHOODS = [Bernoulli(), Normal(), LogisticMixture(2)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 7, 5)])
def test_codes_and_images_fit(shape, likelihood):
    network = models.build(lambda: DenseVAE(shape, latent=5, hidden=(8, 6), likelihood=likelihood), 0)
    x = torch.rand(3, *shape, generator=seeded())
    mean, log_variance = network.encode(x)
    assert mean.shape == log_variance.shape == (3, *network.latent_shape) == (3, 5)
    assert torch.equal(network.encoder(x), mean)
    parameters = network.decode(mean)
    assert likelihood.log_prob(parameters, x).shape == (3,)
    assert torch.equal(network(mean), likelihood.mean(parameters))
    assert network(mean).shape == x.shape
    assert 0 <= network(mean).min() < network(mean).max() <= 1


def test_the_decoder_is_the_encoder_the_other_way_round():
    network = DenseVAE((1, 4, 4), latent=3, hidden=(12, 7))
    sizes = [tuple(layer.weight.shape) for layer in network.decoder if isinstance(layer, torch.nn.Linear)]
    assert sizes == [(7, 3), (12, 7), (16, 12)]
    sizes = [tuple(layer.weight.shape) for layer in network.encoder.layers if isinstance(layer, torch.nn.Linear)]
    assert sizes == [(12, 16), (7, 12), (6, 7)]


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_saved_and_read(activation, tmp_path):
    network = models.build(lambda: DenseVAE((1, 8, 8), 5, (9,), activation, Normal(shared=True)), 0)
    models.save(network, tmp_path / "vae.safetensors")
    again = models.load(tmp_path / "vae.safetensors")
    assert again.likelihood == Normal(shared=True)
    z = torch.randn(4, 5, generator=seeded())
    assert torch.equal(again(z), network(z))


def test_a_decoder_that_ignores_its_code_has_a_bound_in_closed_form():
    """With q(z | x) the prior and logits of 0 every bound is -pixels log 2, whatever the noise."""
    network = DenseVAE((1, 4, 4), latent=3, hidden=(6,))
    for last in (network.decoder[-1], network.encoder.layers[-1]):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    x = torch.ones(5, 1, 4, 4)
    expected = torch.full((5,), -16 * math.log(2), dtype=torch.float64)
    assert torch.allclose(training.elbo(network, x, seeded()), expected, atol=1e-5)
    assert torch.allclose(training.importance_bound(network, x, 7, seeded()), expected, atol=1e-5)


def test_learns_more_than_independent_pixels(small_images):
    x = small_images.images[:200].float() / 255
    white = x.mean(0).clamp(1e-4, 1 - 1e-4)
    drawn = torch.bernoulli(x, generator=seeded(1))
    independent = (drawn * white.log() + (1 - drawn) * (1 - white).log()).flatten(1).sum(1).mean()
    network = models.build(lambda: DenseVAE(small_images.image_shape, latent=8, hidden=(64,)), 0)
    trainer = training.vae_trainer(network, learning_rate=3e-3, binarise=True)
    for _ in training.fit(trainer, itertools.repeat(Batch(x, x.new_zeros(200)), 200), seeded):
        pass
    assert training.elbo(trainer.results["model"], drawn, seeded()).mean() > independent + 2


def test_what_cannot_be_built():
    with pytest.raises(ValueError, match=r"hidden must be the units of one layer or more, got \(\)"):
        DenseVAE(hidden=())
    with pytest.raises(ValueError, match=r"hidden must be the units of one layer or more, got \(5, 0\)"):
        DenseVAE(hidden=(5, 0))
    with pytest.raises(ValueError, match=r"activation must be one of \['relu', .*\], got 'swish'"):
        DenseVAE(activation="swish")
