"""PixelCNNs: who sees whom, that probabilities of all images sum to 1, and that a file's description rebuilds them."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch.autograd.functional import jacobian

from ppgn import models
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.pixelcnn import GatedPixelCNN, PixelCNN
from ppgn.random import per_step, streams


def gated(image_shape, likelihood=Bernoulli(), layers=5, seed=0, **rest):  # noqa: B008
    make = lambda: GatedPixelCNN(image_shape, likelihood, width=12, layers=layers, kernel=3, **rest)  # noqa: E731
    return models.build(make, seed).double().eval().requires_grad_(False)


def depends(network, step):
    """(steps, H, W, steps, H, W): does any parameter of a step of drawing a pixel depend on a step of another?

    step: channels that are drawn together.
    """
    channels, height, width = network.image_shape
    steps = channels // step
    x = streams(3, 1).uniform(torch.empty(1, channels, height, width, dtype=torch.float64), 0)[0]
    j = jacobian(lambda x: network(x[None])[0], x)
    j = j.view(steps, -1, height, width, steps, step, height, width)
    return (j != 0).any(5).any(1)


def earlier(steps, height, width):
    """(steps, H, W, steps, H, W): what comes before what in raster order, red, green, blue."""
    time = torch.arange(height * width * steps).view(height, width, steps).permute(2, 0, 1)
    return time[..., None, None, None] > time


@pytest.mark.parametrize(
    ("image_shape", "likelihood", "step"),
    [
        ((1, 5, 5), Bernoulli(), 1),
        ((1, 4, 6), Categorical(3), 1),
        ((3, 4, 4), Categorical(3), 1),
        ((3, 4, 4), Normal(), 1),
        ((3, 4, 4), LogisticMixture(2), 3),
    ],
)
def test_a_pixel_sees_all_before_it_and_nothing_else(image_shape, likelihood, step):
    """Equality: no leak, and no blind spot, as five layers of 3x3 reach over these images."""
    found = torch.stack([depends(gated(image_shape, likelihood, seed=seed), step) for seed in range(4)])
    found = found.any(0)  # a dead rectifier may hide a path of one network
    assert torch.equal(found, earlier(image_shape[0] // step, *image_shape[1:]))


@pytest.mark.parametrize(("image_shape", "likelihood"), [((1, 9, 9), Bernoulli()), ((3, 5, 5), Categorical(2))])
def test_the_plain_network_sees_only_what_is_before(image_shape, likelihood):
    network = models.build(lambda: PixelCNN(image_shape, likelihood, width=12, layers=2), 0).double()
    found, before = depends(network.requires_grad_(False), 1), earlier(*image_shape)
    assert not (found & ~before).any()
    left = found[:, 2, 3, :, 2, :3]
    assert left.all()


def test_the_plain_network_has_a_blind_spot_where_the_gated_one_has_none():
    """With 7x7 and then 3x3 masked kernels, 4 columns right and 2 rows up is not seen from afar."""
    plain = models.build(lambda: PixelCNN((1, 9, 9), width=12, layers=4), 0).double()
    assert not depends(plain.requires_grad_(False), 1)[0, 8, 0, 0, 7, 5]
    assert depends(gated((1, 9, 9)), 1)[0, 8, 0, 0, 7, 5]


def every_image(channels, height, width):
    """All black and white images (2 ** (C H W), C, H, W)."""
    n = channels * height * width
    return (torch.arange(2**n)[:, None] >> torch.arange(n) & 1).double().view(-1, channels, height, width)


@pytest.mark.parametrize("label", [None, 0, 2])
def test_all_images_of_four_pixels_sum_to_one(label):
    network = gated((1, 2, 2), classes=None if label is None else 3)
    for parameter in network.parameters():
        parameter.data.mul_(3)  # far from uniform
    for layer in network.gated() if label is not None else []:
        layer.label.weight.data.copy_(torch.arange(3)[:, None])
    log_p = network.log_prob(every_image(1, 2, 2), None if label is None else torch.full((16,), label))
    assert float(log_p.logsumexp(0)) == pytest.approx(0, abs=1e-12)
    assert log_p.max() - log_p.min() > 1


@pytest.mark.parametrize("make", [GatedPixelCNN, PixelCNN])
@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(2)])
def test_all_colour_images_of_two_pixels_sum_to_one(make, likelihood):
    network = (
        models.build(lambda: make((3, 1, 2), likelihood, width=8, layers=2, kernel=3), 0).double().requires_grad_(False)
    )
    for parameter in network.parameters():
        parameter.data.mul_(2)
    log_p = network.log_prob(every_image(3, 1, 2))
    assert float(log_p.logsumexp(0)) == pytest.approx(0, abs=1e-12)


def test_labels_begin_without_effect_and_then_have_one():
    network = gated((1, 3, 3), classes=4)
    x, a, b = torch.zeros(2, 1, 3, 3, dtype=torch.float64), torch.tensor([0, 0]), torch.tensor([0, 3])
    assert torch.equal(network(x, a), network(x, b))
    network.gated()[1].label.weight.data[3] = 1
    changed = network(x, a) != network(x, b)
    assert not changed[0].any()
    assert changed[1].all()


def test_only_dropout_tells_training_from_use():
    network = models.build(lambda: GatedPixelCNN((1, 4, 4), width=6, layers=2, kernel=3, dropout=0.5), 0)
    x = torch.zeros(1, 1, 4, 4)
    assert torch.equal(network.eval()(x), network(x))
    with torch.random.fork_rng(devices=[]):
        assert not torch.equal(network.train()(x), network(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda: GatedPixelCNN((3, 4, 4), LogisticMixture(2), width=6, layers=2, kernel=3, classes=3, dropout=0.1),
        lambda: GatedPixelCNN((1, 4, 4), width=6, layers=2, kernel=3),
        lambda: PixelCNN((3, 4, 4), Categorical(3), width=6, layers=1),
    ],
)
def test_a_network_is_rebuilt_from_its_description(make):
    network = models.build(make, 0)
    again = type(network)(**json.loads(json.dumps(network.config)))
    again.load_state_dict(network.state_dict())
    x = torch.rand(1, *network.image_shape, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([1]) if network.config.get("classes") else None
    assert torch.equal(again.eval()(x, label), network.eval()(x, label))
    assert again.config == network.config


def test_it_learns_what_neighbours_tell():
    """Images of one colour, black or white: log 2 nats in all, while 16 independent pixels have 16 log 2."""
    network = models.build(lambda: GatedPixelCNN((1, 4, 4), width=8, layers=2, kernel=3), 0)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for step in range(80):
        x = (torch.rand(32, 1, 1, 1, generator=per_step(0)(step)) < 0.5).float().expand(32, 1, 4, 4)
        loss = -network.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) == pytest.approx(math.log(2), abs=0.2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GatedPixelCNN(layers=0), "layers must be at least 1, got 0"),
        (lambda: GatedPixelCNN(kernel=4), "kernel must be odd and at least 3, got 4"),
        (lambda: GatedPixelCNN((3, 4, 4), width=2), "groups must be at least 1 and at most .* got 3 groups"),
        (lambda: GatedPixelCNN(likelihood=Normal(shared=True)), "likelihood must give each pixel its own parameters"),
        (
            lambda: GatedPixelCNN((1, 4, 4))(torch.zeros(1, 1, 4, 5)),
            r"must have shape \(B, 1, 4, 4\), got \(1, 1, 4, 5",
        ),
        (lambda: gated((1, 2, 2))(torch.zeros(1, 1, 2, 2).double(), torch.tensor([1])), r"needs no labels, got \(1,\)"),
        (
            lambda: gated((1, 2, 2), classes=3)(torch.zeros(1, 1, 2, 2).double()),
            r"needs labels \(B,\) of 3 .* got none",
        ),
        (lambda: PixelCNN((1, 2, 2))(torch.zeros(1, 1, 2, 2), torch.tensor([1])), r"needs no labels, got \(1,\)"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
