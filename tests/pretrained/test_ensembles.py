from __future__ import annotations

import pytest
import torch
from torch import nn

from ppgn.conditions import class_label
from ppgn.pretrained import classifier, ensemble


class Fixed(nn.Module):
    """The same probabilities for any image, but for a first pixel that is added to the first logit."""

    def __init__(self, *p, shift=0.0):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(p).log() + shift)

    def forward(self, x):
        return self.logits + torch.nn.functional.pad(x.flatten(1)[:, :1], (0, len(self.logits) - 1))


X = torch.zeros(2, 1, 3, 3)


def test_the_product_of_experts():
    """sqrt(0.8 * 0.2) : sqrt(0.1 * 0.3) : sqrt(0.1 * 0.5), whatever constant a member adds to its logits."""
    both = ensemble([Fixed(0.8, 0.1, 0.1, shift=5.0).eval(), Fixed(0.2, 0.3, 0.5).eval()])
    expected = torch.tensor([0.16, 0.03, 0.05]).sqrt()
    assert torch.allclose(both(X).softmax(1)[0], expected / expected.sum())
    assert torch.allclose(both(X)[0], expected.log())


def test_the_mean_probability():
    both = ensemble([Fixed(0.8, 0.1, 0.1).eval(), Fixed(0.2, 0.3, 0.5, shift=-3.0).eval()], average="prob")
    assert torch.allclose(both(X).exp()[0], torch.tensor([0.5, 0.2, 0.3]))


@pytest.mark.parametrize("average", ["log_prob", "prob"])
def test_as_a_condition_with_names_and_gradients(average):
    members = [Fixed(0.8, 0.1, 0.1), Fixed(0.2, 0.3, 0.5)]
    named = [members[0], classifier(members[1], class_names=["a", "b", "c"])]
    both = ensemble(named, average)
    x = X.double().requires_grad_()
    assert torch.autograd.gradcheck(class_label(both.double(), "a").log_prob, x)
    assert all(p.requires_grad for p in members[0].parameters())
    assert members[0].training
    assert members[0].logits.dtype == torch.float32
    assert both.class_names == ("a", "b", "c")


def test_one_alone_is_no_ensemble_and_other_averages_are_named():
    one = Fixed(0.5, 0.5).eval()
    with pytest.raises(ValueError, match="an ensemble needs at least 2 classifiers, got 1"):
        ensemble([one])
    with pytest.raises(ValueError, match="average must be one of log_prob, prob, got 'logit'"):
        ensemble([one, one], average="logit")


def test_classes_must_agree():
    two, three = Fixed(0.5, 0.5), Fixed(0.2, 0.3, 0.5)
    with pytest.raises(ValueError, match="must have the same classes, got 2 and 3 of them"):
        ensemble([two, three])(X)
    with pytest.raises(ValueError, match="must have the same classes, got 2 and 3 of them"):
        ensemble([classifier(two, class_names="ab"), classifier(three, class_names="abc")])


@pytest.mark.parametrize(
    ("names", "other"),
    [
        (["tench", "crane bird", "tank suit, maillot"], ["tench, Tinca tinca", "crane", "maillot, tank suit"]),
        (["1", "2", "日本"], ["1", "2", "日本"]),
        (["+", "-", "Red_Fox"], ["+", "-", "red fox"]),
    ],
)
def test_classes_may_be_called_by_other_synonyms(names, other):
    members = [classifier(Fixed(0.2, 0.3, 0.5), class_names=each) for each in (names, other)]
    assert ensemble(members).class_names == tuple(names)
    assert ensemble(members[::-1]).class_names == tuple(other)


def test_classes_in_another_order_are_named():
    members = [classifier(Fixed(0.2, 0.3, 0.5), class_names=names) for names in (["a", "b", "c"], ["a", "c", "b"])]
    with pytest.raises(ValueError, match="the same classes in the same order, got 'b' and 'c' for class 1"):
        ensemble(members)
    plus, minus = (classifier(Fixed(0.5, 0.5), class_names=names) for names in (["+", "-"], ["-", "+"]))
    with pytest.raises(ValueError, match=r"got '\+' and '-' for class 0"):
        ensemble([plus, minus])
