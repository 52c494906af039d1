"""The network as a generator: its images are draws of p(x), so that rejection gives p(x | y) exactly."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.special import ndtr

import ppgn
from ppgn import models
from ppgn.models.autoregressive import draw
from ppgn.models.likelihoods import Categorical, LogisticMixture, Normal
from ppgn.random import streams


def network(image_shape=(1, 2, 2), likelihood=models.Bernoulli(), classes=None, kind=models.GatedPixelCNN):  # noqa: B008
    others = (3, classes) if kind is models.GatedPixelCNN else ()
    made = models.build(lambda: kind(image_shape, likelihood, 6, 2, *others), 0).eval()
    for parameter in made.parameters():
        parameter.data.mul_(2)
    return made.requires_grad_(False)


@pytest.mark.parametrize("likelihood", [models.Bernoulli(), Categorical(4), LogisticMixture(2)])
def test_the_image_of_a_code_is_the_draw_of_its_uniforms(likelihood):
    made = network((3, 3, 4), likelihood)
    generator = models.AutoregressiveGenerator(made).eval()
    h = streams(0, 5).normal(torch.empty(5, *generator.latent_shape), 0)
    assert torch.equal(generator(h), draw(made, ndtr(h), way="naive").images)


def test_recurrent_networks_are_drawn_from_too():
    generator = models.AutoregressiveGenerator(network(kind=models.RowLSTM)).eval()
    assert generator.way == "fixed_point"
    assert set(generator(torch.randn(50, 1, 2, 2)).unique().tolist()) == {0.0, 1.0}


def test_extreme_codes_are_images_too():
    generator = models.AutoregressiveGenerator(network((3, 3, 4), Categorical(4))).eval()
    x = generator(torch.tensor([-40.0, 40.0])[:, None, None, None].expand(2, 3, 3, 4))
    assert (x[0].max(), x[1].min()) == (0.0, 1.0)


def test_the_gradient_is_that_of_a_step():
    generator = models.AutoregressiveGenerator(network()).eval()
    h = torch.randn(4, 1, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator(h).sum(), h)
    assert torch.equal(gradient, torch.zeros_like(h))


class FirstPixel(torch.nn.Module):
    """log p(y | x): of two classes, by the first and the last pixel."""

    def forward(self, x):
        a = x[:, 0, 0, 0] + 2 * x[:, 0, 1, 1] - 1
        return torch.stack([a, -a], 1)


def test_rejection_gives_the_posterior_of_all_sixteen_images():
    made, n = network(), 4000
    generator = models.AutoregressiveGenerator(made).eval()
    pipeline = ppgn.Pipeline(generator, ppgn.priors.gaussian(generator.latent_shape))
    classifier = FirstPixel().eval()
    asked = pipeline.given(ppgn.conditions.class_label(classifier, 1))
    found = ppgn.sample(asked, n=n, steps=20, seed=0, sampler="rejection", progress=False)
    assert found.exact
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).view(16, 1, 2, 2)
    truth = (made.log_prob(states).double() + classifier(states).double().log_softmax(1)[:, 1]).softmax(0)
    place = (found.images.flatten(1) @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    share = torch.bincount(place, minlength=16) / n
    assert ((share - truth).abs() < 4.5 * (truth * (1 - truth) / n).sqrt() + 1e-9).all()


def test_labels():
    made = network(classes=3)
    generator = models.AutoregressiveGenerator(made, label=2).eval()
    h = torch.randn(4, 1, 2, 2)
    assert torch.equal(generator(h), draw(made, ndtr(h), torch.full((4,), 2), "naive").images)
    for label in (None, 3, -1):
        with pytest.raises(ValueError, match=rf"label must be one of 0\.\.2, got {label}"):
            models.AutoregressiveGenerator(made, label)
    with pytest.raises(ValueError, match="label must be None, since the network has no classes, got 1"):
        models.AutoregressiveGenerator(network(), 1)


def test_real_numbers_are_refused():
    with pytest.raises(ValueError, match=r"likelihood must be one of whole levels, got Normal"):
        models.AutoregressiveGenerator(network(likelihood=Normal()))
