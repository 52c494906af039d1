"""How near an image is to words as the condition, on vectors that can be computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ppgn.conditions import text
from ppgn.types import Complemented, ImageText, Measured

VECTORS = {"dark": [0.0, 1.0], "light": [2.0, 0.0], "grey": [1.0, 1.0]}


class Shades(nn.Module):
    """Images as (mean, 1): s(x, dark) = 1, s(x, light) = 2 mean, s(x, grey) = mean + 1."""

    def embedded(self, texts):
        return torch.tensor([VECTORS[one] for one in texts], dtype=torch.float64)

    def similarity(self, x, texts):
        mean = x.mean((1, 2, 3))
        return torch.stack([mean, torch.ones_like(mean)], 1) @ texts.T


@pytest.fixture
def network():
    return Shades().eval()


@pytest.fixture
def x():
    return torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_alone_it_is_the_similarity_an_activation(network, x):
    condition = text(network, ["dark", "light"])
    assert isinstance(condition, Measured)
    assert not condition.nats
    assert torch.allclose(condition.log_prob(x), torch.stack([torch.ones(()).double(), 2 * x[1].mean()]))
    assert torch.allclose(text(network, "light").log_prob(x), 2 * x.mean((1, 2, 3)))


def test_against_others_it_is_the_log_softmax(network, x):
    condition = text(network, "light", against=["dark", "grey"])
    assert isinstance(condition, Complemented)
    assert condition.nats
    mean = x.mean((1, 2, 3))
    logits = torch.stack([2 * mean, torch.ones_like(mean), mean + 1], 1)
    assert torch.allclose(condition.log_prob(x), logits.log_softmax(1)[:, 0])
    assert torch.allclose((~condition).log_prob(x), logits.softmax(1)[:, 1:].sum(1).log())


def test_each_row_has_the_others_and_itself_but_not_the_other_rows(network, x):
    found = text(network, ["light", "grey"], against=["dark"]).log_prob(x)
    for i, own in enumerate(["light", "grey"]):
        assert torch.allclose(found[i], text(network, own, against=["dark"]).log_prob(x)[i])


def test_prompts_may_be_each_others_alternatives(network, x):
    names = ["dark", "light", "grey"]
    total = sum(text(network, name, against=names).log_prob(x).exp() for name in names)
    assert torch.allclose(total, torch.ones_like(total))


def test_the_gradient_is_the_finite_difference(network, x):
    condition = text(network, ["light", "grey"], against=["dark"])
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-4
    with torch.no_grad():
        slope = (condition.log_prob(x + step * way) - condition.log_prob(x - step * way)) / (2 * step)
    for i in range(2):
        assert ((gradient[i] * way[i]).sum() / slope[i]).item() == pytest.approx(1, rel=1e-6)


def test_rows_keep_their_prompts(network, x):
    index = torch.tensor([1, 0, 1])
    for prompt in ("light", ["light", "grey"]):
        for against in ((), ("dark",)):
            condition = text(network, prompt, against=against)
            assert torch.allclose(condition.rows(index).log_prob(x[index]), condition.log_prob(x)[index])


def test_an_activation_is_no_probability(network):
    with pytest.raises(TypeError, match=r"~a needs the probability of an event"):
        ~text(network, "light")
    with pytest.raises(TypeError, match=r"only among others: text\(network, prompt, against=\[\.\.\.\]\)"):
        text(network, "light").log_complement(torch.zeros(1, 1, 4, 4))


def test_errors(network, x):
    assert isinstance(network, ImageText)
    with pytest.raises(TypeError, match=r"network must have embedded\(texts\) and similarity\(x, texts\), got Linear"):
        text(nn.Linear(2, 2).eval(), "light")
    with pytest.raises(ValueError, match="prompt must be one text or one per row, got none"):
        text(network, [])
    with pytest.raises(TypeError, match="texts must be str, got int"):
        text(network, "light", against=[3])
    with pytest.raises(ValueError, match="texts must have a word, got ' '"):
        text(network, " ")
    with pytest.raises(TypeError, match="against must be several texts, got the one 'dark'"):
        text(network, "light", against="dark")
    with pytest.raises(ValueError, match=r"against must hold another text than the prompt, got \['light'\]"):
        text(network, "light", against=["light"])
    with pytest.raises(ValueError, match="one text or one per row: 2 rows, got 3 prompts"):
        text(network, ["light"] * 3).log_prob(x)
    with pytest.raises(ValueError, match="network must be in eval mode, but Shades is in train mode"):
        text(network.train(), "light")
