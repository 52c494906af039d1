"""bfloat16: what is rounded and what is not, and that a step sees the weights that there are."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn

from ppgn import data, models, training
from ppgn.random import per_step

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
FINE = 1 + 2.0**-10  # 1 in bfloat16, which has 8 bits


def fitted(update, network, precision, n=1):
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    trainer = training.Trainer(
        {"network": network}, {"network": optimizer}, lambda batch, rng: update(batch, optimizer), {}
    )
    return list(islice(training.fit(trainer, [torch.ones(2, 4)] * n, per_step(0), precision=precision), n))


def linear(weight):
    network = models.build(lambda: nn.Linear(4, 1, bias=False), 0)
    nn.init.constant_(network.weight, weight)
    return network


@pytest.mark.parametrize(("precision", "known"), [(torch.float32, 4 * FINE), (torch.bfloat16, 4.0)])
def test_products_are_rounded_and_weights_are_not(precision, known):
    """4 weights of 1 + 2^-10 on ones; then a step of a loss whose gradient, 1 / 1024, a rounded weight would lose."""
    network = linear(FINE)

    def update(batch, optimizer):
        product = network(batch).float().mean()
        optimizer.zero_grad()
        (product / 1024).backward()
        optimizer.step()
        return {"product": product.detach()}

    assert fitted(update, network, precision)[0]["product"].item() == known
    assert network.weight.dtype == torch.float32
    assert network.weight.flatten().tolist() == [1.0] * 4


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_sees_its_own_changes(precision):
    """Two optimizers take turns within a step, as those of a GAN: the second meets what the first has made."""
    network = linear(1.0)

    def update(batch, optimizer):
        optimizer.zero_grad()
        network(batch).mean().backward()
        optimizer.step()
        return {"after": network(batch).mean().detach()}

    assert [m["after"].item() for m in fitted(update, network, precision, 2)] == [0.0, -4.0]


def test_the_generator_meets_the_discriminator_of_this_step(small_images):
    """The loss of G in bfloat16 is that in float32 within the rounding, though D has just learned fast."""
    encoder = models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=8), 0).eval().requires_grad_(False)

    def losses(precision):
        generator = models.build(lambda: models.UpconvGenerator(8, (1, 8, 8), (8, 4)), 1)
        discriminator = models.build(lambda: models.ConditionalDiscriminator(8, (1, 8, 8), width=4), 2)
        images = data.to_float(small_images.images[:100])
        trainer = training.joint_trainer(generator, discriminator, encoder, images=images, learning_rate=1e-2)
        stream = training.fit(trainer, data.batches(small_images, 64, 0), per_step(0), precision=precision)
        return torch.stack([m["gan"] for m in islice(stream, 2)]), discriminator

    exact, learned = losses(torch.float32)
    rounded, _ = losses(torch.bfloat16)
    assert (exact - rounded).abs().max() < 0.1 * (exact[0] - torch.log(torch.tensor(2.0))).abs()
    assert all(p.dtype == torch.float32 for p in learned.parameters())


def test_a_classifier_learns_as_well(small_digits, small_images):
    test = data.load(small_digits, "test")
    accuracy = {}
    for precision in (torch.float32, torch.bfloat16):
        network = models.build(lambda: models.ConvClassifier((1, 8, 8), width=8, code=32), 0)
        rate = training.cosine(4e-3, 1e-4, 120)
        trainer = training.classifier_trainer(network, learning_rate=rate, shift=0, average=0.95)
        stream = training.fit(trainer, data.batches(small_images, 64, 0), per_step(0), precision=precision)
        assert all(metrics["loss"].dtype == torch.float32 for metrics in islice(stream, 120))
        averaged = trainer.results["model"].eval()
        accuracy[precision] = (averaged(data.to_float(test.images)).argmax(1) == test.labels).float().mean().item()
    assert accuracy[torch.float32] > 0.7
    assert accuracy[torch.bfloat16] == pytest.approx(accuracy[torch.float32], abs=0.03)


@pytest.mark.parametrize("precision", [torch.float16, torch.float64])
def test_other_precisions(precision):
    with pytest.raises(ValueError, match=rf"must be torch\.float32 or torch\.bfloat16, got {precision}"):
        fitted(lambda batch, optimizer: {}, linear(1.0), precision)
