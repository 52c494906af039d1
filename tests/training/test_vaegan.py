"""VAE-GAN: the terms by hand, and who learns from which."""

from __future__ import annotations

from itertools import islice

import pytest
import resuming
import torch
from torch.nn.functional import logsigmoid

from ppgn import data, models, training
from ppgn.models.dcgan_discriminator import DCGANDiscriminator
from ppgn.models.gaussian_vae import VAE
from ppgn.random import per_step
from ppgn.training.vaegan import vaegan_losses, vaegan_trainer

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
SHAPE = (1, 8, 8)


def both(norm="none"):
    return (
        models.build(lambda: VAE(SHAPE, latent=4, width=4), 0),
        models.build(lambda: DCGANDiscriminator(SHAPE, (8, 8), norm), 1),
    )


def draws(n, seed=0):
    """The two draws of a step: of q(z | x), and of the prior."""
    return torch.randn(2, n, 4, generator=per_step(seed)(0))


@pytest.fixture
def x(small_images):
    return next(data.batches(small_images, 16, 0)).images


def test_terms_by_hand(x):
    network, discriminator = both()
    losses = vaegan_losses(network, discriminator, x, per_step(0)(0))
    mean, log_variance = network.encode(x)
    noise, prior = draws(16)
    again, made = network(mean + (log_variance / 2).exp() * noise), network(prior)
    squares = (discriminator.features(x) - discriminator.features(again)).square()
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(torch.zeros_like(mean), 1.0))
    gan = sum(logsigmoid(sign * discriminator(image)).mean() for sign, image in ((1, x), (-1, again), (-1, made)))
    fooled = -sum(logsigmoid(discriminator(image)).mean() for image in (again, made))
    known = {"kl": kl.sum() / 16, "likeness": squares.sum() / 32, "generator": fooled, "discriminator": -gan}
    assert set(losses) == set(known)
    for name, value in known.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-5), name
    saturating = vaegan_losses(network, discriminator, x, per_step(0)(0), saturating=True)["generator"]
    minimax = sum(logsigmoid(-discriminator(image)).mean() for image in (again, made))
    assert saturating.item() == pytest.approx(minimax.item(), rel=1e-5)


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_each_side_learns_from_its_own_terms_alone(small_images, x, norm, saturating):
    """Gradients after a step of rate 0 are those of Algorithm 1; no other term reaches a side."""
    network, discriminator = both(norm)
    gamma = 0.3
    trainer = vaegan_trainer(network, discriminator, gamma=gamma, saturating=saturating, learning_rate=0.0)
    next(training.fit(trainer, data.batches(small_images, 16, 0), per_step(0)))
    found = {
        "encoder": [p.grad.clone() for p in network.encoder.parameters()],
        "decoder": [p.grad.clone() for p in network.decoder.parameters()],
        "discriminator": [p.grad.clone() for p in discriminator.parameters()],
    }
    known = {
        "encoder": (network.encoder, lambda t: t["kl"] + t["likeness"]),
        "decoder": (network.decoder, lambda t: gamma * t["likeness"] + t["generator"]),
        "discriminator": (discriminator, lambda t: t["discriminator"]),
    }
    for name, (module, goal) in known.items():
        terms = vaegan_losses(network, discriminator, x, per_step(0)(0), saturating)
        for ours, g in zip(found[name], torch.autograd.grad(goal(terms), list(module.parameters())), strict=True):
            assert torch.allclose(ours, g, atol=1e-6, rtol=1e-4), name
            assert g.abs().sum() > 0


def test_reconstructions_and_codes_improve(small_images, x):
    """With the discriminator's maps as they are at first, its likeness falls and pixels follow."""
    network, discriminator = both()
    trainer = vaegan_trainer(network, discriminator, gamma=1.0, learning_rate=3e-3, average=0.9)
    before = (network(network.encode(x)[0]) - x).square().mean().item()
    metrics = list(islice(training.fit(trainer, data.batches(small_images, 32, 0), per_step(0)), 70))
    averaged = trainer.results["model"]
    after = (averaged(averaged.encode(x)[0]) - x).square().mean().item()
    assert after < 0.7 * before
    assert all(torch.isfinite(value) for value in metrics[-1].values())


@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
def test_resumed_at_the_same_bits(norm, tmp_path, small_images):
    resuming.ends_at_the_same_bits(
        lambda: vaegan_trainer(*both(norm)),
        lambda k: data.batches(small_images, 16, 0, k),
        tmp_path,
        ("model", "discriminator"),
    )


def test_the_average_is_the_result():
    trainer = vaegan_trainer(*both())
    assert trainer.results["model"] is trainer.modules["averaged"].module


def test_gamma_is_not_negative():
    with pytest.raises(ValueError, match="gamma must not be negative, got -1"):
        vaegan_trainer(*both(), gamma=-1)
