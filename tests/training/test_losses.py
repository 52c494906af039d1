"""The joint generator's losses: what each does, and the conversion of the authors' weights."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from ppgn import data, models, training
from ppgn.random import per_step
from ppgn.training.joint import Balance, discriminator_loss, generator_losses, noisy_code

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def parts(small_images):
    encoder = models.build(lambda: models.ConvClassifier(SHAPE, width=4, code=16), 0).eval().requires_grad_(False)
    images = data.to_float(small_images.images[:200])
    return encoder, images


def trainer(parts, **options):
    encoder, images = parts
    generator = models.build(lambda: models.UpconvGenerator(16, SHAPE, (8, 8)), 1)
    discriminator = models.build(lambda: models.ConditionalDiscriminator(16, SHAPE, width=4), 2)
    return training.joint_trainer(generator, discriminator, encoder, images=images, **options)


def steps(trainer, small_images, n, seed=0):
    return list(islice(training.fit(trainer, data.batches(small_images, 32, seed), per_step(seed)), n))


NOTHING = training.Weights(0, 0, 0, 0)


@pytest.mark.parametrize("which", ["image", "h1", "h", "gan"])
def test_every_loss_moves_the_generator(parts, small_images, which):
    """One step with this loss alone changes every weight of G that it should, and the loss falls over forty."""
    made = trainer(parts, weights=replace(NOTHING, **{which: 1.0}), learning_rate=2e-3)
    before = {name: p.detach().clone() for name, p in made.modules["generator"].named_parameters()}
    first = steps(made, small_images, 1)
    moved = {name: not torch.equal(p, before[name]) for name, p in made.modules["generator"].named_parameters()}
    assert all(moved.values()), moved
    if which != "gan":  # the discriminator answers
        assert steps(made, small_images, 40)[-1][which] < 0.9 * first[0][which]


def test_no_loss_moves_nothing(parts, small_images):
    made = trainer(parts, weights=NOTHING)
    before = [p.detach().clone() for p in made.modules["generator"].parameters()]
    steps(made, small_images, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, made.modules["generator"].parameters(), strict=True))


def test_losses_are_the_formulas(parts):
    encoder, x = parts
    scale = training.Noise(x=1.0, h1=2.0, h=3.0)
    made = (x * 0.5 + 0.1).requires_grad_()
    discriminator = models.build(lambda: models.ConditionalDiscriminator(16, SHAPE, width=4), 2)
    h = encoder.features(x)
    losses = {k: v.item() for k, v in generator_losses(encoder, discriminator, x, made, h, scale).items()}
    assert losses["image"] == pytest.approx((made - x).square().mean().item())
    assert losses["h1"] == pytest.approx((encoder.x_to_h1(made) - encoder.x_to_h1(x)).square().mean().item() / 4)
    assert losses["h"] == pytest.approx((encoder.features(made) - h).square().mean().item() / 9)
    assert losses["gan"] == pytest.approx(-torch.sigmoid(discriminator(made, h)).log().mean().item(), rel=1e-5)


def test_the_encoder_and_the_discriminator_get_no_gradient_from_g(parts, small_images):
    made = trainer(parts)
    steps(made, small_images, 1)
    assert all(p.grad is None for p in parts[0].parameters())


@pytest.mark.parametrize("level", ["x", "h1", "h"])
def test_noise_enters_at_its_level(parts, level):
    encoder, x = parts
    clean = encoder.features(x)
    scale = training.Noise(1.0, 1.0, 1.0)
    noise = replace(training.Noise(), **{level: 0.1})
    noisy = noisy_code(encoder, x, noise, scale, torch.Generator().manual_seed(0))
    assert not torch.equal(noisy, clean)
    again = noisy_code(encoder, x, noise, scale, torch.Generator().manual_seed(0))
    assert torch.equal(noisy, again)
    assert torch.equal(noisy_code(encoder, x, training.Noise(), scale, torch.Generator()), clean)
    if level == "h":  # added last, so its spread is known
        n = clean.numel()
        assert (noisy - clean).std().item() == pytest.approx(0.1, rel=4 / np.sqrt(2 * n))


def test_weights_of_caffe_are_caffes_sums():
    """The converted weights on means equal the authors' weights on sums over images in [-127.5, 127.5]."""
    rng = np.random.default_rng(0)
    shape, h1_shape = (4, 3, 6, 6), (4, 10)
    x, y = rng.random(shape), rng.random(shape)
    f, g = rng.normal(size=h1_shape), rng.normal(size=h1_shape)
    gan = 0.7
    caffe = 2e-6 * ((255 * x - 255 * y) ** 2).sum() / (2 * 4) + 0.01 * ((f - g) ** 2).sum() / (2 * 4) + 100 * gan
    w = training.weights_of_caffe(2e-6, 0.01, 100, image_numbers=108, h1_numbers=10)
    ours = w.image * ((x - y) ** 2).mean() + w.h1 * ((f - g) ** 2).mean() + w.gan * gan
    assert 100 * ours == pytest.approx(caffe)
    assert w.h == 0


def test_the_balance_rule():
    rule = Balance()

    def after(ratio):
        rule.note(torch.tensor(ratio), torch.tensor(1.0))
        return bool(rule.learn_d), bool(rule.learn_g)

    assert after(0.3) == (True, True)
    assert after(0.05) == (False, True)  # D too strong: it pauses ...
    assert after(0.3) == (False, True)  # ... and waits
    assert after(0.6) == (True, True)  # until r > 0.5
    assert after(11.0) == (True, False)  # G pauses while r > 10
    assert after(9.0) == (True, True)


def test_a_paused_side_does_not_move(parts, small_images):
    made = trainer(parts, balance=True)
    made.modules["balance"].learn_d.fill_(False)
    before = [p.detach().clone() for p in made.modules["discriminator"].parameters()]
    steps(made, small_images, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, made.modules["discriminator"].parameters(), strict=True))


def test_bad_input(parts):
    encoder, _ = parts
    with pytest.raises(ValueError, match="must vary over the images"):
        trainer((encoder, torch.zeros(10, *SHAPE)))
    with pytest.raises(ValueError, match="encoder must be in eval mode"):
        trainer((models.build(lambda: models.ConvClassifier(SHAPE, width=4, code=16), 0), parts[1]))


def grads(module):
    return [None if p.grad is None else p.grad.clone() for p in module.parameters()]


def test_each_side_learns_from_its_own_loss_alone(parts, small_images):
    """After a step D's gradients are those of D's loss, and a trainable encoder has none."""
    encoder = models.build(lambda: models.ConvClassifier(SHAPE, width=4, code=16), 0).eval()
    made = trainer((encoder, parts[1]), learning_rate=0.0)
    batch = next(data.batches(small_images, 32, 0))
    steps(made, small_images, 1)
    assert all(g is None for g in grads(encoder))
    generator, discriminator = made.modules["generator"], made.modules["discriminator"]
    expected_loss = discriminator_loss(
        discriminator, batch.images, generator(encoder.features(batch.images)).detach(), encoder.features(batch.images)
    )
    expected = torch.autograd.grad(expected_loss, list(discriminator.parameters()))
    for found, wanted in zip(grads(discriminator), expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-6)


def test_the_discriminator_calls_real_positive_and_looks_at_the_code(parts):
    encoder, x = parts
    h = encoder.features(x)

    def judge(image, code):
        return torch.full((len(image),), 9.0 if image is x else -9.0)

    assert discriminator_loss(judge, x, 1 - x, h) < 0.01
    assert discriminator_loss(judge, 1 - x, x, h) > 10
    discriminator = models.build(lambda: models.ConditionalDiscriminator(16, SHAPE, width=4), 2)
    assert not torch.allclose(discriminator(x, h), discriminator(x, h + 1))


def test_the_trainer_adds_the_noise_it_is_told(parts, small_images):
    clean = steps(trainer(parts), small_images, 1)[0]["h"]
    noisy = steps(trainer(parts, noise=training.Noise(0.0, 0.0, 2.0)), small_images, 1)[0]["h"]
    assert not torch.equal(clean, noisy)


def test_a_paused_generator_does_not_move(parts, small_images):
    made = trainer(parts, balance=True)
    made.modules["balance"].learn_g.fill_(False)
    before = [p.detach().clone() for p in made.modules["generator"].parameters()]
    steps(made, small_images, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, made.modules["generator"].parameters(), strict=True))


def test_results_are_the_averages(parts):
    made = trainer(parts)
    assert made.results["model"] is made.modules["averaged"].module
    network = models.build(lambda: models.ConvClassifier(SHAPE, width=2, code=4), 0)
    classifier = training.classifier_trainer(network)
    assert classifier.results["model"] is classifier.modules["averaged"].module
    dae = training.dae_trainer(models.build(lambda: models.CodeDenoiser(4), 0), codes=torch.ones(3, 4), sigma=1.0)
    assert dae.results["model"] is dae.modules["averaged"].module
