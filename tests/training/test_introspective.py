"""A discriminator that learns from its own samples: a closed form, a ring of modes, digits, and the parts."""

from __future__ import annotations

import math
from functools import partial
from itertools import islice

import pytest
import resuming
import torch
from targets import assert_close
from torch import nn

import ppgn
from ppgn import data, models, priors, samplers, training
from ppgn.conditions import realism
from ppgn.data import Batch
from ppgn.random import per_step, streams
from ppgn.training.introspective import introspective_trainer

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
POINT = (1, 1, 2)  # two numbers as an image of two pixels
ANGLES = torch.arange(8) * math.pi / 4
MODES = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)


def same(h):
    return h


def mala(step_size):
    return partial(samplers.mala, step_size=step_size)


class Quadratic(nn.Module):
    """F(x) = b + u . x - |w x^2|: with a normal reference, an independent normal in every coordinate."""

    def __init__(self):
        super().__init__()
        self.b, self.u, self.w = (nn.Parameter(torch.zeros(n)) for n in ((), 2, 2))

    def forward(self, x):
        x = x.flatten(1)
        return self.b + x @ self.u - x.square() @ self.w


class Judge(nn.Module):
    """Points -> logits (B, 1)."""

    def __init__(self, width=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.layers(x)


def stream(draw, batch_size, seed=0):
    """Batches of points that `draw` (n, rng) -> (n, 2) gives."""
    for step in range(10**6):
        rng = per_step(seed)(step)
        yield Batch(draw(batch_size, rng).view(-1, *POINT), torch.zeros(batch_size, dtype=torch.int64))


def ring(n, rng):
    which = torch.randint(0, 8, (n,), generator=rng)
    return MODES[which] + 0.1 * torch.randn(n, 2, generator=rng)


def energy_distance(a, b):
    """Between the laws of rows a (n, d) and b (m, d): unbiased, 0 if they are one (Szekely & Rizzo 2013)."""

    def within(rows):
        return torch.cdist(rows, rows).sum() / (len(rows) * (len(rows) - 1))

    return (2 * torch.cdist(a, b).mean() - within(a) - within(b)).item()


def learnt(trainer, batches, steps):
    """(the averaged network, the metrics of all steps)."""
    metrics = list(islice(training.fit(trainer, batches, per_step(0)), steps))
    return trainer.results["model"].eval(), metrics


@pytest.mark.parametrize("stage", [1, 20])
def test_a_normal_is_learnt_in_its_closed_form(stage):
    """p_0 = N(0, 1), data N(m, s^2): log p_data / p_0 has u = m / s^2 and w = (1 / s^2 - 1) / 2."""
    mean, sd, steps, batch = torch.tensor([0.6, -0.3]), torch.tensor([0.6, 0.8]), 250, 200
    trainer = introspective_trainer(
        Quadratic(), same, priors.gaussian(POINT), mala(0.15), stage=stage, moves=2, pool=400,
        learning_rate=training.cosine(0.1, 0.003, steps), average=0.98,
    )  # fmt: skip
    network, metrics = learnt(
        trainer, stream(lambda n, rng: mean + sd * torch.randn(n, 2, generator=rng), batch), steps
    )
    # what the last steps' images alone would tell: the averages and the falling rate look back on about 50 of them
    n = 50 * batch
    variance = 1 / (1 + 2 * network.w.detach())
    assert_close(variance * network.u.detach(), mean, sd * (2 / n) ** 0.5)
    assert_close(variance, sd**2, sd**2 * (4 / n) ** 0.5)
    assert metrics[-1]["loss"].item() == pytest.approx(2 * math.log(2), abs=0.02)


def test_the_best_logit_of_a_stage_leads_to_the_data():
    """A first stage that never ends: chains stay draws of p_0, so D is the classifier against it, and p_0 D / (1 - D)
    is the data's normal at once."""
    mean, sd, steps, batch = torch.tensor([0.6, -0.3]), torch.tensor([0.6, 0.8]), 300, 200
    trainer = introspective_trainer(
        Quadratic(), same, priors.gaussian(POINT), mala(0.5), stage=10**9, moves=1,
        learning_rate=training.cosine(0.1, 0.003, steps), average=0.98,
    )  # fmt: skip
    draw = stream(lambda n, rng: mean + sd * torch.randn(n, 2, generator=rng), batch)
    network, metrics = learnt(trainer, draw, steps)
    pool = trainer.modules["pool"].codes.flatten(1)
    assert_close(pool.mean(0), torch.zeros(2), 1 / len(pool) ** 0.5)
    assert_close(pool.var(0), torch.ones(2), (2 / len(pool)) ** 0.5)
    n = 50 * batch
    variance = 1 / (1 + 2 * network.w.detach())
    assert_close(variance * network.u.detach(), mean, sd * (4 / n) ** 0.5)
    assert_close(variance, sd**2, sd**2 * (8 / n) ** 0.5)
    assert metrics[-1]["loss"] < 2 * math.log(2) - 0.15
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    normals = [torch.distributions.Normal(m, s) for m, s in zip(mean.double(), sd.double(), strict=True)]
    for i, normal in enumerate(normals):  # the offset too: p_0 e^F is normalised
        log_ratio = normal.log_prob(x) - torch.distributions.Normal(0.0, 1.0).log_prob(x)
        found = network.u[i].double() * x - network.w[i].double() * x**2
        assert (log_ratio - log_ratio[10_000] - found)[9000:11_000].abs().max() < 0.1


@pytest.mark.slow
def test_a_ring_of_eight_modes_is_found():
    """All modes have their share, and the distance to data falls to less than a fifth of noise's.

    It stays above that of two sets of data: so few steps learn the ring, not its every detail.
    """
    trainer = introspective_trainer(
        models.build(Judge, 0), same, priors.gaussian(POINT), mala(0.02), stage=5, pool=500,
        learning_rate=training.cosine(1e-2, 5e-4, 400), average=0.98,
    )  # fmt: skip
    network, _ = learnt(trainer, stream(ring, 200), 400)
    pipeline = ppgn.Pipeline(same, priors.gaussian(POINT), realism(network), latent_shape=POINT)
    start = pipeline.prior.sample(2000, streams(5, 2000)).float()
    chain = samplers.chain(samplers.mala(pipeline, 0.02), start, streams(6, 2000))
    made = next(islice(chain, 300, None)).h.flatten(1)
    real = [ring(2000, torch.Generator().manual_seed(100 + i)) for i in range(6)]
    distance = torch.tensor([energy_distance(made, a) for a in real]).mean()
    began = torch.tensor([energy_distance(start.flatten(1), a) for a in real]).mean()
    assert distance < 0.2 * began
    nearest, mode = torch.cdist(made, MODES).min(1)
    counts = torch.bincount(mode[nearest < 0.4], minlength=8)
    assert counts.min() > 150, counts


@pytest.mark.slow
def test_digits_from_noise(small_images):
    """Noise is 20 times as far from the digits as two parts of them from each other, the chains at most 5 times."""
    steps = 160
    network = models.build(lambda: models.DCGANDiscriminator((1, 8, 8), (32, 64)), 0)
    trainer = introspective_trainer(
        network, torch.sigmoid, priors.gaussian((1, 8, 8), std=1.5), partial(samplers.ula, step_size=0.03),
        stage=1, pool=300, moves=8, learning_rate=training.cosine(2e-3, 1e-4, steps), average=0.98,
    )  # fmt: skip
    start = torch.sigmoid(trainer.modules["pool"].codes).flatten(1)
    _, metrics = learnt(trainer, data.batches(small_images, 50, 0), steps)
    made = torch.sigmoid(trainer.modules["pool"].codes).flatten(1)
    real = data.to_float(small_images.images).flatten(1)
    floor = energy_distance(real[:300], real[750:1050])
    assert energy_distance(start, real) > 20 * floor
    assert energy_distance(made, real) < 5 * floor
    assert all(torch.isfinite(value) for step in metrics for value in step.values())


@pytest.mark.parametrize("norm", ["none", "spectral"])
def test_resumed_at_the_same_bits(norm, tmp_path, small_images):
    def make():
        network = models.build(lambda: models.DCGANDiscriminator((1, 8, 8), (4, 8), norm), 1)
        return introspective_trainer(
            network, torch.sigmoid, priors.gaussian((1, 8, 8)), mala(0.01), moves=2, pool=40, stage=3, restart=0.2,
            r1=0.1,
        )  # fmt: skip

    resuming.ends_at_the_same_bits(make, lambda k: data.batches(small_images, 16, 0, k), tmp_path)


def test_a_step_by_hand():
    """The chains are walked on F_t, then F learns the logistic loss of F - F_t: half the likelihood's slope."""
    network = models.build(Judge, 0)
    trainer = introspective_trainer(network, same, priors.gaussian(POINT), mala(0.1), moves=3, pool=64, r1=0.3)
    batch = next(stream(ring, 32))
    before = trainer.modules["pool"].codes.clone()
    (metrics,) = training.fit(trainer, [batch], per_step(3))
    after = trainer.modules["pool"].codes
    changed = (after != before).flatten(1).any(1)
    assert changed.sum() <= 32
    assert changed.sum() > 20
    twin = models.build(Judge, 0)
    real = batch.images.clone().requires_grad_()
    slope = torch.autograd.grad(twin(real).sum(), real)[0].flatten(1).square().sum(1).mean().item()
    assert metrics["loss"].item() == pytest.approx(2 * math.log(2))
    assert metrics["penalty"].item() == pytest.approx(0.15 * slope, rel=1e-5)
    assert (metrics["real"].item(), metrics["made"].item()) == (0, 0)
    rows = torch.randperm(64, generator=per_step(3)(0))[:32]
    move = (after[rows] - before[rows]).square().mean().sqrt()
    assert metrics["moved"].item() == pytest.approx(move.item(), rel=1e-5)
    (known,) = torch.autograd.grad(
        0.5 * (twin(after[rows]).mean() - twin(batch.images).mean()), [twin.layers[1].weight], retain_graph=True
    )
    real = batch.images.clone().requires_grad_()
    penalty = 0.15 * torch.autograd.grad(twin(real).sum(), real, create_graph=True)[0].flatten(1).square().sum(1).mean()
    (steeper,) = torch.autograd.grad(penalty, [twin.layers[1].weight])
    assert torch.allclose(network.layers[1].weight.grad, known + steeper, atol=1e-6)


def test_the_frozen_network_is_replaced_at_each_stage():
    trainer = introspective_trainer(
        models.build(Judge, 0), same, priors.gaussian(POINT), mala(0.1), moves=1, pool=64, stage=3
    )
    seen = []
    for _ in islice(training.fit(trainer, stream(ring, 32), per_step(0)), 7):
        seen.append([trainer.modules[name].layers[1].weight.clone() for name in ("before", "discriminator")])
    frozen, learning = zip(*seen, strict=True)
    assert torch.equal(frozen[0], frozen[2])
    assert torch.equal(frozen[3], learning[2])
    assert torch.equal(frozen[6], learning[5])
    assert not torch.equal(frozen[3], frozen[6])


def test_restarted_chains_are_draws_of_the_reference():
    """With all of them begun anew and steps of nothing, what is left in the pool are new draws of N(5, 1)."""
    reference = priors.gaussian(POINT, mean=5.0)
    trainer = introspective_trainer(
        models.build(Judge, 0), same, reference, partial(samplers.ula, step_size=1e-12), moves=1, pool=500, restart=1.0
    )
    before = trainer.modules["pool"].codes.clone()
    next(training.fit(trainer, stream(ring, 500), per_step(0)))
    after = trainer.modules["pool"].codes
    assert (after - before).abs().min() > 1e-5
    assert_close(after.mean((0, 1, 2)), 5.0, 1 / len(after) ** 0.5)


def test_in_bfloat16_nothing_is_rounded():
    def first(precision):
        trainer = introspective_trainer(
            models.build(Judge, 0), same, priors.gaussian(POINT), mala(0.1), moves=2, pool=64, stage=9, r1=0.2
        )
        return list(islice(training.fit(trainer, stream(ring, 32), per_step(0), precision=precision), 3))[-1]

    exact, asked = first(torch.float32), first(torch.bfloat16)
    assert {name: value.item() for name, value in exact.items()} == {name: v.item() for name, v in asked.items()}


def test_nothing_of_the_callers_is_changed():
    network = models.build(Judge, 0)
    trainer = introspective_trainer(network, same, priors.gaussian(POINT), mala(0.1), moves=1, pool=32)
    next(training.fit(trainer, stream(ring, 32), per_step(0)))
    assert all(p.requires_grad for p in network.parameters())
    assert trainer.results["model"] is trainer.modules["averaged"].module
    assert not any(p.requires_grad for p in trainer.modules["before"].parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"moves": 0}, "moves must be at least 1, got 0"),
        ({"pool": 0}, "pool must be at least 1, got 0"),
        ({"stage": 0}, "stage must be at least 1, got 0"),
        ({"restart": 1.5}, r"restart must lie in \[0, 1\], got 1.5"),
        ({"walk": samplers.rejection}, "walk must make a sampler that goes on, but rejection ends when it is done"),
    ],
)
def test_bad_arguments(options, message):
    options = {"walk": mala(0.1)} | options
    with pytest.raises(ValueError, match=message):
        introspective_trainer(models.build(Judge, 0), same, priors.gaussian(POINT), **options)


def test_a_batch_larger_than_the_pool():
    trainer = introspective_trainer(models.build(Judge, 0), same, priors.gaussian(POINT), mala(0.1), pool=10)
    with pytest.raises(ValueError, match="pool must hold a chain for every image of a batch, at least 32, got 10"):
        next(training.fit(trainer, stream(ring, 32), per_step(0)))
