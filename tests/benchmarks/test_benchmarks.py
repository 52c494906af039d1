"""The scripts run, and their tables land where they should."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from ppgn import pretrained

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch, tmp_path):
    """Import a script afresh, its README replaced by a copy."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    readme = tmp_path / "README.md"
    readme.write_text((SCRIPTS / "README.md").read_text())

    def load(name):
        module = importlib.import_module(name)
        monkeypatch.setattr(importlib.import_module("tables"), "README", readme)
        return module

    load.readme = readme
    return load


def test_a_table_replaces_the_last_one(script):
    tables = script("tables")
    tables.write("memory", ["steps", "peak"], [["1", "2"]], "A note.")
    tables.write("memory", ["steps", "peak"], [["3", "4"]], "A note.")
    text = script.readme.read_text()
    assert "| 3 | 4 |" in text
    assert "| 1 | 2 |" not in text
    assert f"torch {torch.__version__.split('+')[0]}" in text
    with pytest.raises(ValueError, match="a place for the table: <!-- none -->"):
        tables.write("none", [], [], "")


def test_mean_and_error(script):
    tables = script("tables")
    assert tables.mean_and_error([1.0, 3.0], ".2f") == "2.00 ± 1.00"
    assert tables.mean_and_error([2.0], ".1f") == "2.0"


def test_sample_and_the_loop_by_hand_are_the_same_walk(script, monkeypatch):
    """`measure` raises unless both end in the same codes; the ratio itself is for a quiet machine."""
    overhead = script("overhead")
    for name, value in {"CHAINS": 2, "STEPS": 5, "ROUNDS": 1}.items():
        monkeypatch.setattr(overhead, name, value)
    ours, bare, ratio = overhead.measure()
    assert min(ours, bare, ratio) > 0


def test_quality_rows_are_relative_to_the_floor(script):
    quality = script("quality")
    floor = quality.Score(judge=0.99, guide=1.0, distance=0.2, spread=4.0, seconds=0.0)
    scores = [quality.Score(0.97, 0.99, 0.6, 4.0, 10.0), quality.Score(0.99, 0.99, 0.8, 2.0, 12.0)]
    assert quality.row("x", scores, floor) == [
        "x", "98.0 ± 1.0 %", "99.0 ± 0.0 %", "0.70 ± 0.10", "3.5 ± 0.5", "0.75 ± 0.25", "11 ± 1",
    ]  # fmt: skip


def test_quality_rows_are_held_against_the_truth(script):
    quality = script("quality")
    truth = [quality.Score(judge=0.98, guide=1.0, distance=0.2, spread=4.0, seconds=0.0)]
    scores = [quality.Score(0.97, 0.99, 0.6, 4.0, 10.0), quality.Score(0.99, 0.99, 0.8, 2.0, 12.0)]
    rebuilt = quality.Score(0.98, 1.0, 0.5, 4.0, 0.0)
    assert quality.against(scores, truth, rebuilt) == ["0.0 ± 1.0", "0.75 ± 0.25", "1.40 ± 0.20"]
    assert len(quality.HEAD) == len(quality.row("x", scores, truth[0])) + 3


@pytest.mark.parametrize("bundle", pretrained.names())
def test_every_network_of_a_bundle_has_its_command(script, bundle):
    recipe = script("recipes").RECIPES[bundle]
    assert {card.name: card.command for card in pretrained.cards(bundle)} == {
        name: recipe.command(name) for name in recipe.networks
    }
