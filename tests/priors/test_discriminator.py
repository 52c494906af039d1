"""The discriminator's prior: for known densities of data and generator, its codes are those of the data."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import pytest
import torch
from targets import LinearGenerator, Logistic, assert_close, assert_moments
from torch import nn
from torch.distributions import MultivariateNormal, Normal

import ppgn
from ppgn import models, priors, samplers
from ppgn.random import streams
from ppgn.types import Density

WEIGHTS, MEANS, SDS = torch.tensor([[0.3, 0.7], [-1.2, 1.0], [0.5, 0.6]], dtype=torch.float64)
SCALE = 1.7  # of the one-dimensional generator, x = 1.7 h


def log_data(x):
    """log p_data of one number (N,): two normals."""
    return (WEIGHTS.log() + Normal(MEANS, SDS).log_prob(x[:, None])).logsumexp(1)


def best_logit(x):
    """log p_data / p_G of images of one pixel."""
    x = x.flatten()
    return log_data(x) - Normal(0.0, SCALE).log_prob(x)


def line(h):
    return SCALE * h.view(-1, 1, 1, 1)


def on_a_line(ceiling=math.inf, condition=None):
    prior = priors.discriminator(best_logit, line, priors.gaussian((1,)), ceiling=ceiling)
    return ppgn.Pipeline(line, prior, condition or ppgn.conditions.unconditional(), latent_shape=(1,))


def truth(log_density):
    """(mean, variance, share above 0) of a density of one number, by quadrature."""
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    weight = log_density(x).softmax(0)
    mean = (weight * x).sum()
    return mean, (weight * (x - mean) ** 2).sum(), weight[x > 0].sum()


def assert_follows(x, log_density):
    mean, variance, above = truth(log_density)
    n = len(x)
    assert_close(x.mean(), mean, (variance / n).sqrt())
    fourth = ((x - x.mean()) ** 4).mean()
    assert_close(x.var(), variance, ((fourth - x.var() ** 2) / n).sqrt())
    assert_close((x > 0).double().mean(), above, (above * (1 - above) / n).sqrt())


def walked(pipeline, n, steps, seed=0, step_size=0.1):
    start = streams(seed, n).normal(torch.empty(n, *pipeline.latent_shape, dtype=torch.float64), 0, "start")
    walk = samplers.chain(samplers.mala(pipeline, step_size), start, streams(seed, n))
    return next(islice(walk, steps, None))


def test_the_walk_through_the_generator_follows_the_data():
    state = walked(on_a_line(), 4000, 300)
    assert_follows(state.terms.image.flatten(), log_data)


def test_under_a_ceiling_it_follows_what_is_stated():
    m = 0.3

    def stated(x):
        logit = best_logit(x)
        return Normal(0.0, SCALE).log_prob(x) + nn.functional.logsigmoid(logit - m)

    mean, _, _ = truth(stated)
    assert (mean - truth(log_data)[0]).abs() > 0.12  # it would be seen
    assert_follows(walked(on_a_line(m), 4000, 300).terms.image.flatten(), stated)


def test_a_condition_goes_on_top():
    condition = Logistic(k=3.0, c=0.4)
    state = walked(on_a_line(condition=condition), 4000, 300)
    assert_follows(state.terms.image.flatten(), lambda x: log_data(x) + nn.functional.logsigmoid(3.0 * (x - 0.4)))


def test_in_two_dimensions_normals_become_normals():
    """x = A h + b is N(b, A A^T); the data are N(m, S)."""
    n = 4000
    a, b = torch.tensor([[1.2, 0.3], [-0.4, 0.9]]).double(), torch.tensor([0.5, -0.5]).double()
    data = MultivariateNormal(torch.tensor([0.2, 0.1]).double(), torch.tensor([[0.5, 0.2], [0.2, 0.4]]).double())
    made = MultivariateNormal(b, a @ a.T)

    def generator(h):
        return (h @ a.T + b).view(-1, 1, 1, 2)

    def logit(x):
        return data.log_prob(x.flatten(1)) - made.log_prob(x.flatten(1))

    prior = priors.discriminator(logit, generator, priors.gaussian((2,)), ceiling=math.inf)
    x = walked(ppgn.Pipeline(generator, prior, latent_shape=(2,)), n, 200).terms.image.flatten(1)
    assert_moments(x, data.mean, data.variance)
    off = (x - data.mean).prod(1)
    assert_close(off.mean(), 0.2, off.std() / n**0.5)


def test_draws_by_rejection_follow_the_data_and_a_walk_leaves_them_so():
    n, m = 4000, 6.0  # the logit is below 1.3: the factor that is left, 1 / (1 + e^(logit - m)), is above 0.99
    pipeline = on_a_line(m)

    def stated(x):
        return Normal(0.0, SCALE).log_prob(x) + nn.functional.logsigmoid(best_logit(x) - m)

    h = pipeline.prior.sample(n, streams(1, n))
    assert_follows(SCALE * h[:, 0], stated)
    walk = samplers.chain(samplers.mala(pipeline, 0.1), h, streams(2, n))
    assert_follows(SCALE * next(islice(walk, 5, None)).h[:, 0], stated)


def test_score_is_the_gradient_of_log_prob():
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 3, generator=rng, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    generator = LinearGenerator(a, b).eval()
    network = models.build(lambda: models.DCGANDiscriminator((1, 2, 2), (4,)), 0).double().eval()
    h = torch.randn(5, 3, generator=rng, dtype=torch.float64)
    for ceiling in (math.inf, 0.1):
        prior = priors.discriminator(network, generator, priors.gaussian((3,), 0.5, 2.0), ceiling=ceiling)
        leaf = h.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(prior.log_prob(leaf).sum(), leaf)
        with torch.no_grad():  # as the pipeline calls it
            assert torch.allclose(prior.score(h, generator(h)), gradient)
    assert all(p.grad is None for p in network.parameters())
    expected = prior.base.log_prob(h) + 0.1 + nn.functional.logsigmoid(network(generator(h)) - 0.1)
    assert torch.allclose(prior.log_prob(h), expected)


def test_the_same_law_as_the_base_under_realism():
    prior = on_a_line().prior
    h = torch.linspace(-2, 2, 7, dtype=torch.float64)[:, None]
    other = ppgn.Pipeline(line, prior.base, ppgn.conditions.realism(best_logit))
    terms, theirs = on_a_line()(h), other(h)
    assert torch.allclose(terms.prior, theirs.prior + theirs.condition)
    assert torch.allclose(prior.log_prob(h), prior.base.log_prob(h) + theirs.log_condition)


def test_draws_are_their_chains_own():
    prior = on_a_line(2.0).prior
    assert isinstance(prior, Density)
    whole, other = prior.sample(8, streams(3, 8)), prior.sample(8, streams(3, 8), step=1)
    assert torch.equal(whole[5:6], prior.sample(1, streams(3, 1, first=5)))
    assert not torch.isclose(whole, other).any()


def test_networks_are_called_in_their_own_precision(tmp_path):
    """Codes of the normal base are double, these networks are not; a run by name works and is told in its record."""
    generator = models.build(lambda: models.UpconvGenerator(4, (1, 8, 8), (8, 4)), 0).eval()
    network = models.build(lambda: models.DCGANDiscriminator((1, 8, 8), (4, 8)), 1).eval()
    prior = priors.discriminator(network, generator, ceiling=0.0)
    assert prior.base.latent_shape == (4,)
    samples = ppgn.sample(ppgn.Pipeline(generator, prior), 4, 6, 0, "mala", progress=False)
    assert samples.codes.dtype == torch.float32
    samples.save(tmp_path / "run")
    assert samples.record["prior"]["realism"]["discriminator"]["is"] == "DCGANDiscriminator"


def test_what_cannot_be_drawn_says_so(monkeypatch):
    with pytest.raises(ValueError, match=r"sample needs a finite ceiling.*start=prior.base"):
        on_a_line().prior.sample(2, streams(0, 2))
    prior = priors.discriminator(lambda x: x.flatten() * 0 - 30, line, priors.gaussian((1,)))
    with pytest.raises(RuntimeError, match=r"of 20480 draws.* 2 of 2 have none; the best chance was 6.3e-16 under ce"):
        prior.sample(2, streams(0, 2))
    started = replace(on_a_line(), start=priors.gaussian((1,)))
    assert ppgn.sample(started, 4, 3, 0, lambda p: samplers.mala(p, 0.1), progress=False).exact


def test_bad_input():
    generator = models.build(lambda: models.UpconvGenerator(4, (1, 8, 8), (8, 4)), 0)
    network = models.build(lambda: models.DCGANDiscriminator((1, 8, 8), (4, 8)), 1).eval()
    with pytest.raises(ValueError, match="generator must be in eval mode"):
        priors.discriminator(network, generator)
    with pytest.raises(ValueError, match="discriminator must be in eval mode"):
        priors.discriminator(network.train(), generator.eval())
    with pytest.raises(ValueError, match="base must be given, as function does not say its latent_shape"):
        priors.discriminator(best_logit, line)
    with pytest.raises(ValueError, match="ceiling must be a number of nats, or inf for none, got nan"):
        priors.discriminator(best_logit, line, priors.gaussian((1,)), ceiling=math.nan)
    prior = priors.discriminator(lambda x: x.flatten().detach(), line, priors.gaussian((1,)))
    with pytest.raises(ValueError, match="must be differentiable: the logit came without a graph"):
        prior.score(torch.zeros(2, 1), torch.zeros(2, 1, 1, 1))
