"""The script of ImageNet's scale, with small networks."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scale(monkeypatch, tmp_path):
    """The script, its README replaced by a copy."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    readme = tmp_path / "README.md"
    readme.write_text((SCRIPTS / "README.md").read_text())
    monkeypatch.setattr(importlib.import_module("tables"), "README", readme)
    return importlib.import_module("scale")


@pytest.mark.parametrize("prior", ["joint", "none"])
def test_every_step_is_timed_but_the_first(scale, prior, tmp_path):
    found = scale.measure(scale.SMOKE, prior, batch=2, steps=3, weights=tmp_path)
    assert len(found.seconds) == 3
    assert min(found.seconds) > 0


def test_a_row_is_a_process_of_its_own(scale, tmp_path):
    found = scale.apart("joint", 1, 1, tmp_path, smoke=True)
    assert len(found.seconds) == 1
    assert found.peak > 100  # MiB: torch alone takes more


def test_the_table_is_written(scale, monkeypatch, tmp_path, capsys):
    rows = {1: scale.Measured([1.0, 2.0, 1.5], 1200.0), 4: scale.Measured([4.0, 4.0, 5.0], 2000.0)}
    monkeypatch.setattr(scale, "apart", lambda prior, batch, steps, weights: rows[batch])
    scale.table((1, 4), 3, tmp_path)
    text = (tmp_path / "README.md").read_text()
    block = re.search("<!-- scale -->(.*)<!-- /scale -->", text, re.S)[1]
    assert "| joint (CaffeNet fc6) | 1 | 1.50 ± 0.50 | 0.67 | 300 | 1,200 |" in block
    assert "| none | 4 | 4.00 ± 0.00 | 1.00 | 200 | 2,000 |" in block
    assert "a SqueezeNet 1.0 of random weights" in block
    assert "the fc6 generator (56.1 M parameters) and CaffeNet (61.0 M)" in block


def test_the_full_pipeline_fits_together(scale, tmp_path):
    """By shapes alone: the encoder takes what the generator gives, and gives what it takes."""
    with torch.device("meta"):
        generator, encoder = scale.FULL.generator(), scale.FULL.encoder()
        assert encoder(generator(torch.zeros(2, 4096))).shape == (2, 4096)
