"""Classes by their names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ppgn.conditions import class_label

NAMES = ("tench, Tinca tinca", "crane", "volcano", "crane", "sand bar, sandbar")


class Named(nn.Module):
    class_names = NAMES

    def forward(self, x):
        return x.flatten(1)[:, :5]


@pytest.fixture
def classifier():
    return Named().eval()


@pytest.mark.parametrize(
    ("label", "number"),
    [("volcano", 2), ("Volcano", 2), ("tench", 0), ("tinca tinca", 0), ("tench, Tinca tinca", 0), ("sandbar", 4)],
)
def test_a_name_is_its_class(classifier, label, number):
    assert class_label(classifier, label).label == number


def test_names_and_numbers_may_be_mixed_one_per_row(classifier):
    assert class_label(classifier, ["volcano", 3, "tench"]).label.tolist() == [2, 3, 0]


def test_an_unknown_name_is_told_the_closest(classifier):
    with pytest.raises(ValueError, match=r"one of the 5 class names, got 'vulcano'; the closest are 'volcano'$"):
        class_label(classifier, "vulcano")
    with pytest.raises(ValueError, match=r"got 'sand'; the closest are 'sand bar, sandbar'$"):
        class_label(classifier, "sand")
    with pytest.raises(ValueError, match=r"got 'zebra'$"):
        class_label(classifier, ["volcano", "zebra"])


def test_a_name_of_several_classes_is_refused(classifier):
    with pytest.raises(ValueError, match=r"'crane' names several classes: 1 \(crane\), 3 \(crane\); give the number"):
        class_label(classifier, "crane")


@pytest.mark.parametrize("names", [None, ()])
def test_a_classifier_without_names_is_named(names):
    network = nn.Flatten().eval()
    if names is not None:
        network.class_names = names
    with pytest.raises(ValueError, match=r"'volcano' needs a classifier that names its classes .*, Flatten does not"):
        class_label(network, "volcano")


def test_labels_of_arrays_are_as_before(classifier):
    numpy = pytest.importorskip("numpy")
    assert class_label(classifier, numpy.int64(3)).label == 3
    assert class_label(classifier, numpy.array([1, 2])).label.tolist() == [1, 2]
    assert class_label(classifier, torch.tensor([1, 2])).label.tolist() == [1, 2]
