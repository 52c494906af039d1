"""The speed of drawing is measured on images that agree."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from ppgn import models
from ppgn.models.likelihoods import Categorical
from ppgn.models.pixelcnn import GatedPixelCNN

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def drawing(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("drawing")


@pytest.mark.parametrize("classes", [None, 3])
def test_ways_are_timed_and_their_calls_counted(drawing, classes):
    made = models.build(lambda: GatedPixelCNN((1, 8, 8), Categorical(4), 8, 2, 3, classes), 0).eval()
    drawing.check(made)
    found = drawing.measure(made, batch=2, rounds=1)
    assert found["naive"][1:] == (64, 1.0)
    assert found["cached"][1] == 64 + 8
    assert found["fixed_point"][1] <= 64
    rows = drawing.table(made, batches=[1], rounds=1)
    assert [row[0] for row in rows] == ["naive", "cached", "fixed_point", "hybrid"]
    assert len(rows[0]) == len(drawing.HEAD)


def test_only_a_network_with_two_stacks_is_measured(drawing, tmp_path):
    path = tmp_path / "other.safetensors"
    models.save(models.build(models.UpconvGenerator, 0), path)
    with pytest.raises(ValueError, match="weights must be those of a GatedPixelCNN, got UpconvGenerator"):
        drawing.network(path)
