"""What is counted of a chain is right on chains with a known answer."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest
import torch
from targets import autoregression

from ppgn import evaluation, pretrained

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def test_what_a_chain_shows(script):
    mixing = script("mixing")
    series = torch.tensor([[3.0, 5.0, -1.0], [3.0, -1.0, -1.0], [7.0, 5.0, -1.0], [-1.0, 5.0, -1.0], [3.0, 5.0, -1.0]])
    assert mixing.visited(series).tolist() == [2, 1, 0]
    assert mixing.switches(series).tolist() == [40, 0, 0]  # 3 to 7 and back, in 5 steps; steps of nothing are left out


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time_of_a_normal_chain(script, rho):
    mixing, series = script("mixing"), autoregression(4000, 8, rho)
    assert mixing.autocorrelation_time(series) == pytest.approx((1 + rho) / (1 - rho), rel=0.1)
    apart = series + 10 * torch.arange(8)
    assert mixing.autocorrelation_time(apart) > 100 * mixing.autocorrelation_time(series)
    assert mixing.r_hat(apart) == evaluation.r_hat(apart) > 3


def test_a_chain_that_stands_still(script):
    mixing = script("mixing")
    series = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    series[:, 1] = 1.0
    assert mixing.autocorrelation_time(series) == mixing.r_hat(series) == math.inf
    assert script("variants").told(math.inf, ".1f") == "stands"
    assert script("variants").told(math.nan, ".1f") == "-"


def test_clusters_of_a_class(script):
    """Four points in the plane, each with a cloud far smaller than their distance: two of each class."""
    points = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    clouds = points.repeat_interleave(50, 0) + 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 1, 1]).repeat_interleave(50)
    found = script("mixing").centres(clouds, labels, k=2, seed=0)
    for own, of in zip(found, points.double().view(2, 2, 2), strict=True):
        assert (torch.cdist(own, of).min(0).values < 0.1).all()


def test_the_judge_sees_what_is_asked(script):
    """Bundled digits: where the judge sees another digit than that asked, no mode counts."""
    from types import SimpleNamespace

    import ppgn

    mixing, judge = script("mixing"), pretrained.network("mnist", "judge")
    pipeline = ppgn.load("mnist", settings={"levels": 30})
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, [1, 7]))
    images = ppgn.sample(asked, 2, 40, 0, progress=False).images
    state = SimpleNamespace(terms=SimpleNamespace(image=images))
    seen = mixing.digit_seen(judge)(state)
    assert set(seen.tolist()) <= {-1, 1, 7}
    modes = torch.stack([judge.features(images).detach().double()] * 10)
    assert mixing.mode_seen(judge, modes, torch.tensor([1, 7]))(state).tolist() == [
        0 if seen[0] == 1 else -1,
        1 if seen[1] == 7 else -1,
    ]
    assert mixing.mode_seen(judge, modes, torch.tensor([7, 1]))(state).tolist() == [-1, -1]


def test_what_was_found_is_kept_until_what_it_is_of_changes(script, tmp_path):
    variants = script("variants")
    times = []

    def measure():
        times.append(1)
        return variants.Mixing(math.nan, 0.1, math.inf, 1.25, 3.0)

    first = variants.Mixing(**variants.kept(tmp_path, "x", {"a": 1}, measure))
    again = variants.Mixing(**variants.kept(tmp_path, "x", {"a": 1}, measure))
    assert (again.changes, again.time, again.r_hat) == (first.changes, first.time, first.r_hat) == (0.1, math.inf, 1.25)
    assert math.isnan(again.digits)
    assert len(times) == 1
    variants.kept(tmp_path, "x", {"a": 2}, measure)
    assert len(times) == 2


def test_every_way_is_a_variant_and_has_its_cells(script):
    variants = script("variants")
    assert {way.variant for way in variants.WAYS} == set(pretrained.describe("mnist")["variants"])
    floor = variants.Score(judge=0.99, guide=1.0, distance=0.2, spread=4.0, seconds=0.0)
    scores = [variants.Score(0.97, 0.99, 0.6, 4.0, 10.0), variants.Score(0.99, 0.99, 0.8, 2.0, 12.0)]
    mixed = variants.Mixing(math.nan, 0.125, math.inf, 1.25, 3.0)
    cells = variants.row("x", scores, floor, mixed, 11.4)
    assert cells == [
        "x", "98.0 ± 1.0 %", "99.0 ± 0.0 %", "0.70 ± 0.10", "3.5 ± 0.5", "0.75 ± 0.25",
        "-", "0.12", "stands", "1.25", "3.0", "11",
    ]  # fmt: skip
    assert len(cells) == len(variants.HEAD) == len(variants.row("real", [floor], floor, None, None))


@pytest.mark.parametrize("variant", ["ppgn-x", "dgn-am"])
def test_schedules_are_stretched_to_the_walk(script, variant):
    variants = script("variants")
    way = next(way for way in variants.WAYS if way.variant == variant)
    (schedule,) = variants.settings_of(way, 400).values()
    assert schedule["steps"] == 400


@pytest.mark.filterwarnings("ignore::ppgn.SamplingWarning")  # so few steps make no draws
def test_the_picture(script):
    drawn = script("gallery_variants").side_by_side(each=1, steps=2)
    assert drawn.image.height >= 6 * 84
    assert drawn.told.startswith("2 steps, seed 0, the first chain of each digit whatever came of it")
