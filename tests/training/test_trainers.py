from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn

from ppgn import data, models, priors, training
from ppgn.random import per_step
from ppgn.training.classifier import shifted
from ppgn.training.ladder import _levels

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def test_a_classifier_learns_real_digits(small_digits, small_images):
    network = models.build(lambda: models.ConvClassifier((1, 8, 8), width=16, code=64), 0)
    trainer = training.classifier_trainer(network, learning_rate=training.cosine(3e-3, 1e-5, 500), shift=0)
    for metrics in islice(training.fit(trainer, data.batches(small_images, 64, 0), per_step(0)), 500):
        assert torch.isfinite(metrics["loss"])
    test = data.load(small_digits, "test")
    averaged = trainer.results["model"].eval()
    accuracy = (averaged(data.to_float(test.images)).argmax(1) == test.labels).float().mean()
    assert accuracy > 0.9


def test_shifts_move_each_image_by_whole_pixels():
    x = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    moved = shifted(x, 2, torch.Generator().manual_seed(1))
    padded = nn.functional.pad(x, (2, 2, 2, 2))
    seen = set()
    for i in range(40):
        found = [
            (r, c) for r in range(5) for c in range(5) if torch.equal(moved[i], padded[i, :, r : r + 8, c : c + 8])
        ]
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) > 12
    assert torch.equal(shifted(x, 0, torch.Generator()), x)


def test_a_denoiser_learns_the_score_of_a_mixture():
    """Codes at -2 and 2 (weights 1:3) under noise 1: the prior's score against the smoothed mixture's own."""
    sigma, n = 1.0, 4000
    codes = torch.where(torch.arange(n)[:, None] % 4 == 0, -2.0, 2.0)
    network = models.build(lambda: models.CodeDenoiser(1, (64, 64)), 0)
    trainer = training.dae_trainer(network, codes=codes, sigma=sigma, learning_rate=training.cosine(3e-3, 1e-5, 2500))
    rows = (codes[i] for i in data.index_batches(n, 256, 0))
    for _ in islice(training.fit(trainer, rows, per_step(0)), 2500):
        pass
    h = torch.linspace(-3, 3, 25)[:, None].requires_grad_()
    log_p = torch.logsumexp(
        torch.stack(
            [torch.log(torch.tensor(w)) - (h - m) ** 2 / (2 * sigma**2) for w, m in ((0.25, -2.0), (0.75, 2.0))]
        ),
        0,
    )
    (score,) = torch.autograd.grad(log_p.sum(), h)
    ours = priors.dae(trainer.results["model"].eval(), sigma).score(h.detach(), torch.zeros(25, 1, 1, 1))
    relative = (ours - score).square().mean().sqrt() / score.square().mean().sqrt()
    assert relative < 0.05


def test_the_average_follows_the_weights():
    """The first weights seen, then the exponential mean whose decay grows as (1 + n) / (10 + n) up to its own."""
    network = models.build(lambda: nn.Linear(1, 1), 0)
    averaged = training.average_of(network, 0.25)
    expected = None
    for n, value in enumerate((1.0, 2.0, -1.0, 5.0)):
        with torch.no_grad():
            network.weight.fill_(value)
        averaged.update_parameters(network)
        decay = min(0.25, (1 + n) / (10 + n))
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert averaged.module.weight.item() == pytest.approx(expected)


def test_dropout_follows_the_steps_seed(small_images):
    """Layers that draw from the global generator draw from the step's seed, and leave the global one as it was."""

    def run(start, steps):
        network = models.build(lambda: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 10)), 0)
        trainer = training.classifier_trainer(network, learning_rate=1e-3, shift=0)
        stream = training.fit(trainer, data.batches(small_images, 64, 0, start), per_step(0), start)
        return [m["loss"].item() for m in islice(stream, steps)]

    assert run(0, 1) == run(0, 1)
    assert run(0, 1) != run(1, 1)


def test_learning_rates_follow_their_schedule(small_images):
    network = models.build(lambda: models.ConvClassifier((1, 8, 8), width=2, code=4), 0)
    trainer = training.classifier_trainer(network, learning_rate=lambda step: 0.1 / (step + 1))
    seen = []
    for _ in islice(training.fit(trainer, data.batches(small_images, 8, 0), per_step(0)), 3):
        seen.append(trainer.optimizers["network"].param_groups[0]["lr"])
    assert seen == pytest.approx([0.1, 0.05, 0.1 / 3])


def test_cosine():
    rate = training.cosine(1.0, 0.1, steps=110, warmup=10)
    assert [rate(0), rate(9), rate(10), rate(60), rate(110), rate(500)] == pytest.approx(
        [0.1, 1.0, 1.0, 0.55, 0.1, 0.1]
    )


def test_sigma_must_be_positive():
    with pytest.raises(ValueError, match="sigma must be positive, got -1"):
        training.dae_trainer(models.build(lambda: models.CodeDenoiser(4), 0), codes=torch.zeros(3, 4), sigma=-1)


def ladder_steps(codes, steps, high=10.0):
    network = models.build(lambda: models.LadderDenoiser(codes.shape[1], width=64, blocks=2, dropout=0.0), 0)
    rate = training.cosine(3e-3, 1e-5, steps)
    trainer = training.ladder_trainer(network, codes=codes, sigma_min=0.1, sigma_max=high, learning_rate=rate)
    rows = (codes[i] for i in data.index_batches(len(codes), 256, 0))
    losses = [m["loss"].item() for m in islice(training.fit(trainer, rows, per_step(0)), steps)]
    return trainer.results["model"].eval().requires_grad_(False), losses


def test_a_ladder_learns_the_scores_of_a_mixture():
    """Codes at -2 and 2 (weights 1:3), at three levels between the ends."""
    codes = torch.where(torch.arange(4000)[:, None] % 4 == 0, -2.0, 2.0)
    network, losses = ladder_steps(codes, 1500)
    assert sum(losses[-100:]) < 0.5 * sum(losses[:10]) * 10
    h = torch.linspace(-3, 3, 25)[:, None]
    for sigma in (1.0, 2.0, 4.0):
        share = torch.sigmoid(torch.tensor(3.0).log() + 4 * h / sigma**2)
        score = (2 * (2 * share - 1) - h) / sigma**2
        ours = priors.dae(network, 0.1, conditional=True).at(sigma).score(h, torch.zeros(25, 1, 1, 1))
        relative = (ours - score).square().mean().sqrt() / score.square().mean().sqrt()
        assert relative < 0.05, (sigma, relative)


def test_a_ladder_can_do_no_better_than_linear_on_normal_codes():
    """The loss is 1 for the best linear denoiser, whose score of a normal density is exact; and stays there."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(4000, 3, generator=rng) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0, 0.3]])
    network, losses = ladder_steps(codes, 300)
    assert sum(losses) / len(losses) == pytest.approx(1, abs=0.03)
    covariance = torch.cov(codes.T)
    h = 2 * torch.randn(200, 3, generator=rng)
    for sigma in (0.3, 1.0, 3.0):
        score = -(h - codes.mean(0)) @ torch.linalg.inv(covariance + sigma**2 * torch.eye(3))
        ours = priors.dae(network, 0.1, conditional=True).at(sigma).score(h, torch.zeros(200, 1, 1, 1))
        assert (ours - score).square().mean().sqrt() / score.square().mean().sqrt() < 0.1, sigma


def test_levels_fill_their_range_evenly():
    sigma = _levels(torch.empty(1000, 2), 0.1, 10.0, torch.Generator().manual_seed(0)).log10()
    above = sigma - torch.linspace(-1, 1, 1001)[:-1]
    assert above.min() > -1e-6
    assert above.max() < 0.002 + 1e-6
    network = models.build(lambda: models.LadderDenoiser(2), 0)
    with pytest.raises(ValueError, match="0 < sigma_min < sigma_max is needed, got 2 and 1"):
        training.ladder_trainer(network, codes=torch.eye(2), sigma_min=2, sigma_max=1)
