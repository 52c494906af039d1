from __future__ import annotations

import math
from pathlib import Path

import pytest

from ppgn import ablation
from ppgn.ablation import Block, Design, Range, of_axes, parsed, read


def test_a_grid_is_every_combination_once():
    design = of_axes({"eps_noise": [0, 0.1, 0.1], "gamma": [1, 2], "start": ["own"]}, steps=7)
    found = design.settings()
    assert len(found) == 4
    assert found[1] == {"model": "mnist", "steps": 7, "eps_noise": 0.0, "gamma": 2.0, "start": "own"}
    assert design.varied == ["eps_noise", "gamma"]


def test_blocks_are_joined_and_what_both_have_is_walked_once():
    blocks = Block({"eps_noise": (0.0, 1.0)}), Block({"eps_noise": (1.0, 2.0)}), Block({"eps_prior": (0.5,)})
    assert [one.get("eps_noise") for one in Design(blocks).settings()] == [0.0, 1.0, 2.0, None]


def test_ranges_in_a_grid():
    assert [one["gamma"] for one in of_axes({"gamma": Range(0, 1, count=5)}).settings()] == [0, 0.25, 0.5, 0.75, 1]
    found = of_axes({"eps_noise": Range(1e-3, 1, "log", 4)}).settings()
    assert [one["eps_noise"] for one in found] == [0.001, 0.01, 0.1, 1.0]


@pytest.mark.parametrize("kind", ["sobol", "latin-hypercube", "random"])
def test_drawn_designs_fill_their_ranges_and_depend_on_the_seed_alone(kind):
    axes = {
        "eps_noise": Range(1e-3, 10, "log"),
        "gamma": Range(0, 2),
        "steps": Range(1, 9),
        "mode": ("paper", "released"),
    }

    def drawn(seed):
        return Block(axes, kind, 16, seed).settings()

    found = drawn(0)
    assert found == drawn(0)
    assert found != drawn(1)
    assert len(found) == 16
    assert all(1e-3 <= one["eps_noise"] <= 10 and 0 <= one["gamma"] <= 2 for one in found)
    assert all(isinstance(one["steps"], int) and 1 <= one["steps"] <= 9 for one in found)
    assert {one["mode"] for one in found} == {"paper", "released"}
    if kind != "random":  # one point in each sixteenth of every range, as either promises
        shares = sorted(math.log10(one["eps_noise"] / 1e-3) / 4 for one in found)
        assert all(i / 16 - 1e-5 <= share <= (i + 1) / 16 + 1e-5 for i, share in enumerate(shares))
        assert sum(one["mode"] == "paper" for one in found) == 8


def test_axes_are_replaced_where_they_are_or_added_everywhere():
    design = Design((Block({"eps_noise": (0.0,)}), Block({"gamma": (1.0,)})))
    assert [dict(one.axes) for one in design.with_axes({"gamma": (2.0, 3.0)}).blocks] == [
        {"eps_noise": (0.0,)}, {"gamma": (2.0, 3.0)},
    ]  # fmt: skip
    assert all(one.axes["start"] == ("real",) for one in design.with_axes({"start": ("real",)}).blocks)


def test_a_file_says_the_same_as_axes(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'about = "a"\nn = 2\nseeds = 1\nlabels = [3, 7]\nkind = "sobol"\npoints = 4\nseed = 5\n[fixed]\n'
        'variant = "ppgn-h"\n[axes]\neps_noise = {low = 1e-3, high = 1, scale = "log"}\nstart = ["own", "real"]\n'
    )
    design = read(path)
    axes = {"eps_noise": Range(1e-3, 1, "log"), "start": ["own", "real"]}
    same = of_axes(axes, n=2, seeds=1, kind="sobol", points=4, seed=5, labels=[3, 7])
    assert design == Design(same.blocks, 2, 200, 1, {"variant": "ppgn-h"}, (3, 7), "a")


@pytest.mark.parametrize("name", ablation.ready())
def test_ready_designs_fit_the_bundle(name):
    planned = ablation.plan(read(name))
    assert planned.design.about
    assert len({cell.id for cell in planned.cells}) == len(planned.cells) >= 10
    assert [cell.id for cell in ablation.plan(read(name)).cells] == [cell.id for cell in planned.cells]


def test_ids_depend_on_all_that_the_numbers_do():
    def ids(**numbers):
        return {
            cell.id for cell in ablation.plan(of_axes({"variant": ["ppgn-h"], "eps_noise": [0.5]}, **numbers)).cells
        }

    first = ids(seeds=1, steps=3, n=1)
    assert ids(seeds=2, steps=3, n=1) > first
    for other in (ids(seeds=1, steps=4, n=1), ids(seeds=1, steps=3, n=2), ids(seeds=1, steps=3, n=1, labels=[3])):
        assert not other & first
    swapped = of_axes({"variant": ["ppgn-h"], "eps_noise": [0.5], "generator": ["generator-noiseless"]}, steps=3, n=1)
    assert not {cell.id for cell in ablation.plan(swapped).cells} & first


@pytest.mark.parametrize(
    ("text", "values"),
    [("0,1e-3, 2", (0.0, 0.001, 2.0)), ("0..1", Range(0, 1)), ("1e-3..1:log", Range(1e-3, 1, "log")),
     ("0..1:5", Range(0, 1, "linear", 5)), ("1..2:log:3", Range(1, 2, "log", 3))],
)  # fmt: skip
def test_axes_from_the_command_line(text, values):
    assert parsed("eps_noise", text) == values


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("esp_noise", "1", "axis must be one that can be varied, got 'esp_noise'; did you mean eps_noise"),
        ("qqqq", "1", "got 'qqqq'; there are model, variant"),
        ("eps_noise", "a", "axis eps_noise must have finite numbers, got 'a'"),
        ("eps_noise", "nan", "axis eps_noise must have finite numbers, got nan"),
        ("eps_noise", "-1", "axis eps_noise must have numbers of at least 0, got -1.0"),
        ("step_size", "0", "axis step_size must have numbers above 0, got 0.0"),
        ("steps", "1.5", "axis steps must have whole numbers, got 1.5"),
        ("mode", "papre", "axis mode must have values of paper, released, calibrated, got 'papre'"),
        ("gamma", "", "axis gamma must have a value or more, got none"),
        ("gamma", "1..0", "a range must have low < high, and low > 0 if log, got 1..0, linear"),
        ("gamma", "0..1:log", "a range must have low < high, and low > 0 if log, got 0..1, log"),
        ("gamma", "0..1:cubic", r"a range must be LOW..HIGH\[:log\]\[:COUNT\], got '0..1:cubic'"),
        ("gamma", "0..1:1", "a range must have a count of 2 or more, got 1"),
    ],
)
def test_values_that_do_not_fit(name, text, message):
    with pytest.raises(ValueError, match=message):
        parsed(name, text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("n = [", "must be TOML"),
        ("", "a design must have an axis or more, got none"),
        ("[axes]", "a design must have an axis or more, got none"),
        ("[axes]\neps_noise = []", "axis eps_noise must have a value or more"),
        ("[axes]\neps_noise = [true]", "axis eps_noise must have finite numbers, got True"),
        ("[axes]\nstart = [1]", "axis start must have texts, got 1"),
        ("[axes]\nstart = {low = 0, high = 1}", "axis start must have a list of texts, got a range"),
        ("[axes]\ngamma = {low = 0, high = 1}", "axis gamma: a range in a grid needs a count, got 0..1"),
        ("[axes]\ngamma = {low = 0}", "a range must have low, high"),
        ("[axes]\ngamma = {low = 0, hi = 1}", "the range of axis gamma must have the entries .*, got hi"),
        ("kind = 'sobol'\n[axes]\ngamma = [1]", "a sobol design needs points, 1 or more, got None"),
        ("kind = 'sobel'\n[axes]\ngamma = [1]", "kind must be one of grid, sobol.*, got 'sobel'"),
        ("points = 3\n[axes]\ngamma = [1]", "points are for designs that are drawn"),
        ("points = 'a'\n[axes]\ngamma = [1]", "points must be a whole number from 0 on, got 'a'"),
        ("seed_count = 3\n[axes]\ngamma = [1]", "a design must have the entries .*, got seed_count"),
        ("[axes]\ngamma = [1]\n[[block]]\n", r"\[\[block\]\]s, or one \[axes\] table, not both"),
        ("[[block]]\naxis = 1", "a block must have the entries .*, got axis"),
        ("seeds = 0\n[axes]\ngamma = [1]", "seeds must be a whole number of at least 1, got 0"),
        ("n = 1.5\n[axes]\ngamma = [1]", "n must be a whole number of at least 1, got 1.5"),
        ("labels = [-1]\n[axes]\ngamma = [1]", r"labels must be whole numbers from 0 on, got \[-1\]"),
        ("labels = 3\n[axes]\ngamma = [1]", "labels must be a list, got 3"),
        ("labels = [3, 3]\n[axes]\ngamma = [1]", "labels must differ"),
        ("axes = 3", r"axes must be a table, as \[axes\], got 3"),
    ],
)
def test_files_that_are_no_design(tmp_path, content, message):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_no_such_design():
    with pytest.raises(FileNotFoundError, match=r"one of annealed, classifiers, epsilons.*, got epsilon"):
        read("epsilon")


def test_the_benchmark_s_design_of_denoisers_is_one():
    found = read(Path(__file__).parents[2] / "benchmarks" / "denoisers.toml")
    assert len(found.settings()) == 11
    calibrated = [one for one in found.settings() if one.get("mode") == "calibrated"]
    assert all(one["step_size"] == pytest.approx(one["denoiser_noise"] ** 2 / 2, rel=5e-3) for one in calibrated)
    assert len(calibrated) == 5
