"""The inpainting benchmark: its figures against ones by hand, and a whole run on a few digits."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
TABLES = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in ("inpainting", "ambiguous-holes"))


@pytest.fixture
def script(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found = importlib.import_module("inpainting")
    small = {"EACH": 1, "STEPS": 2, "READER_STEPS": 3, "AMBIGUOUS": 2, "FILLS": 3, "NEIGHBOURS": 5, "BATCH": 8}
    for name, value in small.items():
        monkeypatch.setattr(found, name, value)
    monkeypatch.setattr(found, "READER", tmp_path / "reader.safetensors")
    return found


@pytest.fixture
def digits(tmp_path):
    """Forty images of noise with labels, as an .npz."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 28, 28)).astype(np.uint8), np.arange(40) % 10
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y, x_test=x[::-1], y_test=y[::-1])
    return str(tmp_path / "digits.npz")


def some(script, digits, each=2):
    return script.holes_in(script.data.load(digits, "test").per_class(each), seed=0)


def test_neighbours_are_nearest_on_what_is_known(script, digits):
    holes, train = some(script, digits), script.data.to_float(script.data.load(digits).images)
    found = script.nearest(holes, train, 4)
    for row, (image, hole) in enumerate(zip(holes.images, holes.hole, strict=True)):
        distance = ((train - image) * ~hole).square().sum((1, 2, 3))
        assert found[row].tolist() == distance.argsort()[:4].tolist()
        assert distance[found[row, 0]] == 0  # itself


def test_errors_and_fills_are_of_the_hole_alone(script, digits):
    holes = some(script, digits)
    assert (holes.hole.sum((1, 2)) == 196).all()
    off = torch.where(holes.hole[:, None], holes.images + 0.5, 7.0)
    torch.testing.assert_close(holes.error(off), torch.full((20,), 0.25))
    assert torch.equal(holes.filled(off)[~holes.hole[:, None]], holes.images[~holes.hole[:, None]])
    assert (holes.known[holes.hole[:, None]] == 0).all()
    fills = holes.rows(torch.arange(20).repeat_interleave(3)).images.view(20, 3, 1, 28, 28)
    fills = fills + torch.tensor([-0.1, 0.0, 0.1]).view(1, 3, 1, 1, 1)
    # of two of three values a tenth apart: mean square difference (0.01 + 0.01 + 0.04) / 3
    torch.testing.assert_close(script.spread(holes, fills.flatten(0, 1)).float(), torch.full((20,), 0.02**0.5))


def test_open_holes_are_those_that_both_find_open_the_best_agreed_on_first(script):
    even, sure, leaning = torch.zeros(10), torch.zeros(10), torch.zeros(10)
    even[:2], sure[0], leaning[:2] = 0.5, 1.0, torch.tensor([0.3, 0.7])
    p, q = torch.stack([even, sure, even, even]), torch.stack([leaning, even, even, sure])
    assert script.both_open(p, q).tolist() == [2, 0]
    assert script.both_open(p[1:2], q[1:2]).tolist() == [0]  # at least one, to have a table


def test_shares_and_their_distance(script):
    found = script.shares(torch.tensor([[1, 1, 2, 3], [0, 0, 0, 0]]))
    assert found[0].tolist() == [0, 0.5, 0.25, 0.25, 0, 0, 0, 0, 0, 0]
    assert script.total_variation(found, found.flip(0)).tolist() == [1, 1]
    assert script.total_variation(found[:1], torch.full((1, 10), 0.1)).item() == pytest.approx(0.7)
    assert script.told(torch.tensor([0.0, 1.0]), ".1f", 100, " %") == "50.0 ± 50.0 %"


@pytest.mark.filterwarnings("ignore::ppgn.SamplingWarning")
def test_the_tables_are_written(script, digits, monkeypatch, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(TABLES)
    monkeypatch.setattr(script.tables, "README", readme)
    monkeypatch.setattr(sys, "argv", ["inpainting.py", "--data", digits])
    script.main()
    text = readme.read_text()
    for row in ("black", "`annealed`", "`joint`, released rule", "3 draws of p(label given known): the floor"):
        assert f"| {row}" in text
    assert "| the whole digit |" in text
    assert (tmp_path / "reader.safetensors").exists()
    assert not script.models.load(script.READER).training


@pytest.mark.filterwarnings("ignore::ppgn.SamplingWarning")
def test_pictures_show_digits_holes_and_fills(script, digits, monkeypatch):
    gallery = importlib.import_module("gallery_inpainting")
    for name, value in {"DIGITS": digits, "SHOWN": 2, "FILLS": 2, "SEARCHED": 2}.items():
        monkeypatch.setattr(gallery, name, value)
    seen, layout = [], gallery.rows
    monkeypatch.setattr(gallery, "rows", lambda images, *others: seen.append(images) or layout(images, *others))
    drawn = gallery.holes()
    assert drawn.told.endswith(" on the right.")
    assert len(seen[0]) == 8
    assert len(seen[1]) in (4, 8)
    whole, marked, *fills = seen[0].view(2, 4, 3, 28, 28).unbind(1)
    hole = (marked != whole).any(1)
    assert hole.flatten(1).sum(1).tolist() == [196, 196]
    for fill in fills:
        assert torch.equal(fill.movedim(1, -1)[~hole], whole.movedim(1, -1)[~hole])
    assert gallery.asked(torch.tensor([0.1, 0.5, 0.0, 0.4])) == "1 or 3"
    assert gallery.asked(torch.tensor([0.15] * 4)) == "0"
