"""A captioner's probabilities: those of a loop over words, and of all sentences together."""

from __future__ import annotations

import itertools

import pytest
import torch

from ppgn import models
from ppgn.models.captioner import padded

WORDS = ("a", "thin", "seven")


@pytest.fixture
def captioner():
    return models.build(lambda: models.Captioner(WORDS, (1, 8, 8), width=2, features=6), 0).eval().double()


@pytest.fixture
def x():
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_tokens_are_the_words_and_the_end(captioner):
    assert captioner.tokens("A  thin seven").tolist() == [0, 1, 2, 3]
    assert captioner.end == 3


def test_log_prob_is_the_sum_over_words_of_the_next_words_log_softmax(captioner, x):
    """Word by word, each from the words before it alone."""
    sentences = ["a thin seven", "seven"]
    found = captioner.log_prob(x, padded([captioner.tokens(text) for text in sentences]))
    for i, text in enumerate(sentences):
        total, said = 0.0, torch.empty(1, 0, dtype=torch.int64)
        for token in captioner.tokens(text):
            said = torch.cat([said, torch.zeros(1, 1, dtype=torch.int64)], 1)  # the word asked for: unseen
            logits = captioner(x[i : i + 1], said)[0, -1]
            total = total + logits.log_softmax(0)[token]
            said[0, -1] = token
        assert found[i].item() == pytest.approx(total.item(), abs=1e-12)


def test_the_probabilities_of_all_sentences_and_of_all_beginnings_add_up_to_one(captioner, x):
    """All sentences of fewer than four words, and all that have said four words and go on."""
    ended = [torch.tensor([*words, captioner.end]) for n in range(4) for words in itertools.product(range(3), repeat=n)]
    going_on = [torch.tensor(words) for words in itertools.product(range(3), repeat=4)]
    for row in x:
        tokens = padded(ended + going_on)
        log_prob = captioner.log_prob(row.expand(len(tokens), -1, -1, -1), tokens)
        assert log_prob.logsumexp(0).item() == pytest.approx(0, abs=1e-12)


def test_padding_counts_nothing(captioner, x):
    tokens = captioner.tokens("a seven").expand(2, -1)
    longer = torch.cat([tokens, torch.full((2, 3), -1)], 1)
    assert torch.allclose(captioner.log_prob(x, tokens), captioner.log_prob(x, longer), atol=1e-14)


def test_the_gradient_is_the_finite_difference(captioner, x):
    tokens = captioner.tokens("a thin seven").expand(2, -1)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(captioner.log_prob(x, tokens).sum(), x)
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-4
    with torch.no_grad():
        slope = (captioner.log_prob(x + step * way, tokens) - captioner.log_prob(x - step * way, tokens)) / (2 * step)
    assert ((gradient * way).sum() / slope.sum()).item() == pytest.approx(1, rel=1e-6)


def test_what_it_describes_is_the_likeliest_word_after_the_other(captioner, x):
    for i, text in enumerate(captioner.describe(x, longest=5)):
        said = [WORDS.index(word) for word in text.split()]
        said += [captioner.end] if len(said) < 5 else []
        logits = captioner(x[i : i + 1], torch.tensor([said]))
        assert logits[0].argmax(1).tolist() == said


def test_rounded_up_sides():
    network = models.Captioner(WORDS, (3, 9, 20)).eval()
    assert network(torch.rand(1, 3, 9, 20), network.tokens("a")[None]).shape == (1, 2, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "caption must have a word, got an empty one"),
        ("  ", "caption must have a word"),
        ("a thing", r"made of the captioner's 3 words, got 'thing'; the nearest are 'thin'$"),
        ("a zebra-x", r"got 'zebra-x'(; the nearest are|: a, thin, seven)"),
    ],
)
def test_sentences_that_it_cannot_say(captioner, text, message):
    with pytest.raises(ValueError, match=message):
        captioner.tokens(text)


def test_errors(captioner, x):
    with pytest.raises(ValueError, match=r"tokens must be \(B, L\), a sentence for each of 2 rows, got \(4,\)"):
        captioner.log_prob(x, captioner.tokens("a thin seven"))
    with pytest.raises(ValueError, match=r"tokens must be \(B, L\), .* got \(3, 2\)"):
        captioner.log_prob(x, captioner.tokens("a").expand(3, -1))
    for words in ([], ["a", "a"], ["a thin"], ["Seven"]):
        with pytest.raises(ValueError, match="vocabulary must hold single words in small letters, each once"):
            models.Captioner(words)
