"""The bound of a VAE and its slope: by closed forms, quadrature and differences."""

from __future__ import annotations

import math

import pytest
import torch
from targets import assert_close
from torch import nn

from ppgn import models, priors
from ppgn.models.evidence import divergence
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.random import streams
from ppgn.types import Density, Ladder

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
IMAGE = (1, 8, 8)


def network(likelihood=Bernoulli(), shape=IMAGE, kind=models.VAE, **rest):  # noqa: B008
    made = models.build(lambda: kind(shape, latent=3, likelihood=likelihood, **rest), 0).double().eval()
    for parameter in made.parameters():  # what it does not know yet should matter
        parameter.data.mul_(1.5)
    return made


def normals(*shape, seed=0):
    return streams(seed, shape[0]).normal(torch.empty(shape, dtype=torch.float64), 0)


class Line(nn.Module):
    """One number z, images of two pixels: decode's logits are a z + b, and q(z | x) any normal."""

    likelihood = Bernoulli()

    def __init__(self, a, b, spread=0.0):
        super().__init__()
        self.a, self.b, self.spread = torch.tensor(a).double(), torch.tensor(b).double(), spread

    def encode(self, x):
        mean = 0.8 * x.flatten(1).sum(1, keepdim=True) - 1
        return mean, torch.full_like(mean, self.spread) + 0.3 * mean

    def decode(self, z):
        return (self.a * z + self.b).view(-1, 1, 1, 2)


def test_where_codes_tell_nothing_it_is_the_likelihood_less_the_divergence():
    """No draw matters, so the bound has a closed form: log p_sigma(x) - KL, both of which depend on x."""
    line, sigma = Line([0.0, 0.0], [1.0, -0.5]).eval(), 0.3
    prior = priors.vae(line, sigma, draws=3)
    x = normals(6, 1, 1, 2).requires_grad_()
    p = torch.sigmoid(line.b)
    lit, unlit = ((-0.5 * ((x - level) / sigma).square()).exp() for level in (1, 0))
    density = (p * lit + (1 - p) * unlit) / (sigma * math.sqrt(2 * math.pi))
    seen = lit / (lit + unlit)  # the encoder's image is softly rounded
    expected = density.log().sum((1, 2, 3)) - divergence(*line.encode(seen)).sum(1)
    assert torch.allclose(prior.bound(x), expected)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    assert torch.allclose(prior.score(x.detach(), x.detach()), gradient)


def test_without_noise_it_is_the_bound_that_the_network_was_trained_by():
    line = Line([0.0, 0.0], [1.0, -0.5]).eval()
    x = torch.tensor([[0.0, 1.0], [0.4, 0.7]], dtype=torch.float64).view(2, 1, 1, 2)
    slope = 0.8 * (line.encode(x)[0] + 0.15 * (line.encode(x)[1].exp() - 1))  # KL's, as the mean moves the variance too
    assert torch.allclose(priors.vae(line).score(x, x), line.b - slope[:, None, None])
    assert torch.allclose(
        priors.vae(line).bound(x),
        Bernoulli().log_prob(line.decode(x[:, 0, 0, :1]), x) - divergence(*line.encode(x))[:, 0],
    )


@pytest.mark.parametrize("spread", [-2.0, 0.5])
def test_it_lies_below_the_density_it_bounds_and_is_its_integral(spread):
    """log p * N(0, sigma^2) by quadrature over z, and the bound's integral over q at 512 points and by quadrature."""
    line, sigma = Line([3.0, -1.0], [0.5, 0.2], spread).eval(), 0.35
    prior, x = priors.vae(line, sigma, draws=512), 0.5 + normals(8, 1, 1, 2)
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    p = torch.sigmoid(line.a * z[:, None] + line.b)
    levels = [(-0.5 * ((x.view(8, 1, 2) - level) / sigma).square()).exp() for level in (1, 0)]
    log_p = ((p * levels[0] + (1 - p) * levels[1]) / (sigma * math.sqrt(2 * math.pi))).log().sum(2)
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    truth = (log_p + standard).logsumexp(1) + math.log(float(z[1] - z[0]))
    assert (prior.bound(x) < truth).all()
    mean, log_variance = line.encode(levels[0].view_as(x) / (levels[0] + levels[1]).view_as(x))
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(z).exp() * (z[1] - z[0])
    expected = (q * log_p).sum(1) - divergence(mean, log_variance)[:, 0]
    assert torch.allclose(prior.bound(x), expected, atol=0.02)


CASES = [
    (Bernoulli(), None, {"width": 4}),
    (Bernoulli(), 0.3, {"width": 4, "depth": 2}),
    (Bernoulli(), 0.3, {"kind": models.DenseVAE, "hidden": (8,)}),
    (Categorical(4), 0.2, {"width": 4, "shape": (3, 8, 8)}),
    (LogisticMixture(2), 0.2, {"width": 4}),
    (Normal(), None, {"width": 4}),
    (Normal(shared=True), None, {"width": 4, "shape": (3, 8, 8)}),
]


@pytest.mark.parametrize(("likelihood", "sigma", "rest"), CASES)
def test_the_score_is_the_slope_of_the_bound(likelihood, sigma, rest):
    """Central differences along 8 directions, through the encoder as well; and a row is its own."""
    made = network(likelihood, **rest)
    prior = priors.vae(made, sigma, draws=4)
    x, directions = 0.5 + 0.4 * normals(2, *made.image_shape), normals(8, 1, *made.image_shape, seed=1)
    eps = 1e-6
    with torch.no_grad():
        up, down = (torch.stack([prior.bound(x + sign * eps * d) for d in directions], 1) for sign in (1, -1))
        score = prior.score(x, x)
    along = (score[:, None] * directions.transpose(0, 1)).flatten(2).sum(2)
    assert torch.allclose(along, (up - down) / (2 * eps), rtol=1e-5, atol=1e-4)
    assert score.abs().min() > 0
    assert torch.allclose(prior.score(x[1:], x[1:])[0], score[1])


def test_over_seeds_it_is_the_evidence_lower_bound():
    """The mean over 200 sets of 2 points, against 4,000 independent draws."""
    made, x = network(width=4), (normals(3, *IMAGE) > 0).double()
    with torch.no_grad():
        bounds = torch.stack([priors.vae(made, draws=2, seed=seed).bound(x) for seed in range(200)])
        mean, log_variance = made.encode(x)
        z = mean + (0.5 * log_variance).exp() * normals(4000, 1, 3, seed=9)
        log_p = Bernoulli().log_prob(made.decode(z.flatten(0, 1)), x.repeat(4000, 1, 1, 1)).view(4000, 3)
    truth = log_p.mean(0) - divergence(mean, log_variance).sum(1)
    assert_close(bounds.mean(0), truth, (bounds.var(0) / 200 + log_p.var(0) / 4000).sqrt())


def test_points_of_a_set_are_nearer_to_the_bound_than_independent_draws():
    """The variance over 50 sets of 8, against an eighth of that over single draws."""
    line, x = Line([3.0, -1.0], [0.5, 0.2]).eval(), torch.tensor([1.0, 0.0], dtype=torch.float64).view(1, 1, 1, 2)
    sets = torch.cat([priors.vae(line, draws=8, seed=seed).bound(x) for seed in range(50)])
    single = torch.cat([priors.vae(line, draws=1, seed=seed).bound(x) for seed in range(400)])
    assert sets.var() < 0.2 * single.var() / 8


def test_the_points_are_a_function_of_the_seed_alone():
    made, x = network(width=4), normals(4, *IMAGE)
    a = priors.vae(made, 0.3, seed=1)
    first = a.score(x, x)
    assert torch.equal(first, a.score(x, x))
    assert torch.equal(first, priors.vae(made, 0.3, seed=1).score(x, x))
    assert not torch.isclose(first, priors.vae(made, 0.3, seed=2).score(x, x)).all()
    assert a == priors.vae(made, 0.3, seed=1)  # what it keeps to be fast is not part of what it is
    single = priors.vae(made.float(), 0.3, seed=1).score(x.float(), x.float())
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), first, rtol=1e-3, atol=1e-3)


def test_it_is_a_ladder_and_no_density():
    made, x = network(width=4), normals(2, *IMAGE)
    prior = priors.vae(made)
    assert isinstance(prior, Ladder)
    assert not isinstance(prior, Density)
    assert torch.equal(prior.at(0.5).score(x, x), priors.vae(made, 0.5).score(x, x))
    assert prior.sigma is None


def test_nothing_of_the_network_is_changed():
    made, x = network(width=4), normals(2, *IMAGE)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    with torch.no_grad():
        score = priors.vae(made, 0.3).score(x, x)
    assert not score.requires_grad
    assert not x.requires_grad
    assert all(p.requires_grad and p.grad is None for p in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_errors():
    made = network(width=4)
    with pytest.raises(ValueError, match="network must be in eval mode"):
        priors.vae(network(width=4).train())
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        priors.vae(made, draws=0)
    with pytest.raises(ValueError, match="sigma must be positive and finite, got 0"):
        priors.vae(made, 0.0)
    with pytest.raises(ValueError, match="sigma must be positive and finite, got -1"):
        priors.vae(made).at(-1.0)
    with pytest.raises(ValueError, match=r"sigma must be given, as LogisticMixture\(components=2\) knows whole levels"):
        priors.vae(network(LogisticMixture(2), width=4))
    with pytest.raises(ValueError, match=r"sigma must be None, as Normal.* density of real numbers already, got 0\.1"):
        priors.vae(network(Normal(), width=4)).at(0.1)
