from __future__ import annotations

from itertools import islice

import pytest
import torch
from targets import gaussian_target

from ppgn import samplers
from ppgn.random import streams
from ppgn.types import Terms


def test_the_first_state_is_the_start():
    sampler = samplers.mala_approx(gaussian_target(1.0), 0.1, 1.0, 0.1)
    h0 = torch.ones(2, 3)
    states = list(islice(samplers.chain(sampler, h0, streams(0, 2)), 3))
    assert torch.equal(states[0].h, h0)
    assert [state.step for state in states] == [0, 1, 2]


def test_a_walk_goes_on_from_any_state_to_the_bit():
    sampler = samplers.mala_approx(gaussian_target(1.0), 0.1, 1.0, 0.1)
    states = list(islice(samplers.chain(sampler, torch.ones(2, 3), streams(0, 2)), 50))
    again = list(islice(samplers.walk(sampler, states[33], streams(0, 2)), 17))
    assert torch.equal(again[-1].h, states[-1].h)


def terms(h, **changed):
    b = len(h)
    whole = Terms(torch.zeros(b, 1, 2, 2), torch.zeros_like(h), torch.zeros_like(h), torch.zeros(b))
    return whole._replace(**changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"log_condition": torch.zeros(2, 10)}, r"\(B,\) = \(2,\), got \(2, 10\); select a class"),
        ({"image": torch.zeros(2, 4)}, r"images \(B, C, H, W\) with B = 2, C = 1 or 3, got \(2, 4\)"),
        ({"prior": torch.zeros(2, 4)}, r"Prior score must have the code's shape \(2, 3\), got \(2, 4\)"),
        ({"condition": torch.zeros(1, 3)}, r"Condition gradient must have the code's shape \(2, 3\), got \(1, 3\)"),
        ({"prior": torch.tensor([[0.0] * 3, [torch.nan] * 3])}, r"prior score must be finite.*step 0.*chains \[1\]"),
        ({"condition": torch.full((2, 3), torch.inf)}, r"condition gradient must be finite.*chains \[0, 1\]"),
        ({"log_condition": torch.tensor([-torch.inf, 0.0])}, r"log condition must be finite.*chains \[0\]"),
    ],
)
def test_terms_that_no_step_could_use(changed, message):
    sampler = samplers.mala_approx(lambda h: terms(h, **changed), 0.1, 1.0, 0.1)
    with pytest.raises(ValueError, match=message):
        sampler.init(torch.zeros(2, 3))


def test_codes_must_be_finite_floats():
    sampler = samplers.mala_approx(terms, 0.1, 1.0, 0.1)
    with pytest.raises(ValueError, match=r"code must be finite at the start \(step 0\), but is not in chains \[1\]"):
        sampler.init(torch.tensor([[0.0], [torch.nan]]))
    with pytest.raises(TypeError, match=r"floating point, got torch.int64"):
        sampler.init(torch.zeros(2, 3, dtype=torch.int64))
