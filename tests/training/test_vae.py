"""Bounds of log p(x) on a model whose log p(x) is known, and the weights of the loss by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import pytest
import resuming
import torch
from torch import distributions, nn

from ppgn import data, models, training
from ppgn.data import Batch
from ppgn.models.evidence import divergence
from ppgn.models.gaussian_vae import VAE
from ppgn.models.likelihoods import LogisticMixture, Normal
from ppgn.random import per_step
from ppgn.training.vae import binarised, bound_terms, elbo, importance_bound, vae_trainer, weighted_kl

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
STD = 0.6


@dataclass(frozen=True)
class KnownStd:
    """N(x; parameters, STD^2)."""

    def log_prob(self, parameters, x):
        return distributions.Normal(parameters, STD).log_prob(x).flatten(1).sum(1)


class LinearNormal(nn.Module):
    """x = W z + b + STD e with columns of W at right angles, so that p(z | x) is N of independent units.

    bias, wider: how far q is off the true posterior, in standard deviations and as a factor
    """

    def __init__(self, bias=0.0, wider=1.0):
        super().__init__()
        self.likelihood = KnownStd()
        columns = torch.linalg.qr(torch.randn(6, 2, generator=rng(3), dtype=torch.float64))[0]
        self.w, self.b = columns * torch.tensor([2.0, 0.5]), torch.linspace(-1, 1, 6, dtype=torch.float64)
        self.std = (1 + self.w.square().sum(0) / STD**2) ** -0.5  # of the posterior
        self.bias, self.wider = bias, wider

    def encode(self, x):
        mean = (x.flatten(1) - self.b) @ self.w / STD**2 * self.std**2
        log_variance = 2 * (self.wider * self.std).log().expand_as(mean)
        return mean + self.bias * self.std, log_variance

    def decode(self, z):
        return (z @ self.w.T + self.b).reshape(-1, 1, 2, 3)

    def log_prob(self, x):
        covariance = self.w @ self.w.T + STD**2 * torch.eye(6, dtype=torch.float64)
        return distributions.MultivariateNormal(self.b, covariance).log_prob(x.flatten(1))

    def gap(self):
        """KL(q || p(z | x)) in nats, the same for every x."""
        return 2 * 0.5 * (self.bias**2 + self.wider**2 - 1 - 2 * math.log(self.wider))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=4):
    return 1.5 * torch.randn(n, 1, 2, 3, generator=rng(8), dtype=torch.float64)


def mean_and_error(draws):
    return draws.mean(0), draws.std(0) / len(draws) ** 0.5


@pytest.mark.parametrize("model", [LinearNormal(), LinearNormal(0.3, 1.2)], ids=["true posterior", "another q"])
def test_the_elbo_is_log_p_less_the_divergence_of_q(model):
    x = images()
    repeated = x.repeat(5000, 1, 1, 1)
    mean, error = mean_and_error(elbo(model, repeated, rng()).reshape(5000, 4))
    assert ((mean - model.log_prob(x) + model.gap()).abs() < 4 * error).all()


@pytest.mark.parametrize("samples", [1, 7])
def test_with_the_true_posterior_the_importance_bound_is_log_p(samples):
    model, x = LinearNormal(), images()
    assert torch.allclose(importance_bound(model, x, samples, rng()), model.log_prob(x), atol=1e-10, rtol=0)


def test_the_importance_bound_tightens_with_its_samples():
    """At one sample it is the ELBO, which is checked by its mean; the gap falls to nothing."""
    model, x = LinearNormal(0.5, 1.3), images()
    exact, repeated = model.log_prob(x), x.repeat(1000, 1, 1, 1)
    means = []
    for samples in (1, 5, 50):
        mean, error = mean_and_error(importance_bound(model, repeated, samples, rng(samples)).reshape(1000, 4))
        means.append((mean - exact).mean().item())
        assert (mean - 4 * error < exact).all()
        if samples == 1:
            assert ((mean - exact + model.gap()).abs() < 4 * error).all()
    assert means[0] < means[1] - 0.1 < means[2] - 0.1
    assert means[2] == pytest.approx(0, abs=0.02)
    assert torch.allclose(importance_bound(model, x, 5000, rng()), exact, atol=0.05)


def test_the_importance_bound_is_the_mean_of_the_weights():
    """By hand from the same draws, with torch's own densities; however many are decoded at a time."""
    model, x = LinearNormal(0.5, 1.3), images()
    mean, log_variance = model.encode(x)
    generator = rng(1)
    log_weights = []
    for _ in range(30):
        z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        log_p = distributions.Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(1)
        log_q = distributions.Normal(mean, (log_variance / 2).exp()).log_prob(z).sum(1)
        log_weights.append(KnownStd().log_prob(model.decode(z), x) + log_p - log_q)
    known = torch.stack(log_weights).exp().mean(0).log()
    for chunk in (1, 28, 2000):
        assert torch.allclose(importance_bound(model, x, 30, rng(1), chunk), known, atol=1e-10), chunk


def test_the_divergence_is_that_of_torch():
    mean, log_variance = torch.randn(2, 5, 3, generator=rng(), dtype=torch.float64)
    known = distributions.kl_divergence(
        distributions.Normal(mean, (log_variance / 2).exp()), distributions.Normal(torch.zeros_like(mean), 1.0)
    )
    assert torch.allclose(divergence(mean, log_variance), known)


def test_free_bits_and_beta_by_hand():
    """Units of mean 2 and 0.3 nats: under 0.5 free nats the second, not each image, costs 0.5, and has no gradient."""
    kl = torch.tensor([[0.4, 0.0], [3.6, 0.6]], requires_grad=True)
    assert weighted_kl(kl, 1.0, 0.0).item() == pytest.approx(2.3)
    loss = weighted_kl(kl, 4.0, 0.5)
    assert loss.item() == pytest.approx(4 * 2.5)
    (gradient,) = torch.autograd.grad(loss, kl)
    assert torch.equal(gradient, torch.tensor([[2.0, 0.0], [2.0, 0.0]]))


def network(**options):
    return models.build(lambda: VAE((1, 8, 8), latent=4, width=8, **options), 0)


def fitted(small_images, steps, precision=torch.float32, likelihood=None, **options):
    made = network() if likelihood is None else network(likelihood=likelihood)
    trainer = vae_trainer(made, **options)
    stream = training.fit(trainer, data.batches(small_images, 64, 0), per_step(0), precision=precision)
    return trainer, list(islice(stream, steps))


def test_the_loss_is_the_negative_elbo(small_images):
    _, (metrics,) = fitted(small_images, 1)
    log_likelihood, kl = bound_terms(network(), next(data.batches(small_images, 64, 0)).images, per_step(0)(0))
    assert metrics["loss"].item() == pytest.approx((kl.sum(1) - log_likelihood).mean().item(), rel=1e-5)
    assert metrics["loss"].item() == pytest.approx(-metrics["elbo"].item(), rel=1e-6)
    assert metrics["kl"].item() == pytest.approx(kl.sum(1).mean().item(), rel=1e-5)
    assert metrics["active"].item() == (kl.mean(0) > 0.01).sum()


def test_beta_warms_up_linearly(small_images):
    _, all_metrics = fitted(small_images, 6, warmup=4, beta=2.0, learning_rate=0.0)
    for metrics, weight in zip(all_metrics, (0.5, 1.0, 1.5, 2.0, 2.0, 2.0), strict=True):
        known = -metrics["elbo"] + (weight - 1) * metrics["kl"]
        assert metrics["loss"].item() == pytest.approx(known.item(), rel=1e-5)


def test_images_are_binarised_anew_in_each_step():
    x = torch.full((1, 1, 100, 100), 0.3)
    one, other = binarised(x, rng(0)), binarised(x, rng(1))
    assert set(one.unique().tolist()) == {0.0, 1.0}
    assert one.mean().item() == pytest.approx(0.3, abs=4 * (0.21 / 10**4) ** 0.5)
    assert not torch.equal(one, other)
    assert torch.equal(one, binarised(x, rng(0)))
    seen = []
    made = network()
    made.encoder.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    batch = Batch(torch.full((3, 1, 8, 8), 0.5), torch.zeros(3))
    list(training.fit(vae_trainer(made, binarise=True), [batch, batch], per_step(0)))
    assert all(set(x.unique().tolist()) == {0.0, 1.0} for x in seen)
    assert not torch.equal(seen[0], seen[1])


def test_it_beats_pixels_drawn_by_themselves(small_images):
    """Black and white digits in nats: the ELBO against the best model without a code, the entropy of each pixel."""
    x = (data.to_float(small_images.images) > 0.5).float()
    mean = x.mean(0).clamp(1e-6, 1 - 1e-6)
    alone = (mean * mean.log() + (1 - mean) * (1 - mean).log()).sum().item()
    made = models.build(lambda: VAE((1, 8, 8), latent=4, width=16), 0)
    trainer = vae_trainer(made, learning_rate=training.cosine(5e-3, 1e-4, 110), warmup=50, average=0.9)
    rows = (Batch(x[i], small_images.labels[i]) for i in data.index_batches(len(x), 48, 0))
    for _ in islice(training.fit(trainer, rows, per_step(0)), 110):
        pass
    bound = elbo(trainer.results["model"], x, rng(2)).mean().item()
    assert bound > alone + 2
    assert importance_bound(trainer.results["model"], x[:100], 20, rng(3)).mean() > alone + 2


@pytest.mark.parametrize("likelihood", [Normal(), Normal(shared=True), LogisticMixture(2)], ids=repr)
def test_other_likelihoods_are_learned(small_images, likelihood):
    _, metrics = fitted(small_images, 40, learning_rate=3e-3, likelihood=likelihood)
    assert metrics[-1]["elbo"] > metrics[0]["elbo"] + 20


def test_in_bfloat16_bounds_are_float32(small_images):
    _, (exact,) = fitted(small_images, 1)
    _, (rounded,) = fitted(small_images, 1, torch.bfloat16)
    assert rounded["loss"].dtype == torch.float32
    assert rounded["loss"].item() == pytest.approx(exact["loss"].item(), rel=0.01)


def test_resumed_at_the_same_bits(tmp_path, small_images):
    """Cut within the warm-up, which goes on where it was."""

    def make():
        return vae_trainer(network(), warmup=7, free_bits=0.1, binarise=True)

    resuming.ends_at_the_same_bits(make, lambda k: data.batches(small_images, 16, 0, k), tmp_path)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"must not be negative, got 1.0, -1 and 0"):
        vae_trainer(network(), free_bits=-1)
    with pytest.raises(ValueError, match=r"binarise needs a Bernoulli likelihood, got Normal\("):
        vae_trainer(network(likelihood=Normal()), binarise=True)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        importance_bound(LinearNormal(), images(), 0, rng())
