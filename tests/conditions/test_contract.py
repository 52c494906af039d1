"""What every condition must do: its gradient, its rows, and nothing left on the networks it asks."""

from __future__ import annotations

import asked
import pytest
import torch

import ppgn
from ppgn import conditions, pretrained, records
from ppgn.conditions._parts import drawn
from ppgn.pretrained.sharing import parts
from ppgn.random import streams

NAMES = list(asked.every())
HELPERS = {"class_asked", "walk"}


def test_every_condition_is_here():
    """A new one has to be listed."""
    builders = {name for name in conditions.__all__ if name.islower()} - HELPERS
    assert builders <= {*NAMES, "unconditional", "text", "caption", "in_turn"}


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_differences(name):
    """To 1e-6 of the slope in double precision, through resize, crop, views and all, along four random ways."""
    condition, x = asked.every()[name], asked.images().requires_grad_()
    condition = drawn(condition, streams(0, asked.B), 1, x)
    (gradient,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    assert gradient.flatten(1).norm(dim=1).min() > 1e-6, "every row has to have a slope to be compared"
    for seed in range(4):
        way = torch.nn.functional.normalize(asked.numbers(*x.shape, seed=50 + seed) - 0.5, dim=(1, 2, 3))
        way = way + torch.nn.functional.normalize(gradient, dim=(1, 2, 3))  # so that no slope is nearly 0
        step = 1e-5
        with torch.no_grad():
            ahead, behind = (condition.log_prob(x + sign * step * way) for sign in (1, -1))
        expected = (gradient * way).flatten(1).sum(1)
        assert torch.allclose((ahead - behind) / (2 * step), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_rows_answer_for_themselves(name):
    condition, x = asked.every()[name], asked.images()
    index = torch.tensor([2, 0, 2])
    whole = condition.log_prob(x)
    assert whole.shape == (asked.B,)
    assert torch.allclose(condition.rows(index).log_prob(x[index]), whole[index], rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_on_a_network(name):
    condition, x = asked.every()[name], asked.images().requires_grad_()
    before = records.weights(condition)
    torch.autograd.grad(condition.log_prob(x).sum(), x)
    assert before, "its networks are found"
    assert records.weights(condition) == before
    for _, network in records.networks(condition):
        assert all(parameter.grad is None for parameter in network.parameters())
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
        assert not any(module.training for module in network.modules())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_comes_back(name):
    kept, x = parts.Kept(), asked.images()
    condition = asked.every()[name]
    again = parts.decode(parts.encode(condition, "condition", kept), kept)
    assert type(again) is type(condition)
    assert torch.equal(again.log_prob(x), condition.log_prob(x))


@pytest.mark.parametrize("make", [
    lambda c: conditions.class_label(c, 1), lambda c: ~conditions.class_label(c, 1),
    lambda c: conditions.mixture(c, [1, 2]), lambda c: conditions.unit(c, "head.0", 1),
    lambda c: conditions.unit(c, "", 1),
    lambda c: conditions.similar(c, torch.zeros(1, 28, 28), noise=1.0),
    lambda c: conditions.regression(lambda x: c(x), torch.zeros(1, 10), noise=1.0),
    lambda _: conditions.caption(pretrained.network("mnist", "captioner"), "a seven upright"),
    lambda _: conditions.inpaint(torch.zeros(1, 28, 28), ppgn.masks.square(28, 14)),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 28, 28)])
def test_images_of_another_shape_are_told_before_the_first_step(make, shape):
    """By their shape, whatever the network says of it."""
    generator = torch.nn.Unflatten(1, shape).eval()
    size = shape[0] * shape[1] * shape[2]
    pipeline = ppgn.Pipeline(
        generator, ppgn.priors.gaussian((size,)), make(ppgn.load("mnist").classifier), latent_shape=(size,)
    )
    with pytest.raises(
        ValueError, match=r"(must take images of shape|must have shape|image must be one) .*" + str(shape[1])
    ):
        ppgn.samplers.ula(pipeline, 0.1).init(torch.zeros(2, size))


def test_what_else_goes_wrong_in_a_network_is_its_own():
    def fails(x):
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        conditions.class_label(fails, 1).log_prob(asked.images())
