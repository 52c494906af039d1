"""The bundled baselines: each is a whole pipeline, and as good as its card says."""

from __future__ import annotations

import math

import pytest
import torch

import ppgn
from ppgn import data, evaluation, files, models, pretrained, training
from ppgn.pretrained import catalogue
from ppgn.random import per_step
from ppgn.training.vae import binarised

PIXELS = {"mnist-pixelcnn": ["gated"], "mnist-pixelrnn": ["diagonal", "row"]}
CODED = {"mnist-vae": ["vae"], "mnist-gan": ["gan", "energy"], "mnist-vaegan": ["vaegan"]}
VARIANTS = [(name, variant) for name, variants in (PIXELS | CODED).items() for variant in variants]
BARS = {("mnist-pixelcnn", "pixelcnn"): 84.0, ("mnist-pixelrnn", "row"): 85.0, ("mnist-pixelrnn", "diagonal"): 84.5}


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_unconditional_draws_are_exact(name, variant):
    pipeline = ppgn.load(name, variant)
    n = 4 if name in PIXELS else 60
    samples = ppgn.sample(pipeline, n, steps=1, seed=0, progress=False)
    assert samples.exact
    assert samples.images.shape == (n, 1, 28, 28)
    ink = samples.images.mean((1, 2, 3))
    assert 0.05 < ink.mean() < 0.25  # of real digits: .13
    assert ink.std() > 0.01
    if name in PIXELS:
        assert set(samples.images.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", CODED)
def test_classes_by_rejection_are_what_the_judge_sees(name):
    """Far more often than by chance; draws that are no digit at all it reads as anything."""
    pipeline = ppgn.load(name)
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 3))
    samples = ppgn.sample(asked, n=60, steps=60, seed=0, progress=False)
    assert samples.exact
    judged = evaluation.agreement(pretrained.network("mnist", "judge"), samples.images, torch.full((60,), 3))
    assert judged > 0.1 + 6 * math.sqrt(0.1 * 0.9 / 60)


def test_a_class_of_the_pixelcnn():
    pipeline = ppgn.load("mnist-pixelcnn")
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 1))
    free = ppgn.sample(pipeline, n=8, steps=1, seed=0, progress=False)
    samples = ppgn.sample(asked, n=8, steps=8, seed=0, progress=False)
    p, by_chance = (pipeline.classifier(x.images).softmax(1)[:, 1] for x in (samples, free))
    assert p.mean() > 0.5 > by_chance.mean()


@pytest.mark.parametrize(("name", "part"), BARS)
def test_likelihoods_are_those_of_the_cards(mnist_file, name, part):
    """On 200 test images, within four standard errors of the figure for all 10,000."""
    card, network = pretrained.card(name, part), pretrained.network(name, part)
    assert card.measured["test nats"] <= BARS[name, part]
    x = data.to_float(data.load(mnist_file, "test").images[:200])
    each = torch.tensor([training.nats(network, one, binarise_seed=0) for one in x.split(20)])
    assert abs(each.mean() - card.measured["test nats"]) < 4 * each.std() / math.sqrt(len(each))


def test_the_bound_of_the_vae(mnist_file):
    card, network = pretrained.card("mnist-vae", "vae"), pretrained.network("mnist-vae", "vae")
    x = data.to_float(data.load(mnist_file, "test").images[:200])
    x = binarised(x, torch.Generator().manual_seed(0))
    bound = training.elbo(network, x, per_step(0)(0))
    assert abs(bound.mean() + card.measured["test negative ELBO"]) < 4 * bound.std() / math.sqrt(200)
    tighter = training.importance_bound(network, x[:50], 100, per_step(0)(1))
    assert tighter.mean() > bound[:50].mean() + 2


def test_encoders_find_codes_of_real_digits(mnist_file):
    x = data.to_float(data.load(mnist_file, "test").images[:300])
    for name in ("mnist-vae", "mnist-vaegan"):
        network = ppgn.load(name).generator
        assert isinstance(network, models.VAE | models.DenseVAE)
        with torch.no_grad():
            again = network(network.encoder(x))
        assert (again - x).square().mean() < 0.3 * x.var()


@pytest.mark.parametrize("name", [*PIXELS, *CODED])
def test_cards(name):
    for card in pretrained.cards(name):
        assert card.sha256 == files.sha256(card.path)
        assert card.command.startswith("ppgn train ")
        assert card.measured
    assert sum(path.stat().st_size for path in (catalogue.WEIGHTS / name).iterdir()) < 4e6
