"""The pictures of the uses, by walks of a few steps: each is made of what its caption says."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from ppgn.layers import layer_named

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found = importlib.import_module("gallery_uses")
    for name, value in {"STEPS": 2, "LEVELS": 2, "TURN": 1, "LOOKED_AT": 60, "EXCITING": 12, "SIDE": 28}.items():
        monkeypatch.setattr(found, name, value)
    return found


NAMES = [
    "use-in-turn", "use-kept", "use-algebra", "use-regression", "use-similar", "use-inpaint", "use-from-image",
    "use-units", "use-facets", "use-captions",
]  # fmt: skip


def test_every_use_is_here(script):
    assert list(script.PICTURES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_drawn(script, name):
    drawn = script.PICTURES[name].draw()
    assert drawn.told.endswith(".")
    assert drawn.image.size[0] > 8 * 28


def test_given_digits_are_read_as_their_labels(script):
    images = script.given_digits([7, 1])
    assert script.evaluation.agreement(script.judge(), images, torch.tensor([7, 1])) == 1


def test_the_most_exciting_are_the_most_exciting(script):
    pipeline = script.ppgn.load("mnist", "dgn-am")
    neuron = script.conditions.unit(pipeline.classifier, script.UNIT_LAYER, 3)
    images, highest = script._exciting(neuron)
    assert isinstance(layer_named(pipeline.classifier, script.UNIT_LAYER), torch.nn.Conv2d)
    assert images.shape == (32, 12, 1, 28, 28)
    found = neuron.log_prob(images[3])
    assert torch.equal(found, found.sort(descending=True).values)
    assert torch.allclose(found[0], highest[3])
