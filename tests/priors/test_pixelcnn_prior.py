"""The density of images under noise that a network of pixels gives: by enumeration, quadrature and differences."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from targets import assert_close
from torch import nn

import ppgn
from ppgn import models, priors, samplers
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.pixel_space import PixelSpace
from ppgn.models.smoothed import Smoothed
from ppgn.random import streams
from ppgn.types import Density, Ladder

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def network(image_shape=(1, 1, 2), likelihood=Bernoulli(), kind=models.GatedPixelCNN, spread=3.0, **rest):  # noqa: B008
    made = models.build(lambda: kind(image_shape, likelihood, width=8, layers=2, **rest), 0).double().eval()
    for parameter in made.parameters():  # far from uniform
        parameter.data.mul_(spread)
    return made


class Fixed(nn.Module):
    """A network that answers the same, whatever the pixels are."""

    def __init__(self, parameters, likelihood):
        super().__init__()
        self.answer, self.likelihood = nn.Parameter(parameters), likelihood
        self.image_shape = (1, *parameters.shape[1:])

    def forward(self, x, label=None):
        return self.answer.expand(len(x), *self.answer.shape)


def normals(*shape, seed=0):
    return streams(seed, shape[0]).normal(torch.empty(shape, dtype=torch.float64), 0)


def plane(prior, n=161, low=-1.5, high=2.5):
    """A grid of images of two pixels (n, n, 1, 1, 2), the density on it, and the area of a cell."""
    line = torch.linspace(low, high, n, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line).view(-1, 1, 1, 2)
    with torch.no_grad():
        return grid.view(n, n, 1, 1, 2), prior.log_prob(grid).exp().view(n, n), (line[1] - line[0]) ** 2


@pytest.mark.parametrize(("likelihood", "levels"), [(Bernoulli(), 2), (Categorical(3), 3)])
@pytest.mark.parametrize("sigma", [0.1, 0.4, 2.0])
def test_without_dependence_it_is_the_law_of_all_images_convolved_with_the_noise(likelihood, levels, sigma):
    """Images of 2x2 pixels: a sum over all 16, or 81, of p(image) N(x; image, sigma^2)."""
    fixed = Fixed(normals(likelihood.maps(1), 2, 2), likelihood).eval()
    prior = priors.pixelcnn(fixed, sigma)
    values = torch.linspace(0, 1, levels, dtype=torch.float64)
    images = torch.stack([torch.stack(pixels) for pixels in itertools.product(values, repeat=4)]).view(-1, 1, 2, 2)
    log_p = likelihood.log_prob(fixed(images), images)
    assert log_p.exp().sum().item() == pytest.approx(1)
    x = (0.5 + normals(5, 1, 2, 2, seed=1)).requires_grad_()
    squares = (x[:, None] - images).square().flatten(2).sum(2)
    expected = (log_p - squares / (2 * sigma**2)).logsumexp(1) - 4 * math.log(sigma * math.sqrt(2 * math.pi))
    assert torch.allclose(prior.log_prob(x), expected)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    assert torch.allclose(prior.score(x.detach(), x.detach()), gradient)


@pytest.mark.parametrize(
    ("likelihood", "rest", "sigma", "n"),
    [
        (Bernoulli(), {}, 0.1, 161),
        (Bernoulli(), {"classes": 4}, 0.3, 81),
        (Categorical(3), {}, 0.3, 81),
        (LogisticMixture(2), {}, 0.4, 31),
    ],
)
def test_it_integrates_to_one(likelihood, rest, sigma, n):
    """The rectangle rule, whose error falls faster than any power of the grid's width on normals."""
    prior = priors.pixelcnn(network(likelihood=likelihood, **rest), sigma, label=2 if rest else None)
    _, density, cell = plane(prior, n, low=-2.0, high=3.0)
    assert float(density.sum() * cell) == pytest.approx(1, abs=1e-5)


CASES = [
    ("GatedPixelCNN", (1, 3, 3), Bernoulli(), {"classes": 3}),
    ("GatedPixelCNN", (3, 2, 2), Categorical(4), {}),
    ("GatedPixelCNN", (1, 2, 2), LogisticMixture(2), {}),
    ("GatedPixelCNN", (1, 2, 2), Normal(), {}),
    ("PixelCNN", (3, 2, 2), Bernoulli(), {}),
    ("RowLSTM", (1, 3, 3), Bernoulli(), {}),
    ("DiagonalBiLSTM", (1, 3, 3), Categorical(3), {}),
]


@pytest.mark.parametrize(("kind", "shape", "likelihood", "rest"), CASES)
def test_the_score_is_the_slope_of_its_log_prob(kind, shape, likelihood, rest):
    """Against central differences, sub-pixel by sub-pixel, through all that the network makes of them."""
    made = network(shape, likelihood, getattr(models, kind), **rest)
    sigma = None if isinstance(likelihood, Normal) else 0.3
    prior = priors.pixelcnn(made, sigma, label=1 if rest else None)
    x = 0.5 + 0.4 * normals(2, *shape)
    eps = 1e-5
    steps = eps * torch.eye(x[0].numel(), dtype=torch.float64).view(-1, 1, *shape)
    with torch.no_grad():
        up, down = (torch.stack([prior.log_prob(x + sign * step) for step in steps], 1) for sign in (1, -1))
        score = prior.score(x, x)
    assert torch.allclose(score.flatten(1), (up - down) / (2 * eps), rtol=1e-5, atol=1e-5)
    assert score.abs().min() > 0
    alone = prior.score(x[1:], x[1:])
    assert torch.allclose(alone[0], score[1])


def test_little_noise_leaves_the_network_s_own_probability():
    """log p(x) = log P(levels) + log N(x - levels) where sigma is far less than a level."""
    for likelihood in (Bernoulli(), Categorical(5)):
        made = network((3, 2, 2), likelihood)
        model = priors.pixelcnn(made, sigma := 0.01)
        levels = Categorical(2 if likelihood == Bernoulli() else 5).levels
        clean = (streams(0, 6).uniform(torch.empty(6, 3, 2, 2, dtype=torch.float64), 0) * levels).floor() / (levels - 1)
        noise = normals(6, 3, 2, 2, seed=1)
        expected = made.log_prob(clean) + torch.distributions.Normal(0.0, sigma).log_prob(sigma * noise).sum((1, 2, 3))
        assert torch.allclose(model.log_prob(clean + sigma * noise), expected, rtol=1e-6)


class Repeats(nn.Module):
    """Black and white images of one row: each pixel is most often as the one to its left."""

    likelihood, image_shape = Bernoulli(), (1, 1, 4)

    def forward(self, x, label=None):
        return torch.cat([0 * x[..., :1], 4 * x[..., :-1] - 2], -1)


def test_it_is_near_the_convolution_and_nearer_than_a_network_that_is_shown_the_noise():
    """Kullback-Leibler divergence from p * N(0, sigma^2), by all 16 images, on draws of it; 0 would be equality."""
    made, sigma, n = Repeats().eval(), 0.4, 4000
    prior, smoothed = priors.pixelcnn(made, sigma), Smoothed(Bernoulli(), sigma)
    images = (torch.arange(16)[:, None] >> torch.arange(4) & 1).double().view(-1, 1, 1, 4)
    log_p = Bernoulli().log_prob(made(images), images)
    uniform = streams(1, n).uniform(torch.empty(n, dtype=torch.float64), 0)
    clean = images[(uniform[:, None] > log_p.exp().cumsum(0)[:-1]).sum(1)]
    x = clean + sigma * normals(n, 1, 1, 4)
    squares = (x[:, None] - images).square().flatten(2).sum(2)
    truth = (log_p - squares / (2 * sigma**2)).logsumexp(1) - 4 * math.log(sigma * math.sqrt(2 * math.pi))
    found = truth - prior.log_prob(x)
    for shown in (x, smoothed.rounded(x)):
        gap = truth - smoothed.log_prob(made(shown), x) - found
        assert gap.mean() > 4 * gap.std() / math.sqrt(n)
    alone = truth - smoothed.log_prob(torch.zeros_like(x), x)  # pixels by themselves
    assert -3 * found.std() / math.sqrt(n) < found.mean() < 0.1 * alone.mean()


def test_draws_have_its_law():
    prior, n = priors.pixelcnn(network(likelihood=Categorical(3)), 0.3), 6000
    assert isinstance(prior, Density)
    assert isinstance(prior, Ladder)
    x = prior.sample(n, streams(0, n))
    assert_law(x, prior)
    assert torch.allclose(prior.sample(1, streams(0, 1, first=7)), x[7:8])
    assert not torch.isclose(prior.sample(8, streams(0, 8), step=1), x[:8]).any()


def assert_law(x, prior):
    """Both means, and the shares of four parts of the plane that meet between points of the grid, by quadrature."""
    grid, density, cell = plane(prior)
    for i in (0, 1):
        mean = float((density * grid[..., 0, 0, i]).sum() * cell)
        assert_close(x[:, 0, 0, i].mean(), mean, x[:, 0, 0, i].std() / math.sqrt(len(x)))
    for signs in itertools.product((-1, 1), repeat=2):
        turned = torch.tensor(signs)
        share = float((density * ((grid[:, :, 0, 0] - 0.3625) * turned > 0).all(2)).sum() * cell)
        found = ((x[:, 0, 0] - 0.3625) * turned > 0).all(1).double().mean()
        assert_close(found, share, math.sqrt(share * (1 - share) / len(x)))


def test_an_exact_walk_keeps_its_law():
    prior, n = priors.pixelcnn(network(), 0.4), 2000
    pipeline = ppgn.Pipeline(PixelSpace((1, 1, 2)).eval(), prior, ppgn.conditions.unconditional())
    kernel = samplers.mala(pipeline, step_size=0.1)
    assert kernel.exact
    state, rng = kernel.init(prior.sample(n, streams(0, n))), streams(0, n)
    for _ in range(10):
        state = kernel.step(state, rng)
    assert 0.3 < state.acceptance.mean() < 0.99
    assert_law(state.h, prior)


def test_a_density_of_real_numbers_is_taken_as_it_is():
    made = network((1, 2, 2), Normal())
    prior, x = priors.pixelcnn(made), normals(3, 1, 2, 2)
    assert torch.equal(prior.log_prob(x), made.log_prob(x))
    noise = made.likelihood.noise(x, streams(5, 3))
    assert torch.equal(prior.sample(3, streams(5, 3)), models.draw(made, noise, way="naive").images)


def test_other_levels_of_noise_are_the_same_network_s():
    made, x = network(), normals(3, 1, 1, 2)
    prior = priors.pixelcnn(made, 0.3)
    assert torch.equal(prior.at(0.7).score(x, x), priors.pixelcnn(made, 0.7).score(x, x))
    assert prior.sigma == 0.3


def test_nothing_of_the_network_is_changed():
    made = network()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    x = normals(3, 1, 1, 2)
    with torch.no_grad():
        priors.pixelcnn(made, 0.3).score(x, x)
    assert not x.requires_grad
    assert all(p.requires_grad and p.grad is None for p in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert not made.training


def test_errors():
    with pytest.raises(ValueError, match="network must be in eval mode"):
        priors.pixelcnn(network().train(), 0.3)
    with pytest.raises(ValueError, match=r"sigma must be given, as Bernoulli\(\) knows whole levels only"):
        priors.pixelcnn(network())
    with pytest.raises(ValueError, match="sigma must be positive and finite, got 0"):
        priors.pixelcnn(network(), 0.0)
    with pytest.raises(ValueError, match=r"sigma must be None, as Normal.* is a density .* already, got 0\.3"):
        priors.pixelcnn(network(likelihood=Normal()), 0.3)
    with pytest.raises(ValueError, match="sigma must be None"):
        priors.pixelcnn(network(likelihood=Normal())).at(0.1)
    with pytest.raises(ValueError, match="sigma must be positive and finite, got -1"):
        priors.pixelcnn(network(), 0.3).at(-1.0)
    with pytest.raises(ValueError, match=r"needs labels \(B,\) of 4 classes, got none"):
        priors.pixelcnn(network(classes=4), 0.3).log_prob(normals(2, 1, 1, 2))
    with pytest.raises(ValueError, match=r"smoothed for grey images, of 1 channel, got 3"):
        priors.pixelcnn(network((3, 1, 2), LogisticMixture(2)), 0.3).log_prob(normals(2, 3, 1, 2))
