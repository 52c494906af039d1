"""The studies' tables, and one of them run small, from its design to README and page."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ablations(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("ablations")


def row(noise, seed, judge, **figures):
    return {
        "id": f"{noise}{seed}", "settings": {"model": "mnist", "variant": "ppgn-h", "eps_noise": noise}, "seed": seed,
        "figures": {"judge": judge, "log_p": -1.0, **figures}, "reasons": {"ess": "no walk"}, "error": None,
        "seconds": 3.0, "warnings": [], "exact": False,
    }  # fmt: skip


def test_a_table_tells_means_of_its_figures_alone(ablations):
    rows = [row(0.0, 0, 0.5), row(0.0, 1, 0.7), row(1.87, 0, 1.0, distance=2.0)]
    head, *lines = ablations.table(rows, ("variant", "eps_noise"), [{"judge": 0.98, "distance": 0.8}])
    assert head == ["eps_noise", "runs", "judge", "distance"]
    assert lines == [
        ["0", "2", "0.600 ± 0.100", "-"],
        ["1.87", "1", "1.000", "2"],
        ["*real images*", "1", "0.980", "0.8"],
    ]


def test_a_study_ends_in_its_table_and_its_page(ablations, monkeypatch, tmp_path, mnist_file):
    design = tmp_path / "small.toml"
    axes = 'axes.variant = ["ppgn-h"]\naxes.eps_noise = [0, 1.87]'
    design.write_text(f"n = 1\nsteps = 2\nseeds = 2\nlabels = [7]\n{axes}")
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- small -->\n<!-- /small -->\nafter\n")
    monkeypatch.setattr(importlib.import_module("tables"), "README", readme)
    monkeypatch.setattr(ablations, "HERE", tmp_path)
    monkeypatch.setitem(ablations.STUDIES, "small", ablations.Study(str(design), ("eps_noise",), page=True))
    arguments = ["small", "--data", mnist_file, "--work", str(tmp_path / "work")]
    monkeypatch.setattr(sys, "argv", ["ablations.py", *arguments])
    ablations.main()
    text = readme.read_text()
    assert "| eps_noise | runs | judge |" in text
    assert "| 1.87 | 2 |" in text
    assert "1 chains a class, 2 steps unless told, 2 seeds" in text
    assert "4 cells" in text
    assert (tmp_path / "small.html").read_text().startswith("<!DOCTYPE html>")
