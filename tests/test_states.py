from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from ppgn.states import pack, unpack


class Inner(NamedTuple):
    a: torch.Tensor
    scale: float


class State(NamedTuple):
    h: torch.Tensor
    inner: Inner
    step: int
    frozen: bool


def state():
    return State(torch.arange(3.0), Inner(torch.tensor([1, 2]), 0.1), 7, True)


def test_round_trip():
    packed = pack(state())
    assert sorted(packed) == ["frozen", "h", "inner.a", "inner.scale", "step"]
    again = unpack(State(torch.zeros(3), Inner(torch.tensor([0, 0]), 0.0), 0, False), packed)
    assert torch.equal(again.h, state().h)
    assert torch.equal(again.inner.a, state().inner.a)
    assert again.step == 7
    assert again.frozen is True
    assert again.inner.scale == 0.1  # to the bit


def test_what_cannot_be_saved_is_named():
    with pytest.raises(TypeError, match="inner is a str"):
        pack(state()._replace(inner="text"))


def test_what_does_not_fit_is_named():
    packed = pack(state())
    with pytest.raises(ValueError, match=r"saved h must have shape \(2,\), got \(3,\)"):
        unpack(state()._replace(h=torch.zeros(2)), packed)
    packed.pop("step")
    with pytest.raises(ValueError, match="must hold 'step'"):
        unpack(state(), packed)
