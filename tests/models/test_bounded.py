"""How many numbers a description may ask for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ppgn.models.bounded import Bounded

MAKERS = {
    "linear": (lambda: nn.Linear(30, 7), 30 * 7 + 7),
    "empty": (lambda: torch.empty(3, 4), 12),
    "a shape": (lambda: torch.zeros((3, 4)), 12),
    "by name": (lambda: torch.ones(size=(5, 2)), 10),
    "a scalar": (lambda: torch.rand(()), 1),
    "eye": (lambda: torch.eye(6), 36),
    "range": (lambda: torch.logspace(0, 1, 9), 9),
    "full": (lambda: torch.full((2, 2), 1.0), 4),
}


@pytest.mark.parametrize("what", MAKERS)
def test_as_many_as_allowed_and_no_more(what):
    make, numbers = MAKERS[what]
    with Bounded(numbers):
        make()
    with Bounded(2 * numbers - 1), pytest.raises(ValueError, match=f"may not take more than {2 * numbers - 1} numbers"):
        make()
        make()


def test_nothing_is_made_that_is_refused():
    with Bounded(10), pytest.raises(ValueError, match="may not take more than 10 numbers"):
        torch.empty(2**40, 2**10)
