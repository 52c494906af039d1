from __future__ import annotations

import math

import pytest
import torch
from targets import assert_close

from ppgn.samplers import geometric, linear, redrawn


def test_linear_is_the_released_decay():
    decay = linear(1.0, 1e-10, steps=200)
    assert [decay(i) for i in (0, 37, 200)] == pytest.approx([1.0, 1.0 + (1e-10 - 1.0) * 37 / 200, 1e-10])
    assert decay(10_000) == pytest.approx(1e-10)


def test_geometric_has_equal_factors():
    fall = geometric(10.0, 0.1, steps=4)
    assert [fall(i + 1) / fall(i) for i in range(4)] == pytest.approx([10**-0.5] * 4)


@pytest.mark.parametrize("arguments", [(1.0, 0.0, 5), (-1.0, 1.0, 5), (1.0, 2.0, 0)])
def test_geometric_refuses(arguments):
    with pytest.raises(ValueError, match="both ends positive"):
        geometric(*arguments)


def test_linear_refuses_no_steps():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        linear(1.0, 0.0, 0)


def test_redrawn_numbers_are_uniform_and_a_function_of_the_step():
    number, every = redrawn(1e-6, 1e-2, every=3, seed=0), 3
    drawn = torch.tensor([number(every * i) for i in range(4000)], dtype=torch.float64)
    assert_close(drawn.mean(), 5.0005e-3, (1e-2 - 1e-6) / math.sqrt(12 * 4000))
    assert 1e-6 <= drawn.min() < 1e-5
    assert [number(7), number(8)] == [number(6)] * 2
    assert number(9) != number(6)
    assert redrawn(1e-6, 1e-2, every=3, seed=1)(6) != number(6)
    factors = redrawn(1e-6, 1e-2, every=1, seed=0, law="log-uniform")
    logs = torch.tensor([math.log10(factors(i)) for i in range(4000)])
    assert_close(logs.mean(), -4.0, 4 / math.sqrt(12 * 4000))


@pytest.mark.parametrize(
    "arguments", [(1.0, 1.0, 1, 0), (0.0, math.inf, 1, 0), (0.0, 1.0, 0, 0), (0.0, 1.0, 1, 0, "log-uniform")]
)
def test_redrawn_refuses(arguments):
    with pytest.raises(ValueError, match=r"low < high must be finite, .* and every at least 1, got redrawn"):
        redrawn(*arguments)


def test_redrawn_refuses_another_law():
    with pytest.raises(ValueError, match="law must be one of uniform, log-uniform, got 'normal'"):
        redrawn(0.0, 1.0, 1, 0, "normal")
