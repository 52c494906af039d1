"""The log-odds of being real: their value and gradient, and walks up them, with a generator and without."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from targets import LinearGenerator, assert_close, assert_moments
from torch import nn

import ppgn
from ppgn import models, priors, samplers
from ppgn.conditions import realism
from ppgn.random import streams

MIDDLE = torch.tensor([0.2, 0.4, 0.6, 0.8], dtype=torch.float64)


def bowl(x):
    """log-odds 1 - |x - m|^2: real is what is near m."""
    return 1 - (x.flatten(1) - MIDDLE).square().sum(1)


def same(h):
    return h


@pytest.fixture
def network():
    return models.build(lambda: models.DCGANDiscriminator((1, 8, 8), (4, 8)), 0).double().eval()


@pytest.fixture
def x():
    return torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_logit_or_its_sigmoid_under_a_ceiling(network, x):
    logit = network(x)
    assert torch.equal(realism(network).log_prob(x), logit)
    assert torch.allclose(realism(network, ceiling=0.0).log_prob(x), logit.sigmoid().log())
    low = realism(network, ceiling=2.0).log_prob(x)
    assert torch.allclose(low.exp(), logit.exp() / (logit.exp() + math.exp(2.0)))
    high = realism(network, ceiling=30.0).log_prob(x)
    assert torch.allclose(high + 30.0, logit)


def test_a_column_of_logits_will_do(network, x):
    assert torch.equal(realism(lambda images: network(images)[:, None]).log_prob(x), network(x))


@pytest.mark.parametrize("ceiling", [math.inf, 0.5])
def test_gradient_is_the_finite_difference_at_every_pixel(network, x, ceiling):
    condition, step = realism(network, ceiling=ceiling), 1e-6
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(condition.log_prob(leaf).sum(), leaf)
    assert (gradient != 0).all()
    for i in range(0, 64, 9):
        move = torch.zeros(64, dtype=torch.float64)
        move[i] = step
        move = move.view(1, 1, 8, 8)
        slope = (condition.log_prob(x + move) - condition.log_prob(x - move)).detach() / (2 * step)
        assert torch.allclose(gradient.flatten(1)[:, i], slope, atol=1e-8)


def test_rows_are_asked_the_same(network, x):
    index = torch.tensor([2, 0])
    assert torch.allclose(realism(network).rows(index).log_prob(x[index]), realism(network).log_prob(x)[index])


def test_activation_maximisation_finds_the_most_real_image():
    """In pixels, and among what a generator can make: least squares."""
    steps = samplers.geometric(0.1, 1e-4, 150)
    pixels = ppgn.Pipeline(same, priors.none(), realism(bowl))
    walk = samplers.chain(
        samplers.activation_max(pixels, steps, decay=0.0, bounds=(0.0, 1.0)),
        torch.full((2, 1, 2, 2), 0.5, dtype=torch.float64),
        streams(0, 2),
    )
    found = next(islice(walk, 200, None))
    assert torch.allclose(found.h.flatten(1), MIDDLE.expand(2, 4), atol=1e-3)
    rng = torch.Generator().manual_seed(1)
    a, b = torch.randn(4, 2, generator=rng, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    codes = ppgn.Pipeline(LinearGenerator(a, b).eval(), priors.none(), realism(bowl))
    start = torch.zeros(2, 2, dtype=torch.float64)
    walk = samplers.chain(samplers.activation_max(codes, steps, decay=0.0), start, streams(0, 2))
    best = torch.linalg.lstsq(a, MIDDLE[:, None]).solution[:, 0]
    assert torch.allclose(next(islice(walk, 250, None)).h, best.expand(2, 2), atol=2e-3)


def test_mala_approx_walks_about_the_most_real_image():
    """h <- h - 2 e2 (h - m) + e3 z has the law N(m, e3^2 / (1 - (1 - 2 e2)^2))."""
    n, e2, e3 = 2000, 0.1, 0.3
    pipeline = ppgn.Pipeline(same, priors.none(), realism(bowl))
    sampler = samplers.mala_approx(pipeline, 0.0, e2, e3)
    walk = samplers.chain(sampler, torch.zeros(n, 1, 2, 2, dtype=torch.float64), streams(0, n))
    h = next(islice(walk, 60, None)).h.flatten(1)
    assert_moments(h, MIDDLE, torch.tensor(e3**2 / (1 - (1 - 2 * e2) ** 2)).expand(4))


def test_rejection_takes_it_under_a_ceiling():
    """Codes N(0, 1) under odds e^(2 h - 2), the ratio of N(2, 1) to them: p(real) by quadrature."""
    n, m = 3000, 1.0
    pipeline = ppgn.Pipeline(
        lambda h: h.view(-1, 1, 1, 1), priors.gaussian((1,)), realism(lambda x: 2 * x.flatten() - 2, ceiling=m),
        latent_shape=(1,),
    )  # fmt: skip
    samples = ppgn.sample(pipeline, n, 500, 0, "rejection", progress=False)
    z = torch.linspace(-10, 10, 100_001, dtype=torch.float64)
    log_p = nn.functional.logsigmoid(2 * z - 2 - m)
    weight = (-0.5 * z**2 + log_p).softmax(0)
    mean = (weight * z).sum()
    sd = (weight * (z - mean) ** 2).sum().sqrt()
    assert_close(samples.codes.double().mean(), mean, sd / math.sqrt(n))
    p = ((-0.5 * z**2).softmax(0) * log_p.exp()).sum()
    tries = samples.state["accepted_at"].double().mean()
    assert_close(tries, 1 / p, (1 - p).sqrt() / p / math.sqrt(n))
    free = ppgn.Pipeline(pipeline.generator, pipeline.prior, realism(lambda x: 2 * x.flatten() - 2), latent_shape=(1,))
    with pytest.raises(ValueError, match="rejection needs log p"):
        ppgn.sample(free, n, 5, 0, "rejection", progress=False)


def test_bad_input(network, x):
    with pytest.raises(ValueError, match=r"discriminator must be in eval mode.*DCGANDiscriminator.*\.eval"):
        realism(network.train())
    for ceiling in (math.nan, -math.inf):
        with pytest.raises(ValueError, match=f"ceiling must be a number of nats, or inf for none, got {ceiling}"):
            realism(bowl, ceiling=ceiling)
    with pytest.raises(ValueError, match=r"one logit an image, \(B,\) or \(B, 1\) with B = 3, got shape \(3, 10\)"):
        realism(lambda images: images.flatten(1)[:, :10]).log_prob(x)
    with pytest.raises(ValueError, match=r"got shape \(3, 1, 1, 1\)"):
        realism(lambda images: images[:, :, :1, :1]).log_prob(x)
