"""a + b, w * a, a | b, ~a: their values, their weights, and that no operand is changed."""

from __future__ import annotations

import dataclasses

import asked
import pytest
import torch

import ppgn
from ppgn import records
from ppgn.conditions import (
    all_of,
    any_of,
    class_asked,
    class_label,
    complement,
    inpaint,
    mixture,
    region,
    unconditional,
    unit,
    views,
)
from ppgn.types import Condition, Measured


@dataclasses.dataclass(frozen=True)
class Mine:
    """A condition of somebody else's: log p(x) = its first pixel, without operators."""

    scale: float

    def log_prob(self, x):
        return self.scale * x[:, 0, 0, 0]

    def rows(self, index):
        return self


@pytest.fixture
def x():
    return asked.images()


@pytest.fixture
def guide():
    return asked.classifier()


@pytest.fixture
def a(guide):
    return class_label(guide, [0, 1, 2])


@pytest.fixture
def b(guide):
    return class_label(guide, "elk")


def test_sums_and_powers(a, b, x):
    pa, pb = a.log_prob(x), b.log_prob(x)
    for made, expected in [
        (a + b, pa + pb), (0.5 * a, 0.5 * pa), (a * 0.5, 0.5 * pa), (-a, -pa), (a - b, pa - pb),
        (a + 0.5 * b - 2 * a, pa + 0.5 * pb - 2 * pa), (sum([a, b, a]), 2 * pa + pb),
        (3 * (a + 0.5 * b), 3 * pa + 1.5 * pb), (-(a - b), pb - pa), (unconditional() + a, pa),
    ]:  # fmt: skip
        assert torch.allclose(made.log_prob(x), expected, rtol=1e-12)


def test_weights_are_those_written_and_do_not_compound(a, b):
    assert (a + b).weights == (1.0, 1.0)
    assert (a + 0.5 * b - 2 * a).weights == (1.0, 0.5, -2.0)
    assert (2 * (a + 0.5 * (b - a))).weights == (2.0, 1.0, -1.0)
    assert len((a + b + a).conditions) == 3  # one sum, not sums of sums


def test_operands_stay_as_they_are(a, b, x):
    both = a + b
    before = [records.describe(one) for one in (a, b, both)]
    values = [one.log_prob(x) for one in (a, b, both)]
    for _ in range(3):
        both + a, 0.1 * both, both - b, a | b, ~a, -both
    assert [records.describe(one) for one in (a, b, both)] == before
    assert all(torch.equal(one.log_prob(x), value) for one, value in zip((a, b, both), values, strict=True))


def test_one_of_several_is_the_log_of_the_sum(guide, a, b, x):
    p = guide(x).softmax(1)
    assert torch.allclose((a | b).log_prob(x).exp(), p.gather(1, torch.tensor([[0], [1], [2]]))[:, 0] + p[:, 4])
    three = class_label(guide, 0) | class_label(guide, 1) | class_label(guide, 4)
    assert len(three.conditions) == 3
    assert torch.allclose(three.log_prob(x), mixture(guide, [0, 1, 4]).log_prob(x))


def test_the_opposite_is_what_is_left(guide, a, x):
    assert torch.allclose(a.log_prob(x).exp() + (~a).log_prob(x).exp(), torch.ones(3, dtype=torch.float64))
    assert ~~a is a
    some = mixture(guide, ["ant", "cat"])
    assert torch.allclose(some.log_prob(x).exp() + (~some).log_prob(x).exp(), torch.ones(3, dtype=torch.float64))
    channel = unit(guide, "2", 1, objective="log_prob")
    assert torch.allclose(channel.log_prob(x).exp() + (~channel).log_prob(x).exp(), torch.ones(3, dtype=torch.float64))


def test_the_opposite_of_what_is_nearly_sure_keeps_its_slope():
    """log(1 - p) by way of p would be -inf; of 1, 2 classes: log p(the other)."""
    logits = torch.tensor([[60.0, 0.0]], dtype=torch.float64, requires_grad=True)
    surely = ~class_label(lambda x: logits, 0)
    value = surely.log_prob(torch.zeros(1, 1, 1, 1))
    assert float(value.detach()) == pytest.approx(-60)
    (slope,) = torch.autograd.grad(value.sum(), logits)
    assert torch.allclose(slope, torch.tensor([[-1.0, 1.0]], dtype=torch.float64))


def test_conditions_of_others_are_operands_on_both_sides(a, x):
    pa, mine = a.log_prob(x), Mine(2.0).log_prob(x)
    assert torch.allclose((a + Mine(2.0)).log_prob(x), pa + mine)
    assert torch.allclose((Mine(2.0) + a).log_prob(x), pa + mine)
    assert torch.allclose((Mine(2.0) | a).log_prob(x), torch.logaddexp(pa, mine))
    assert torch.allclose(all_of([Mine(2.0), a], [0.5, 1]).log_prob(x), pa + 0.5 * mine)


def test_what_is_nats_is_told_through_all(guide, a):
    neuron = unit(guide, "2", 1)
    for condition, expected in [
        (a, True), (neuron, False), (a + neuron, False), (a | a, True), (views(neuron), False),
        (region(neuron, asked.half()), False), (class_label(guide, 1, objective="logit"), False),
        (inpaint(asked.images()[0], asked.half(), inside=neuron), False),
        (inpaint(asked.images()[0], asked.half()), True),
    ]:  # fmt: skip
        assert isinstance(condition, Measured) == (not isinstance(condition, type(a | a)))
        assert (condition.nats if isinstance(condition, Measured) else True) is expected


def test_what_varies_varies_in_all(a):
    rng = ppgn.random.streams(0, 3)
    for whole in (a + views(a, shift=2), views(a, shift=2) | a, region(views(a, shift=2), asked.half())):
        assert whole.varies
        one, other = (whole.drawn(rng, step, asked.images()).log_prob(asked.images()) for step in (1, 2))
        assert not torch.equal(one, other)
        assert torch.equal(one, whole.drawn(rng, 1, asked.images()).log_prob(asked.images()))
    assert not (a + a).varies
    assert not (a | a).varies


def test_the_class_asked_is_found_where_there_is_one(guide, a, b):
    image, hole = asked.images()[0], asked.half()
    for condition in (a, views(a), inpaint(image, hole, inside=a), region(a, hole), a + unit(guide, "2", 1), 2 * a - b):
        assert class_asked(condition) is a
    for condition in (a + b, a | b, ~a, -a, unit(guide, "2", 1), inpaint(image, hole), unconditional()):
        assert class_asked(condition) is None


def test_what_has_no_opposite_or_is_no_probability_is_refused(guide, a):
    neuron, logit = unit(guide, "2", 1), class_label(guide, 1, objective="logit")
    for activation in (neuron, logit, a + neuron):
        with pytest.raises(TypeError, match=r"a \| b adds probabilities.*is an activation.*objective='log_prob'"):
            a | activation
    for other in (neuron, logit, a + a, a | a, inpaint(asked.images()[0], asked.half()), views(a)):
        with pytest.raises(TypeError, match="~a needs the probability of an event"):
            complement(other)
    with pytest.raises(TypeError, match="Mine has none"):
        complement(Mine(1.0))
    with pytest.raises(ValueError, match="~mixture needs weights of 1"):
        (~mixture(guide, [0, 1], [0.5, 0.5])).log_prob(asked.images())


def test_weights_and_operands_that_make_no_sense(a):
    with pytest.raises(ValueError, match=r"weights must be one finite number.*got 1 conditions and weights \[nan\]"):
        float("nan") * a
    with pytest.raises(ValueError, match="got 0 conditions"):
        all_of([])
    with pytest.raises(ValueError, match="any_of needs at least one condition"):
        any_of([])
    for operation in (lambda: a + 1, lambda: a * a, lambda: a | 3, lambda: a - "a", lambda: 1 + a):
        with pytest.raises(TypeError, match="unsupported operand"):
            operation()


def test_a_sum_of_two_is_walked_to_the_posterior_of_both():
    """x in {0, 1}^1 by a two-class classifier: rejection under a + a is p(y|x)^2."""
    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2)).eval()
    classifier[1].weight.data, classifier[1].bias.data = torch.tensor([[0.0], [4.0]]), torch.tensor([0.0, -2.0])
    generator = torch.nn.Sequential(torch.nn.Unflatten(1, (1, 1, 1)), torch.nn.Sigmoid()).eval()
    one = class_label(classifier, 1)
    pipeline = ppgn.Pipeline(generator, ppgn.priors.gaussian((1,)), one + one, latent_shape=(1,))
    samples = ppgn.sample(pipeline, 2000, 50, 0, "rejection", progress=False)
    h = torch.linspace(-6, 6, 4001)
    weight = (-(h**2) / 2).exp() * torch.sigmoid(4 * torch.sigmoid(h) - 2) ** 2
    mean, spread = (weight * h).sum() / weight.sum(), samples.codes.std() / 2000**0.5
    assert abs(float(samples.codes.mean() - mean)) < 4 * float(spread)
    assert samples.exact
    assert isinstance(one + one, Condition)
