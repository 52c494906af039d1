from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import torch

import ppgn
from ppgn.conditions import class_label, in_turn, unconditional, views
from ppgn.random import streams


@dataclass(frozen=True)
class Pixel:
    """log p is a weight times the first pixel: its gradient says which condition a move followed."""

    weight: torch.Tensor

    def log_prob(self, x):
        return self.weight * x[:, 0, 0, 0]

    def rows(self, index):
        return Pixel(self.weight[index])


def pixels(*weights, rows=2):
    return [Pixel(torch.full((rows,), float(weight), dtype=torch.float64)) for weight in weights]


def pipeline(condition):
    return ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 1), ppgn.priors.none(), condition, latent_shape=(1,))


def moves(condition, steps, n=2):
    """What each move of pure ascent went by."""
    walk = ppgn.samplers.mala_approx(pipeline(condition), 0.0, 1.0, 0.0)
    codes = [
        s.h for s in itertools.islice(ppgn.samplers.chain(walk, torch.zeros(n, 1).double(), streams(0, n)), steps + 1)
    ]
    return torch.stack([after - before for before, after in itertools.pairwise(codes)])[:, :, 0]


def test_each_move_follows_the_condition_whose_turn_it_is():
    assert moves(in_turn(pixels(1, 10, 100), every=2), 9)[:, 0].tolist() == [1, 1, 10, 10, 100, 100, 1, 1, 10]
    assert moves(in_turn(pixels(1, 10), every=3, again=False), 9)[:, 0].tolist() == [1, 1, 1, 10, 10, 10, 10, 10, 10]
    assert moves(in_turn(pixels(5), every=1), 3)[:, 0].tolist() == [5, 5, 5]


def test_rows_keep_their_own_question_in_every_turn():
    weights = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]).double()
    condition = in_turn([Pixel(row) for row in weights], every=1)
    assert moves(condition, 4, n=3).tolist() == weights[[0, 1, 0, 1]].tolist()
    index = torch.tensor([2, 0])
    assert moves(condition.rows(index), 2).tolist() == weights[:, index].tolist()


def test_without_a_step_it_is_the_first():
    condition, x = in_turn(pixels(3, 7), every=1), torch.ones(2, 1, 1, 1).double()
    assert condition.log_prob(x).tolist() == [3, 3]
    assert condition.varies


def test_what_varies_inside_is_drawn_and_views_around_draw_apart():
    one, other = pixels(1, 2)
    inside = views(other, shift=1, n=1)
    condition, like, rng = in_turn([one, inside], every=4), torch.zeros(2, 1), streams(0, 2)
    assert condition.drawn(rng, 3, like) is one
    assert torch.equal(condition.drawn(rng, 4, like).offset, inside.drawn(rng, 4, like).offset)
    around = views(condition, shift=1, n=1)
    wide = torch.zeros(200, 1)
    seen = around.drawn(streams(0, 200), 4, wide)
    assert not torch.equal(seen.offset, seen.condition.offset)


def test_no_condition_may_have_a_turn():
    assert moves(in_turn([*pixels(1), unconditional()], every=1), 4)[:, 0].tolist() == [1, 0, 1, 0]


def test_a_walk_over_two_digits_goes_on_in_the_same_bits(digits):
    asked = in_turn([class_label(digits.classifier, label) for label in (1, 7)], every=3)
    target = digits.given(asked)
    whole = ppgn.sample(target, 2, 8, seed=0, progress=False)
    again = ppgn.sample(target, 2, 4, seed=0, progress=False).resume(target, 4, progress=False)
    assert torch.equal(again.codes, whole.codes)
    assert torch.equal(again.log_condition, whole.log_condition)
    assert whole.labels is None
    other = digits.given(in_turn(asked.conditions, every=2))
    with pytest.raises(ValueError, match=r"condition.every: saved 3, now 2"):
        whole.resume(other, 1)


def test_a_long_walk_reaches_each_class_in_its_turn(digits):
    """mean log p of the class asked for, at the end of each turn."""
    classes = [class_label(digits.classifier, label) for label in (1, 7)]
    samples = ppgn.sample(digits.given(in_turn(classes, every=40)), 8, 79, seed=0, thin=39, frames=0, progress=False)
    ends = [classes[turn].log_prob(digits.generator(samples.chain[turn])).exp().mean() for turn in range(2)]
    assert min(ends) > 0.8


def test_exact_kernels_refuse_it():
    with pytest.raises(TypeError, match="needs a condition that stays the same"):
        ppgn.samplers.mala(ppgn.Pipeline(lambda h: h, ppgn.priors.gaussian((1,)), in_turn(pixels(1), 1)), 0.1)


def test_bad_input():
    with pytest.raises(ValueError, match="at least one condition, got none"):
        in_turn([], 1)
    with pytest.raises(ValueError, match="every must be at least 1 step, got 0"):
        in_turn(pixels(1), 0)
