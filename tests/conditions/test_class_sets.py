"""Mixtures of classes and soft targets."""

from __future__ import annotations

import asked
import pytest
import torch

from ppgn.conditions import class_label, mixture, soft_label


@pytest.fixture
def guide():
    return asked.classifier()


@pytest.fixture
def x():
    return asked.images()


def test_a_mixture_is_the_weighted_sum_of_probabilities(guide, x):
    p = guide(x).softmax(1)
    assert torch.allclose(mixture(guide, [0, 3]).log_prob(x).exp(), p[:, 0] + p[:, 3])
    assert torch.allclose(mixture(guide, ["dog", 0], [0.2, 0.5]).log_prob(x).exp(), 0.2 * p[:, 3] + 0.5 * p[:, 0])
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    assert torch.allclose(mixture(guide, [0, 3], rows).log_prob(x).exp(), (rows * p[:, [0, 3]]).sum(1))
    assert torch.allclose(mixture(guide, range(5)).log_prob(x), torch.zeros(3, dtype=torch.float64), atol=1e-12)


def test_a_soft_label_is_minus_the_cross_entropy(guide, x):
    target = torch.tensor([[0.5, 0.1, 0.1, 0.2, 0.1]] * 3, dtype=torch.float64)
    expected = -torch.nn.functional.cross_entropy(guide(x), target, reduction="none")
    assert torch.allclose(soft_label(guide, range(5), target).log_prob(x), expected, atol=1e-6)
    assert torch.allclose(soft_label(guide, range(5), target[0]).log_prob(x), expected, atol=1e-6)
    assert torch.allclose(soft_label(guide, ["cat"], [1.0]).log_prob(x), class_label(guide, "cat").log_prob(x))


def test_a_share_of_nothing_asks_for_nothing():
    """Even of a class that cannot be."""
    logits = torch.tensor([[0.0, -torch.inf]], requires_grad=True)
    value = soft_label(lambda x: logits, [0, 1], [1.0, 0.0]).log_prob(torch.zeros(1, 1, 1, 1))
    assert float(value.detach()) == 0


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        ([], None, "labels must be different classes, at least one"),
        ([1, 1], None, "labels must be different classes"),
        ([-1], None, "labels must be different classes"),
        ([[0, 1]], None, "labels must be different classes"),
        (["bea"], None, r"label must be one of the 5 class names, got 'bea'; the closest are 'bee'"),
        ([0, 1], [1.0], r"weights must be one number from 0 on for each of 2 classes.*got \[1.0\]"),
        ([0, 1], [1.0, -1.0], "weights must be one number from 0 on"),
    ],
)
def test_bad_classes_and_weights(guide, labels, weights, message):
    with pytest.raises(ValueError, match=message):
        mixture(guide, labels, weights)


def test_other_bad_input(guide, x):
    with pytest.raises(ValueError, match=r"shares must sum to 1, got \[0.75"):
        soft_label(guide, [0, 1], [0.5, 0.25])
    with pytest.raises(ValueError, match=r"labels must lie in 0..4, got 7"):
        mixture(guide, [0, 7]).log_prob(x)
    with pytest.raises(ValueError, match="weights must be one line for all or one per row: 3 rows, got 2"):
        mixture(guide, [0, 1], [[1, 1], [1, 2]]).log_prob(x)
    with pytest.raises(ValueError, match="classifier must be in eval mode"):
        mixture(torch.nn.Sequential(torch.nn.Linear(1, 2)), [0])
    with pytest.raises(ValueError, match=r"classifier must give logits \(B, classes\)"):
        mixture(lambda x: x, [0]).log_prob(x)
