"""The losses of a GAN on densities whose best discriminator is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ppgn.training.gan_losses import (
    HINGE,
    LOSSES,
    MINIMAX,
    NON_SATURATING,
    RELATIVISTIC,
    gradient_penalty,
    hinge,
    logistic,
)

P, Q = torch.tensor([4, 3, 1]), torch.tensor([1, 1, 6])  # of 8 each


def over(logits):
    """The logits of a sample that has exactly the shares of P, and of one that has those of Q."""
    return logits.repeat_interleave(P), logits.repeat_interleave(Q)


@pytest.fixture
def densities():
    return P.double() / 8, Q.double() / 8


def test_the_minimax_value_is_the_jensen_shannon_divergence(densities):
    p, q = densities
    best = (p / q).log()
    middle = (p + q) / 2
    jsd = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    value = -logistic(*over(best))
    assert value.item() == pytest.approx((2 * jsd - 2 * math.log(2)).item(), rel=1e-12)


def test_the_best_discriminators_gradient_is_zero(densities):
    p, q = densities
    best = (p / q).log().requires_grad_()
    (gradient,) = torch.autograd.grad(logistic(*over(best)), best)
    assert gradient.abs().max() < 1e-15
    for other in torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)):
        assert logistic(*over(best + other)) > logistic(*over(best))


def test_the_best_hinge_is_the_total_variation(densities):
    p, q = densities
    best = (p - q).sign()
    assert hinge(*over(best)).item() == pytest.approx(2 - (p - q).abs().sum().item())
    for other in torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)):
        assert hinge(*over(best + other)) >= hinge(*over(best)) - 1e-12


def test_on_equal_densities_every_logistic_loss_knows_nothing():
    nothing = torch.zeros(7)
    assert MINIMAX.discriminator(nothing, nothing).item() == pytest.approx(2 * math.log(2))
    assert NON_SATURATING.discriminator(nothing, nothing).item() == pytest.approx(2 * math.log(2))
    assert NON_SATURATING.generator(nothing, nothing).item() == pytest.approx(math.log(2))
    assert MINIMAX.generator(nothing, nothing).item() == pytest.approx(-math.log(2))
    assert RELATIVISTIC.discriminator(nothing, nothing).item() == pytest.approx(math.log(2))
    assert HINGE.discriminator(nothing, nothing).item() == 2


@pytest.mark.parametrize("logit", [-30.0, -1.0, 0.0, 2.0])
def test_gradients_by_the_logit_of_a_made_image(logit):
    """Saturating: -D; non-saturating: -(1 - D), which is -1 where D is sure; hinge: -1 everywhere."""
    d = 1 / (1 + math.exp(-logit))
    known = {"minimax": -d, "non-saturating": d - 1, "hinge": -1.0, "relativistic": d - 1}
    for loss in LOSSES:
        made = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss.generator(torch.zeros(1, dtype=torch.float64), made), made)
        assert gradient.item() == pytest.approx(known[loss.name], rel=1e-12), loss.name


def test_where_the_discriminator_is_sure_only_one_gradient_is_left():
    made = torch.tensor([-40.0], requires_grad=True)
    vanished, kept = (torch.autograd.grad(loss.generator(made, made), made)[0] for loss in (MINIMAX, NON_SATURATING))
    assert abs(vanished.item()) < 1e-15
    assert kept.item() == pytest.approx(-1)


def test_the_relativistic_loss_pairs_and_has_no_zero():
    """By hand on two pairs, and the same when all logits are raised."""
    real, made = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 3.0])
    by_hand = (math.log1p(math.exp(-1)) + math.log1p(math.exp(3))) / 2
    assert RELATIVISTIC.discriminator(real, made).item() == pytest.approx(by_hand)
    assert RELATIVISTIC.discriminator(real + 5, made + 5).item() == pytest.approx(by_hand)
    assert RELATIVISTIC.generator(made, real).item() == pytest.approx(by_hand)
    assert [loss.paired for loss in LOSSES] == [False, False, False, True]


def test_the_hinge_by_hand():
    assert hinge(torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])).item() == pytest.approx((0.5 + 1) / 2)
    assert HINGE.generator(torch.zeros(2), torch.tensor([-3.0, 1.0])).item() == pytest.approx(1)


def test_the_penalty_of_linear_and_quadratic_discriminators():
    """|w|^2 wherever it is, and |2 A x|^2, whose gradient by A is known too."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(50, 1, 2, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    w = torch.randn(6, generator=rng, dtype=torch.float64)
    assert gradient_penalty(x.flatten(1) @ w, x).item() == pytest.approx(w.square().sum().item())
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(a * x.flatten(1).square().sum(1), x)
    norms = x.detach().flatten(1).square().sum(1).mean().item()
    assert penalty.item() == pytest.approx(4 * 0.7**2 * norms)
    assert torch.autograd.grad(penalty, a)[0].item() == pytest.approx(8 * 0.7 * norms)


def test_the_penalty_reaches_the_weights():
    network = nn.Sequential(nn.Linear(3, 4, dtype=torch.float64), nn.Tanh(), nn.Linear(4, 1, dtype=torch.float64))
    with torch.no_grad():
        for i, p in enumerate(network.parameters()):
            p.copy_(torch.linspace(-1, 1 + i, p.numel(), dtype=torch.float64).reshape(p.shape))
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    weights = network[0].weight
    found = torch.autograd.grad(gradient_penalty(network(x).flatten(), x), weights)[0][1, 2].item()

    def at(step):
        with torch.no_grad():
            weights[1, 2] += step
        value = gradient_penalty(network(x).flatten(), x).item()
        with torch.no_grad():
            weights[1, 2] -= step
        return value

    assert found == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5, rel=1e-6)
