"""The VAE and the autoencoder: sizes, ranges, and that they are built again from their configuration."""

from __future__ import annotations

import pytest
import torch

from ppgn import models
from ppgn.models.conv_autoencoder import Autoencoder, ImageDenoiser
from ppgn.models.gaussian_vae import VAE
from ppgn.models.likelihoods import Bernoulli, LogisticMixture, Normal

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 12)]
LIKELIHOODS = [Bernoulli(), Normal(), Normal(shared=True), LogisticMixture(2)]


def image(shape, n=3):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("shape", SHAPES)
def test_codes_and_images_fit(shape, likelihood):
    network = models.build(lambda: VAE(shape, latent=5, width=4, likelihood=likelihood), 0)
    x = image(shape)
    mean, log_variance = network.encode(x)
    assert mean.shape == log_variance.shape == (3, *network.latent_shape) == (3, 5)
    assert torch.equal(network.encoder(x), mean)
    parameters = network.decode(mean)
    assert likelihood.log_prob(parameters, x).shape == (3,)
    made = network(mean)
    assert torch.equal(made, likelihood.mean(parameters))
    assert made.shape == x.shape
    assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
def test_a_vae_is_saved_and_read(likelihood, tmp_path):
    network = models.build(lambda: VAE((1, 8, 8), latent=5, width=4, depth=2, likelihood=likelihood), 0)
    models.save(network, tmp_path / "vae.safetensors")
    again = models.load(tmp_path / "vae.safetensors")
    assert again.likelihood == likelihood
    z = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again(z), network(z))


@pytest.mark.parametrize("kind", [Autoencoder, ImageDenoiser])
def test_an_autoencoder_is_saved_and_read(kind, tmp_path):
    network = models.build(lambda: kind((3, 32, 32), latent=5, width=4), 0)
    models.save(network, tmp_path / "file.safetensors")
    again = models.load(tmp_path / "file.safetensors")
    h = torch.rand(2, *network.latent_shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again(h), network(h))
    assert network(h).shape == (2, 3, 32, 32)
    assert 0 <= network(h).min() < network(h).max() <= 1


def test_each_image_goes_through_by_itself():
    network = models.build(lambda: Autoencoder((1, 28, 28), latent=5, width=6), 0).train()
    x = image((1, 28, 28))
    assert torch.allclose(network(network.encode(x))[1:2], network(network.encode(x[1:2])), atol=1e-6)


def test_every_weight_is_used():
    network = models.build(lambda: VAE((1, 8, 8), latent=5, width=4, depth=2), 0)
    mean, log_variance = network.encode(image((1, 8, 8)))
    network(mean + log_variance).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_bad_arguments():
    for kind in (VAE, Autoencoder):
        with pytest.raises(ValueError, match="sides must be multiples of 4, got 28x30"):
            kind((1, 28, 30))
    with pytest.raises(ValueError, match="likelihood must be one of"):
        VAE(likelihood={"name": "Poisson"})
