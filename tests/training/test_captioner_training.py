"""Captioners learn what their sentences say, and nothing of those that are held out."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from resuming import ends_at_the_same_bits

from ppgn import data, models, training
from ppgn.models.captioner import padded
from ppgn.random import per_step

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
CAPTIONS = ("a dark one", "a bright one", "bright")
WORDS = ("a", "dark", "bright", "one")


def build(**settings):
    return models.build(lambda: models.Captioner(WORDS, (1, 8, 8), width=4, features=8, **settings), 0)


def shades(n: int) -> data.ImageSet:
    """Grey squares: dark ones, bright ones, and bright ones with a line, which are said otherwise."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (n,), generator=rng)
    images = torch.where(labels == 0, 60, 200)[:, None, None, None].repeat(1, 1, 8, 8)
    images = images + torch.randint(-20, 20, images.shape, generator=rng)
    images[labels == 2, :, 4] = 0
    return data.ImageSet(images.to(torch.uint8), labels)


def test_it_learns_to_say_what_is_there():
    images = shades(600)
    trainer = training.captioner_trainer(build(), CAPTIONS, learning_rate=training.cosine(1e-2, 1e-4, 100), shift=0)
    for metrics in islice(training.fit(trainer, data.batches(images, 32, 0), per_step(0)), 100):
        assert torch.isfinite(metrics["loss"])
    network = trainer.results["model"].eval()
    x = data.to_float(images.images)
    said = network.describe(x)
    assert sum(text == CAPTIONS[i] for text, i in zip(said, images.labels, strict=True)) > 0.97 * len(said)


def test_the_loss_is_minus_log_prob_a_sentence():
    images = shades(32)
    network = build(dropout=0.0)
    (batch,) = islice(data.batches(images, 32, 0), 1)
    tokens = padded([network.tokens(text) for text in CAPTIONS])[batch.labels]
    expected = -network.log_prob(batch.images, tokens).mean().item()
    trainer = training.captioner_trainer(network, CAPTIONS, learning_rate=1e-3, noise=0.0, shift=0)
    (metrics,) = islice(training.fit(trainer, [batch], per_step(0)), 1)
    assert metrics["loss"].item() == pytest.approx(expected, rel=1e-5)


def test_a_run_that_is_cut_ends_at_the_same_bits(tmp_path):
    images = shades(64)
    ends_at_the_same_bits(
        lambda: training.captioner_trainer(build(), CAPTIONS),
        lambda start: data.batches(images, 16, 0, start),
        tmp_path,
    )


def test_errors():
    with pytest.raises(ValueError, match="noise must not be negative, got -1"):
        training.captioner_trainer(build(), CAPTIONS, noise=-1)
    with pytest.raises(ValueError, match=r"captioner's 4 words, got 'brigth'; the nearest are 'bright'"):
        training.captioner_trainer(build(), ["a brigth one"])
    trainer = training.captioner_trainer(build(), CAPTIONS)
    batch = data.Batch(torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64), labelled=False)
    with pytest.raises(ValueError, match="a captioner"):
        next(training.fit(trainer, [batch], per_step(0)))
