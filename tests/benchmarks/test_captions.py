"""What counts as right in the table of captions."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from ppgn import pretrained
from ppgn.random import streams

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def captions(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("captions")


@pytest.fixture(scope="module")
def images():
    """Pictures of the bundle's generator, of codes as real ones are spread."""
    pipeline = pretrained.load("mnist", "ppgn-h")
    with torch.no_grad():
        return pipeline.generator(pipeline.start.sample(40, streams(0, 40)).float())


def test_an_image_is_right_under_the_sentence_it_shows_and_no_other(captions, images):
    digits = captions.JUDGE(images).argmax(1)
    seen = captions.shown(images, digits)
    own = ((seen[:, 0] * 3 + seen[:, 1]) * 3 + seen[:, 2]) * 3 + seen[:, 3]
    assert bool((captions.parts(own) == seen).all())
    assert bool((captions.right(own, images) == 1).all())
    other_slant = own - own % 3 + (own + 1) % 3
    assert captions.right(other_slant, images).mean(0).tolist() == [1, 1, 1, 0, 0]


def test_rows_are_means_over_sentences(captions):
    asked = torch.tensor([5, 5, 9])
    hits = torch.tensor([[1.0] * 5, [0.0] * 5, [1.0] * 5])
    assert captions.row("x", asked, hits) == ["x", "2", *["75.0 ± 25.0"] * 5]
    assert len(captions.HEAD) == 7


def test_the_sentences_held_out_stand_in_the_captioners_file(captions):
    assert len(captions.HEADER["held_out"]) == 100
    assert not pretrained.network("mnist", "captioner").training
