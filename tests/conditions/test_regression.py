"""A target value, and likeness to a picture's features."""

from __future__ import annotations

import asked
import pytest
import torch
from torch import nn

import ppgn
from ppgn.conditions import regression, similar


@pytest.fixture
def x():
    return asked.images()


def brightness(x):
    return x.flatten(1).mean(1)


def test_it_is_the_normal_log_density_up_to_its_constant(x):
    known = torch.distributions.Normal(0.3, 0.1)
    found = regression(brightness, 0.3, noise=0.1).log_prob(x)
    assert torch.allclose(found, known.log_prob(brightness(x)) - known.log_prob(torch.tensor(0.3)), atol=1e-6)
    rows = regression(brightness, [0.1, 0.2, 0.3], noise=0.1)
    assert torch.allclose(rows.log_prob(x), -((brightness(x) - torch.tensor([0.1, 0.2, 0.3])) ** 2) / 0.02, atol=1e-6)
    column = regression(lambda x: brightness(x)[:, None], [0.1, 0.2, 0.3], noise=0.1)
    assert torch.allclose(column.log_prob(x), rows.log_prob(x))


def test_several_numbers_add_up(x):
    def colours(x):
        return x.mean((2, 3))

    target = torch.tensor([[0.2, 0.4, 0.6]], dtype=torch.float64)
    found = regression(colours, target, noise=0.1).log_prob(x)
    assert torch.allclose(found, -50 * ((colours(x) - target) ** 2).sum(1))


def test_a_posterior_of_a_linear_regression_is_the_textbooks():
    """h ~ N(0, 1), f = h, target t, noise s: the mean is t / (1 + s^2), the variance s^2 / (1 + s^2)."""
    generator = nn.Sequential(nn.Unflatten(1, (1, 1, 1))).eval()
    asks = regression(lambda x: x.flatten(), 1.5, noise=0.5)
    pipeline = ppgn.Pipeline(generator, ppgn.priors.gaussian((1,)), asks, latent_shape=(1,))
    samples = ppgn.sample(pipeline, 2000, 200, 0, "rejection", progress=False)
    assert float(samples.codes.mean()) == pytest.approx(1.5 / 1.25, abs=4 * (0.2 / 2000) ** 0.5)
    assert float(samples.codes.var()) == pytest.approx(0.25 / 1.25, rel=4 * (2 / 2000) ** 0.5)


def test_a_picture_is_most_like_itself(x):
    guide = asked.classifier()
    for layer in ("", "1"):
        like = similar(guide, x[0], noise=1.0, layer=layer)
        found = like.log_prob(x)
        assert found[0] > -1e-20
        assert (found[1:] < -1e-3).all()
        assert (similar(guide, x, noise=1.0, layer=layer).log_prob(x) > -1e-20).all()


def test_the_features_are_the_layers(x):
    guide = asked.classifier()
    first = guide.network[:2](guide.preprocessing(x))
    expected = -((first - first[:1]) ** 2).flatten(1).sum(1) / 8
    assert torch.allclose(similar(guide, x[0], noise=2.0, layer="1").log_prob(x), expected)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: regression(brightness, 1.0, noise=0.0), ValueError, "noise must be positive, got 0.0"),
        (lambda: regression(brightness, float("nan"), noise=1.0), ValueError, "target must be finite, got nan"),
        (lambda: regression(nn.Linear(1, 1), 1.0, noise=1.0), ValueError, "network must be in eval mode"),
        (lambda: regression(brightness, 1.0, noise=1.0, layer="a"), TypeError, "network must be an nn.Module to have"),
        (lambda: regression(asked.network(), 1.0, noise=1.0, layer="9"), ValueError, "layer must be one of"),
        (lambda: similar(asked.network(), torch.zeros(3), noise=1.0), ValueError, r"image must be float \(C, H, W\)"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_targets_of_another_shape(x):
    with pytest.raises(ValueError, match=r"target must be shaped as the network's numbers.*\(3,\), got \(2,\)"):
        regression(brightness, [0.1, 0.2], noise=1.0).log_prob(x)
    with pytest.raises(ValueError, match=r"target must be shaped.*got \(1, 2\)"):
        regression(lambda x: x.mean((2, 3)), [[0.1, 0.2]], noise=1.0).log_prob(x)
    with pytest.raises(ValueError, match=r"network must give numbers \(B, ...\) with B = 3"):
        regression(lambda x: x.mean(), 0.1, noise=1.0).log_prob(x)
