"""A sentence as the condition."""

from __future__ import annotations

import pytest
import torch

import ppgn
from ppgn import models, strokes
from ppgn.conditions import Caption, caption
from ppgn.types import Captioning, Complemented, Condition, Measured

WORDS = ("a", "thin", "thick", "seven", "three")


@pytest.fixture
def captioner():
    return models.build(lambda: models.Captioner(WORDS, (1, 8, 8), width=2, features=6), 0).eval().double()


@pytest.fixture
def x():
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Letters:
    """Somebody's own: a letter is a word, brighter images say b's."""

    def tokens(self, text):
        return torch.tensor([ord(letter) - ord("a") for letter in text])

    def log_prob(self, x, tokens):
        p = x.mean((1, 2, 3))
        return torch.where(tokens == 1, p.log()[:, None], torch.where(tokens == 0, (1 - p).log()[:, None], 0.0)).sum(1)


def test_it_is_the_captioners_log_probability(captioner, x):
    texts = ["a thin seven", "a three"]
    found = caption(captioner, texts).log_prob(x)
    for i, text in enumerate(texts):
        alone = captioner.log_prob(x[i : i + 1], captioner.tokens(text)[None])
        assert torch.allclose(found[i], alone[0], atol=1e-12)
    both = caption(captioner, "a three").log_prob(x)
    assert torch.allclose(both, captioner.log_prob(x, captioner.tokens("a three").expand(2, -1)))


def test_somebody_elses_captioner_by_hand(x):
    """log p("bba") = 2 log p + log(1 - p); the shorter "b" is filled up."""
    assert isinstance(Letters(), Captioning)
    p = x.mean((1, 2, 3))
    found = caption(Letters(), ["bba", "b"]).log_prob(x)
    assert torch.allclose(found, torch.stack([2 * p[0].log() + (1 - p[0]).log(), p[1].log()]))


def test_the_gradient_is_the_finite_difference(captioner, x):
    condition = caption(captioner, ["a thin seven", "a thick three"])
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-4
    with torch.no_grad():
        slope = (condition.log_prob(x + step * way) - condition.log_prob(x - step * way)) / (2 * step)
    for i in range(2):
        assert ((gradient[i] * way[i]).sum() / slope[i]).item() == pytest.approx(1, rel=1e-6)


def test_rows_keep_their_sentences(captioner, x):
    condition, index = caption(captioner, ["a thin seven", "a three"]), torch.tensor([1, 0, 1])
    assert torch.allclose(condition.rows(index).log_prob(x[index]), condition.log_prob(x)[index])
    one = caption(captioner, "a three")
    assert one.rows(index) is one


def test_its_opposite_is_every_other_sentence(captioner, x):
    condition = caption(captioner, "a three")
    total = condition.log_prob(x).exp() + (~condition).log_prob(x).exp()
    assert torch.allclose(total, torch.ones_like(total), atol=1e-12)


def test_it_says_that_it_is_in_nats(captioner):
    condition = caption(captioner, "a three")
    assert isinstance(condition, Caption | Condition | Measured | Complemented)
    assert condition.nats
    assert condition.text == "a three"


def test_a_walk_says_what_was_asked(digits):
    """On the bundle: the judge sees the digit of most, and all of one are thicker than those of the other."""
    captioner = ppgn.pretrained.network("mnist", "captioner")
    judge = ppgn.pretrained.network("mnist", "judge")
    texts = ["a thick wide three leaning right"] * 4 + ["a thin seven upright"] * 4
    pipeline = ppgn.load("mnist", settings={"levels": 60, "gamma": 3.0}).given(caption(captioner, texts))
    samples = ppgn.sample(pipeline, n=8, steps=65, seed=0, progress=False)
    right = judge(samples.images).argmax(1) == torch.tensor([3] * 4 + [7] * 4)
    assert right.sum() >= 6
    thickness = strokes.measure(samples.images).thickness
    assert thickness[:4].min() > thickness[4:].max()


@pytest.mark.parametrize("text", ["a thin seven", ["a three", "a thick seven"]])
def test_it_is_saved_and_loaded_with_its_captioner(captioner, x, text, tmp_path):
    pipeline = ppgn.Pipeline(
        models.PixelSpace((1, 8, 8)).eval(), ppgn.priors.none(), caption(captioner, text), latent_shape=(1, 8, 8)
    )
    ppgn.pretrained.save(pipeline, tmp_path / "saved", licence="mit")
    again = ppgn.pretrained.from_pretrained(str(tmp_path / "saved")).condition
    assert torch.equal(again.log_prob(x), pipeline.condition.log_prob(x))
    assert again.text == pipeline.condition.text


def test_errors(captioner, x):
    with pytest.raises(ValueError, match=r"got 'sevem'; the nearest are 'seven'"):
        caption(captioner, ["a three", "a sevem"])
    with pytest.raises(ValueError, match="caption must have a word, got an empty one"):
        caption(captioner, "")
    with pytest.raises(ValueError, match="text must be one sentence or one per row, got none"):
        caption(captioner, [])
    with pytest.raises(TypeError, match="text must be a str or several, got int"):
        caption(captioner, [7])
    with pytest.raises(TypeError, match=r"captioner must have tokens\(text\) and log_prob\(x, tokens\), got function"):
        caption(lambda x: x, "a three")
    with pytest.raises(ValueError, match="one sentence or one per row: 2 rows, got 3 texts"):
        caption(captioner, ["a three"] * 3).log_prob(x)
    captioner.train()
    with pytest.raises(ValueError, match="captioner must be in eval mode, but Captioner is in train mode"):
        caption(captioner, "a three")


def test_a_list_of_another_length_is_told_before_the_first_step(captioner):
    generator = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Sigmoid(), torch.nn.Unflatten(1, (1, 8, 8))).eval()
    pipeline = ppgn.Pipeline(
        generator, ppgn.priors.gaussian((3,)), caption(captioner.float(), ["a three"] * 3), latent_shape=(3,)
    )
    walk = ppgn.samplers.ula(pipeline, 0.1)
    with pytest.raises(ValueError, match="one sentence or one per row: 2 rows, got 3 texts"):
        walk.init(torch.zeros(2, 3))
