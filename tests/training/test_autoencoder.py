"""Autoencoders: the error falls, and what takes normal noise away knows the score."""

from __future__ import annotations

from itertools import islice

import pytest
import resuming
import torch
from torch import nn

from ppgn import data, models, priors, training
from ppgn.data import Batch
from ppgn.models.conv_autoencoder import Autoencoder, ImageDenoiser
from ppgn.random import per_step
from ppgn.training.autoencoder import autoencoder_trainer, image_dae_trainer, restoration_loss

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
EIGHT = (1, 8, 8)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def fitted(network, x, sigma, steps, rate=1e-2):
    trainer = image_dae_trainer(network, sigma=sigma, learning_rate=training.cosine(rate, 1e-5, steps), average=0.99)
    rows = (Batch(x[i], i) for i in data.index_batches(len(x), 200, 0))
    last = list(islice(training.fit(trainer, rows, per_step(0)), steps))[-1]
    return trainer.results["model"].eval(), last


def relative_error(found, known):
    return ((found - known).square().mean() / known.square().mean()).sqrt().item()


def test_the_best_linear_denoiser_has_the_score_of_a_normal():
    sigma = 0.7
    mixing = torch.tensor([[1.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.3], [0.0, 0.0, 0.2, 0.0], [0.0, 0.0, 0.0, 1.5]])
    x = torch.randn(4000, 4, generator=rng()) @ mixing
    layers = models.build(lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Unflatten(1, (1, 2, 2))), 0)
    network, metrics = fitted(layers, x.reshape(-1, 1, 2, 2), sigma, 1000)
    noisy = torch.cov(x.T) + sigma**2 * torch.eye(4)
    points = 2 * torch.randn(300, 4, generator=rng(1))
    score = -(points - x.mean(0)) @ torch.linalg.inv(noisy)
    h = points.reshape(-1, 1, 2, 2)
    assert relative_error(priors.dae(network, sigma).score(h, h).flatten(1), score) < 0.05
    known = sigma**2 * (4 - sigma**2 * torch.linalg.inv(noisy).trace()) / 4  # the best error, in closed form
    assert metrics["loss"].item() == pytest.approx(known.item(), rel=0.15)
    assert metrics["relative"].item() == pytest.approx(metrics["loss"].item() / sigma**2)


def test_a_denoiser_learns_the_score_of_a_mixture_of_images():
    """Two images of two pixels, weights 1:3, under noise 1."""
    modes, sigma = torch.tensor([[-1.5, 1.0], [1.5, 0.5]]), 1.0
    x = modes[(torch.arange(4000) % 4 != 0).long()]
    layers = models.build(
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 2),
            nn.Unflatten(1, (1, 1, 2)),
        ), 0,
    )  # fmt: skip
    network, _ = fitted(layers, x.reshape(-1, 1, 1, 2), sigma, 1200)
    h = torch.cartesian_prod(torch.linspace(-2.5, 2.5, 9), torch.linspace(-1, 2, 7)).requires_grad_()
    weights = torch.tensor([0.25, 0.75])
    log_p = torch.logsumexp(weights.log() - torch.cdist(h, modes).square() / (2 * sigma**2), 1)
    (score,) = torch.autograd.grad(log_p.sum(), h)
    flat = h.detach().reshape(-1, 1, 1, 2)
    assert relative_error(priors.dae(network, sigma).score(flat, flat).flatten(1), score) < 0.07


def test_the_loss_by_hand():
    x = torch.rand(3, 1, 2, 2, generator=rng())
    noise = torch.randn(x.shape, generator=rng(1))
    assert restoration_loss(lambda y: y, x, 0.5, rng(1)).item() == pytest.approx(0.25 * noise.square().mean().item())
    generator = rng(1)
    assert restoration_loss(lambda y: y + 0.1, x, 0.0, generator).item() == pytest.approx(0.01, rel=1e-4)
    assert torch.equal(generator.get_state(), rng(1).get_state())


@pytest.mark.parametrize("sigma", [0.0, 0.2])
def test_digits_come_back(small_images, sigma):
    """Far nearer than the mean image is, from eight numbers."""
    network = models.build(lambda: Autoencoder(EIGHT, latent=8, width=8), 0)
    trainer = autoencoder_trainer(network, sigma=sigma, learning_rate=training.cosine(5e-3, 1e-4, 200), average=0.95)
    for _ in islice(training.fit(trainer, data.batches(small_images, 32, 0), per_step(0)), 200):
        pass
    x = data.to_float(small_images.images[:500])
    averaged = trainer.results["model"]
    assert (averaged(averaged.encode(x)) - x).square().mean() < 0.45 * x.var(0).mean()


def test_a_convolutional_denoiser_does_better_than_nothing(small_images):
    network = models.build(lambda: ImageDenoiser(EIGHT, latent=16, width=8), 0)
    trainer = image_dae_trainer(network, sigma=0.5, learning_rate=5e-3)
    metrics = list(islice(training.fit(trainer, data.batches(small_images, 64, 0), per_step(0)), 80))
    assert metrics[-1]["relative"] < 0.4


@pytest.mark.parametrize("kind", [Autoencoder, ImageDenoiser])
def test_resumed_at_the_same_bits(kind, tmp_path, small_images):
    def make():
        network = models.build(lambda: kind(EIGHT, latent=4, width=4), 0)
        make_trainer = autoencoder_trainer if kind is Autoencoder else image_dae_trainer
        return make_trainer(network, sigma=0.3)

    resuming.ends_at_the_same_bits(make, lambda k: data.batches(small_images, 16, 0, k), tmp_path)


def test_bad_arguments():
    network = models.build(lambda: Autoencoder(EIGHT, latent=4, width=4), 0)
    with pytest.raises(ValueError, match="sigma must not be negative, got -1"):
        autoencoder_trainer(network, sigma=-1)
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        image_dae_trainer(network, sigma=0)
