from __future__ import annotations

import pytest
import torch
from targets import linear
from torch import nn

from ppgn.conditions import class_label, unconditional


def gradient(condition, x):
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    return g


@pytest.fixture
def classifier():
    return linear().pipeline(0).classifier


@pytest.fixture
def x():
    return torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_log_prob_is_the_log_softmax(classifier, x):
    expected = classifier(x).log_softmax(1)
    assert torch.allclose(class_label(classifier, 2).log_prob(x), expected[:, 2])
    assert torch.allclose(class_label(classifier, [4, 0, 1]).log_prob(x), expected[[0, 1, 2], [4, 0, 1]])


def test_gradient_is_the_finite_difference(classifier, x):
    condition, step = class_label(classifier, [4, 0, 1]), 1e-6
    g = gradient(condition, x)
    for i in range(4):
        move = torch.zeros(4, dtype=torch.float64)
        move[i] = step
        move = move.view(1, 1, 2, 2)
        slope = (condition.log_prob(x + move) - condition.log_prob(x - move)) / (2 * step)
        assert torch.allclose(g.flatten(1)[:, i], slope, atol=1e-8)


def test_released_sends_back_the_labels_own_entry(classifier, x):
    logits = classifier(x)
    p = logits.softmax(1)[:, 2]
    w = classifier.w[2].detach().view(1, 2, 2)
    released = class_label(classifier, 2, objective="released")
    assert torch.allclose(gradient(released, x), (1 - p.detach()).view(-1, 1, 1, 1) * w)
    assert torch.allclose(released.log_prob(x), logits.log_softmax(1)[:, 2])
    assert not torch.allclose(gradient(released, x), gradient(class_label(classifier, 2), x))


def test_logit_is_the_raw_unit(classifier, x):
    assert torch.allclose(class_label(classifier, 1, objective="logit").log_prob(x), classifier(x)[:, 1])


def test_rows_keep_their_labels(classifier, x):
    index = torch.tensor([2, 0])
    for label in (3, [4, 0, 1]):
        condition = class_label(classifier, label)
        assert torch.allclose(condition.rows(index).log_prob(x[index]), condition.log_prob(x)[index])


def test_unconditional_is_zero_with_a_zero_gradient(x):
    assert unconditional().log_prob(x).tolist() == [0, 0, 0]
    assert torch.equal(gradient(unconditional(), x), torch.zeros_like(x))
    assert unconditional().rows(torch.tensor([0])) == unconditional()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (-1, "must not be negative, got -1"),
        (1.5, "one whole number or one per row, got 1.5"),
        (True, "one whole number"),
        ([], "one whole number or one per row"),
        ([[1, 2]], "one whole number or one per row"),
    ],
)
def test_bad_labels(classifier, label, message):
    with pytest.raises(ValueError, match=message):
        class_label(classifier, label)


def test_a_label_outside_the_classes_says_how_many_there_are(classifier, x):
    with pytest.raises(ValueError, match=r"label must lie in 0\.\.4, the classifier has 5 classes, got 7"):
        class_label(classifier, [0, 7, 1]).log_prob(x)


def test_one_label_per_row(classifier, x):
    with pytest.raises(ValueError, match="3 rows, got 2 labels"):
        class_label(classifier, [0, 1]).log_prob(x)


def test_a_classifier_must_give_logits(x):
    with pytest.raises(ValueError, match=r"logits \(B, classes\), got shape \(3, 1, 2, 2\)"):
        class_label(nn.Identity().eval(), 0).log_prob(x)


def test_a_classifier_left_in_train_mode(classifier):
    inner = nn.Sequential(classifier, nn.Dropout())
    inner.eval()
    inner[1].train()
    with pytest.raises(
        ValueError, match=r"classifier must be in eval mode, but Sequential is in train mode; call \.eval"
    ):
        class_label(inner, 0)


def test_unknown_objective(classifier):
    with pytest.raises(ValueError, match=r"objective must be one of .*'released'.* got 'softmax'"):
        class_label(classifier, 0, objective="softmax")


def test_labels_of_any_whole_type_are_copied(classifier, x):
    labels = torch.tensor([4, 0, 1], dtype=torch.uint8)
    condition = class_label(classifier, labels)
    before = condition.log_prob(x)
    labels[0] = 99
    assert torch.equal(condition.log_prob(x), before)
    assert torch.allclose(before, class_label(classifier, [4, 0, 1]).log_prob(x))


def test_a_plain_function_may_classify(classifier, x):
    assert torch.allclose(class_label(lambda x: classifier(x), 2).log_prob(x), class_label(classifier, 2).log_prob(x))
