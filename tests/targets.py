"""Cases with a known answer, shared by the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import ppgn
from ppgn.random import streams
from ppgn.types import Terms


def gaussian_target(precision: float):
    """h ~ N(0, 1/precision) as the prior alone: score -precision h, no condition."""

    def terms(h: Tensor) -> Terms:
        return Terms(torch.zeros(len(h), 1, 1, 1), -precision * h, torch.zeros_like(h), torch.zeros(len(h)))

    return terms


class LinearGenerator(nn.Module):
    """x = A h + b as images (B, 1, 2, 2)."""

    def __init__(self, a: Tensor, b: Tensor):
        super().__init__()
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)

    def forward(self, h: Tensor) -> Tensor:
        return (h @ self.a.T + self.b).view(-1, 1, 2, 2)


class LinearMap(nn.Module):
    """Images (B, 1, 2, 2) -> W x + c, as logits or as a code."""

    def __init__(self, w: Tensor, c: Tensor):
        super().__init__()
        self.w, self.c = nn.Parameter(w), nn.Parameter(c)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w.T + self.c


@dataclass(frozen=True)
class Linear:
    """A whole linear PPGN: code of 3, image of 4, 5 classes, with the arrays to compute it by hand."""

    a: Tensor
    b: Tensor
    w: Tensor
    c: Tensor
    r: Tensor
    s: Tensor

    def pipeline(self, label, **options) -> ppgn.Pipeline:
        generator = LinearGenerator(self.a, self.b).eval()
        classifier = LinearMap(self.w, self.c).eval()
        encoder = LinearMap(self.r, self.s).eval()
        condition = ppgn.conditions.class_label(classifier, label, **options)
        return ppgn.Pipeline(
            generator, ppgn.priors.joint(encoder), condition, classifier=classifier, latent_shape=(3,),
            sampler=lambda p: ppgn.samplers.mala_approx(p, 0.1, 0.2, 0.05),
        )  # fmt: skip


def linear(seed: int = 0, dtype: torch.dtype = torch.float64) -> Linear:
    rng = torch.Generator().manual_seed(seed)
    shapes = [(4, 3), (4,), (5, 4), (5,), (3, 4), (3,)]
    return Linear(*(torch.randn(shape, generator=rng, dtype=dtype) for shape in shapes))


class Counted(nn.Module):
    """A module that counts its calls."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x)


@dataclass(frozen=True)
class Logistic:
    """p(y | x) = sigmoid(k (x_1 - c)): with a normal prior, a posterior that quadrature knows to any digit."""

    k: float
    c: float

    def log_prob(self, x):
        return torch.nn.functional.logsigmoid(self.k * (x.flatten(1)[:, 0] - self.c))

    def rows(self, index):
        return self

    def truth(self, gamma=1.0):
        """(mean, standard deviation) of z_1 and the share with p(y | z) > 1/2."""
        z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
        w = (-0.5 * z**2 + gamma * torch.nn.functional.logsigmoid(self.k * (z - self.c))).softmax(0)
        mean = (w * z).sum()
        return mean.item(), (w * (z - mean) ** 2).sum().sqrt().item(), w[z > self.c].sum().item()


def logistic_posterior(condition, prior=None) -> ppgn.Pipeline:
    """Codes of two numbers as images of two pixels; the second is a nuisance that the condition does not see."""
    return ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 2), prior or ppgn.priors.gaussian((2,)), condition)


def normal_start(n: int, seed: int = 0, d: int = 2) -> Tensor:
    return streams(seed, n).normal(torch.empty(n, d, dtype=torch.float64), 0, "start")


@dataclass(frozen=True)
class Tilt:
    """log p(y | x) = log target(h) - log p(h) for images that are the codes: any density becomes a posterior."""

    prior: ppgn.types.Density
    log_density: Callable[[Tensor], Tensor]

    def log_prob(self, x):
        h = x.flatten(1)
        return self.log_density(h) - self.prior.log_prob(h)

    def rows(self, index):
        return self


def posterior_of(log_density, std: Tensor) -> ppgn.Pipeline:
    """The pipeline whose posterior is that density of codes (B, D), with the prior N(0, std^2)."""
    prior = ppgn.priors.gaussian(tuple(std.shape), std=std)
    return ppgn.Pipeline(
        lambda h: h.reshape(len(h), 1, 1, -1), prior, Tilt(prior, log_density), latent_shape=tuple(std.shape)
    )


def drawn(pipeline: ppgn.Pipeline, n: int, seed: int = 0) -> Tensor:
    """Codes of the prior, double precision: where walks begin."""
    return pipeline.prior.sample(n, streams(seed, n)).double()


def autoregression(k: int, n: int, rho: float) -> Tensor:
    """(k, n) steps of n chains x' = rho x + noise, of N(0, 1): worth k n (1 - rho) / (1 + rho) draws, R-hat 1."""
    rng = torch.Generator().manual_seed(0)
    x = [torch.randn(n, generator=rng)]
    for _ in range(k - 1):
        x.append(rho * x[-1] + (1 - rho**2) ** 0.5 * torch.randn(n, generator=rng))
    return torch.stack(x)


def assert_close(value, truth, error, errors: float = 4.0):
    """Within so many standard errors, number by number."""
    z = (torch.as_tensor(value) - torch.as_tensor(truth)).abs() / torch.as_tensor(error)
    assert bool((z < errors).all()), f"up to {z.max().item():.1f} standard errors off: {value}, not {truth}"


def assert_moments(h: Tensor, mean, variance, errors: float = 4.0):
    """Means and variances of independent normal draws h (n, ...)."""
    n, mean, variance = len(h), torch.as_tensor(mean), torch.as_tensor(variance)
    assert_close(h.mean(0), mean, (variance / n).sqrt(), errors)
    assert_close(h.var(0), variance, variance * (2 / (n - 1)) ** 0.5, errors)
