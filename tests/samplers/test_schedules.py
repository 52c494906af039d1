from __future__ import annotations

import pytest

from ppgn.samplers import geometric, linear


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
