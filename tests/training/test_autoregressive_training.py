"""Exact nats by hand, and trainers that lower them, of every autoregressive family."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import resuming
import torch

from ppgn import data, models, training
from ppgn.data import Batch
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.pixelcnn import GatedPixelCNN, PixelCNN
from ppgn.models.pixelrnn import DiagonalBiLSTM, RowLSTM
from ppgn.random import per_step, streams
from ppgn.training.autoregressive import autoregressive_trainer, bits_per_dim, nats

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
KINDS = [GatedPixelCNN, PixelCNN, RowLSTM, DiagonalBiLSTM]


def network(kind=RowLSTM, image_shape=(1, 8, 8), likelihood=Bernoulli(), **rest):  # noqa: B008
    return models.build(lambda: kind(image_shape, likelihood, width=8, layers=2, **rest), 0)


def steps(trainer, batches, n, precision=torch.float32):
    return list(islice(training.fit(trainer, batches, per_step(0), precision=precision), n))


def greys(n=5, value=None, labels=None):
    x = streams(0, n).uniform(torch.empty(n, 1, 8, 8), 0) if value is None else torch.full((n, 1, 8, 8), value)
    return Batch(x, torch.zeros(n, dtype=torch.long) if labels is None else labels)


@pytest.mark.parametrize("kind", KINDS)
def test_thirty_steps_lower_the_nats(kind, small_images):
    """Below those of pixels drawn by themselves at even odds, on images binarised alike before and after."""
    made = network(kind)
    images = data.to_float(small_images.images[:200])
    before = nats(made.eval(), images, binarise_seed=0)
    assert before == pytest.approx(64 * math.log(2), rel=0.2)
    trainer = autoregressive_trainer(made, learning_rate=1e-2, average=0.8, binarise=True, clip=1.0)
    seen = steps(trainer, data.batches(small_images, 64, 0), 30)
    assert set(seen[0]) == {"loss"}
    assert seen[-1]["loss"] < seen[0]["loss"] - 10
    assert nats(trainer.results["model"].eval(), images, binarise_seed=0) < before - 10


@pytest.mark.parametrize("kind", [GatedPixelCNN, RowLSTM, DiagonalBiLSTM])
def test_labels_are_learned(kind):
    """One label means black, the other white: next to nothing is left to tell; without labels, log 2."""
    made = network(kind, (1, 3, 3), classes=2)
    labels = torch.arange(16) % 2
    batch = Batch(labels.float()[:, None, None, None].expand(16, 1, 3, 3), labels)
    trainer = autoregressive_trainer(made, learning_rate=0.03, average=0.5)
    assert steps(trainer, [batch] * 40, 40)[-1]["loss"] < 0.5 * math.log(2)
    assert nats(trainer.results["model"].eval(), batch.images, labels) < 0.5 * math.log(2)


def test_the_loss_is_nats_an_image_and_bits_a_sub_pixel():
    likelihood = Categorical(256)
    made, batch = network(likelihood=likelihood), greys()
    (metrics,) = steps(autoregressive_trainer(made, learning_rate=0.0), [batch], 1)
    known = -made.log_prob(batch.images).mean().item()
    assert metrics["loss"].item() == pytest.approx(known, rel=1e-6)
    assert metrics["bits_per_dim"].item() == pytest.approx(known / 64 / math.log(2), rel=1e-6)
    assert set(steps(autoregressive_trainer(network(likelihood=LogisticMixture(2))), [batch], 1)[0]) == set(metrics)
    assert set(steps(autoregressive_trainer(network(likelihood=Normal())), [batch], 1)[0]) == {"loss"}


def test_binarisation_is_a_function_of_seed_and_step():
    def losses(seed, start, n):
        trainer = autoregressive_trainer(network(), learning_rate=0.0, binarise=True)
        stream = training.fit(trainer, [greys(value=0.5)] * n, per_step(seed), start)
        return [metrics["loss"].item() for metrics in stream]

    whole = losses(0, 0, 4)
    assert len(set(whole)) == 4
    assert losses(0, 2, 2) == whole[2:]
    assert losses(1, 0, 4) != whole


def test_what_is_binarised_is_black_and_white():
    seen = []
    made = network()
    made.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    steps(autoregressive_trainer(made, binarise=True), [greys(1000, value=0.3)], 1)
    assert seen[0].unique().tolist() == [0.0, 1.0]
    assert seen[0].mean().item() == pytest.approx(0.3, abs=4 * (0.21 / 64_000) ** 0.5)


def test_long_gradients_are_shortened():
    """Of the nats per sub-pixel, as the optimizer sees them, in the same direction; short ones are left alone."""

    def gradient(clip):
        made = network()
        trainer = autoregressive_trainer(made, clip=clip)
        steps(trainer, [greys(value=1.0)], 1)
        return torch.cat([p.grad.flatten() for p in made.parameters()]) / 64

    whole = gradient(None)
    assert whole.norm() > 0.01
    assert torch.allclose(gradient(0.01), 0.01 * whole / whole.norm(), rtol=1e-4, atol=1e-8)
    assert torch.equal(gradient(100.0), whole)


def test_nats_are_the_sum_by_hand():
    """Whatever the parts; and with black and white images drawn once, from streams of their own."""
    made, batch = network(DiagonalBiLSTM).eval(), greys(7)
    x = (batch.images > 0.5).float()
    known = -sum(made.log_prob(x[i : i + 1]).item() for i in range(7)) / 7
    noise = torch.cat([streams(3, 1, first=i).uniform(x[:1], 0, "binarise") for i in range(7)])
    drawn = (noise < batch.images).float()
    assert 0.4 < drawn.mean() < 0.6
    for chunk in (1, 3, 7, 500):
        assert nats(made, x, chunk=chunk) == pytest.approx(known, rel=1e-6)
        binarised = nats(made, batch.images, binarise_seed=3, chunk=chunk)
        assert binarised == pytest.approx(-made.log_prob(drawn).mean().item(), rel=1e-6)
    assert nats(made, batch.images, binarise_seed=4) != nats(made, batch.images, binarise_seed=3)


def test_bits_per_dim_of_even_odds():
    """A network whose head is 0 gives all 256 levels one probability: 8 bits."""
    made = network(image_shape=(3, 4, 4), likelihood=Categorical(256)).eval()
    for parameter in made.body.head.parameters():
        parameter.data.zero_()
    assert bits_per_dim(nats(made, torch.rand(2, 3, 4, 4, generator=per_step(0)(0))), (3, 4, 4)) == pytest.approx(8)


@pytest.mark.parametrize("kind", [GatedPixelCNN, RowLSTM, DiagonalBiLSTM])
def test_in_bfloat16_nats_are_float32(kind):
    (exact,) = steps(autoregressive_trainer(network(kind)), [greys()], 1)
    (rounded,) = steps(autoregressive_trainer(network(kind)), [greys()], 1, torch.bfloat16)
    assert rounded["loss"].dtype == torch.float32
    assert rounded["loss"].item() == pytest.approx(exact["loss"].item(), rel=1e-3)


@pytest.mark.parametrize("kind", [GatedPixelCNN, RowLSTM, DiagonalBiLSTM])
def test_resumed_at_the_same_bits(kind, tmp_path, small_images):
    def make():
        return autoregressive_trainer(network(kind, classes=10), learning_rate=1e-2, binarise=True, clip=0.01)

    resuming.ends_at_the_same_bits(make, lambda k: data.batches(small_images, 16, 0, k), tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: autoregressive_trainer(network(likelihood=Normal()), binarise=True),
            r"binarise needs a Bernoulli likelihood, got Normal\(",
        ),
        (lambda: autoregressive_trainer(network(), clip=0), "clip must be positive, got 0"),
        (lambda: nats(network(), torch.zeros(1, 1, 8, 8)), "network must be in eval mode"),
        (lambda: nats(network().eval(), torch.zeros(0, 1, 8, 8)), "must be at least 1, got 0 and 500"),
        (lambda: nats(network().eval(), torch.zeros(2, 1, 8, 8), chunk=0), "must be at least 1, got 2 and 0"),
        (
            lambda: nats(network().eval(), torch.zeros(2, 1, 8, 8), torch.zeros(3)),
            "one label an image is needed, got 3 for 2 images",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
