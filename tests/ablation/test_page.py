from __future__ import annotations

import json
import math
import re
import statistics

import numpy as np
import pytest
from ablation_folder import epsilons, results_folder
from PIL import Image

from ppgn.ablation import design, page
from ppgn.ablation.page import summary, views

BASE = {"model": "mnist", "steps": 200, "variant": "ppgn-h"}


def written(folder, **options):
    return page.write(folder.parent / f"{folder.name}.html", folder, **options).read_text()


def content(text, name="content"):
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text)[1])


def found(settings):
    """Settings without figures, in the order of the report."""
    return summary.settings(
        [{"id": str(i), "settings": one, "seed": 0, "figures": {}} for i, one in enumerate(settings)]
    )


def drawn(settings):
    """(axis, label of the chart) -> label of the line -> how many settings."""
    own = found(settings)
    return {
        (view["axis"], view["label"]): {line["label"]: len(line["points"]) for line in view["lines"]}
        for view in views.curves(own, summary.varied(own))
    }


def mapped(settings):
    own = found(settings)
    return [(m["x"], m["y"], m["label"], m["grid"], len(m["settings"])) for m in views.maps(own, summary.varied(own))]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, rows, the report's text)."""
    folder = tmp_path_factory.mktemp("page") / "out"
    rows = results_folder(folder, epsilons((0.0, 1.87), (0.0, 5.25)), n=3, noise=5)
    return folder, rows, written(folder)


def test_means_and_errors_are_of_the_rows(made):
    _, rows, text = made
    shown = content(text)
    for one in shown["settings"]:
        own = [row for row in rows if row["settings"] == {k: v for k, v in one["values"].items() if v is not None}]
        assert len(own) == len(one["cells"]) == 3
        assert [shown["cells"][place]["seed"] for place in one["cells"]] == [0, 1, 2]
        values = [row["figures"]["judge"] for row in own if row["error"] is None]
        mean, error, n = one["figures"]["judge"]
        assert n == len(values)
        assert mean == pytest.approx(statistics.fmean(values), abs=1e-12)
        assert error == pytest.approx(statistics.stdev(values) / math.sqrt(n), abs=1e-12)
    assert shown["floors"] == {"mnist": {"judge": [0.99, 0.0, 2], "distance": [4.5, 0.5, 2], "spread": [1.0, 0.0, 2],
                                         "coverage": [0.95, 0.0, 2]}}  # fmt: skip


def test_a_single_seed_has_no_error(tmp_path):
    results_folder(tmp_path / "out", [BASE, {**BASE, "eps_noise": 1.0}], seeds=1, n=1, failing=None)
    text = written(tmp_path / "out")
    assert content(text)["settings"][0]["figures"]["judge"][1:] == [None, 1]
    assert "±" not in re.search(r"<tbody>.*</tbody>", text, re.S)[0]


def test_the_best_and_those_within_the_errors_of_it():
    rows = [{"id": f"{a}{seed}", "seed": seed, "settings": {"a": a}, "figures": {"judge": value + 0.1 * seed}}
            for a, value in (("x", 0.5), ("y", 0.55), ("z", 0.2)) for seed in range(2)]  # fmt: skip
    own = summary.settings(rows)  # each has an error of 0.05, two of them sqrt(2) times that
    assert summary.best(own, "judge", "high") == [1, 0]
    assert summary.best(own, "judge", "low") == [2]
    assert summary.best(own, "judge", "one") == [1, 0]
    assert summary.best(own, "judge", None) == summary.best(own[:1], "judge", "high") == []


def test_lines_are_of_settings_that_differ_in_one_axis():
    sweeps = [{**BASE, name: value} for name in ("eps_prior", "eps_noise") for value in (0.0, 0.1, 1.0)]
    assert drawn(sweeps) == {("eps_prior", ""): {"": 3}, ("eps_noise", ""): {"": 3}}
    assert mapped(sweeps) == []
    noises = [{**BASE, "variant": "joint", "mode": "released", "eps_noise": n} for n in (0.0, 0.01, 1.0)]
    lone = {"model": "mnist", "steps": 200, "variant": "annealed"}
    assert drawn([*noises, lone, *({**BASE, "eps_noise": n} for n in (0.0, 1.0))]) == {
        ("eps_noise", ""): {"annealed": 1, "joint": 3, "ppgn-h": 2}
    }


def test_many_lines_are_drawn_text_by_text():
    grid = [{**BASE, "variant": v, "eps_noise": n, "gamma": g} for v in "uv" for n in (0.0, 1.0) for g in range(5)]
    four = dict.fromkeys(("eps_noise 0", "eps_noise 1"), 5)
    five = dict.fromkeys((f"gamma {g}" for g in range(5)), 2)
    assert drawn(grid) == {
        ("eps_noise", "u"): five, ("eps_noise", "v"): five,
        ("gamma", ""): {f"{v}, {label}": n for v in "uv" for label, n in four.items()},
    }  # fmt: skip
    assert mapped(grid) == [("gamma", "eps_noise", v, True, 10) for v in "uv"]


def test_scattered_settings_are_dots():
    rng = np.random.default_rng(0)
    some = [{**BASE, "eps_prior": float(a), "eps_noise": float(b)} for a, b in rng.uniform(0, 1, (7, 2))]
    assert drawn(some) == {("eps_prior", ""): {"": 7}, ("eps_noise", ""): {"": 7}}
    assert mapped(some) == [("eps_noise", "eps_prior", "", False, 7)]
    assert mapped(some[:5]) == []


@pytest.mark.parametrize("name", design.ready())
def test_ready_designs_have_labels_that_differ(name):
    own = found(design.read(name).settings())
    axes = summary.varied(own)
    labels = views.labels([tuple(one.values[axis] for axis in axes) for one in own], axes)
    assert len(set(labels)) == len(own)
    assert views.curves(own, axes)
    assert sorted(i for part in views.groups(own, axes) for i in part["settings"]) == list(range(len(own)))


def test_every_cell_has_its_pictures_and_equal_ones_are_shared(made):
    folder, rows, text = made
    shown, kept = content(text), content(text, "pictures")
    cells = {cell["id"]: cell for cell in shown["cells"]}
    for row in rows:
        cell = cells[row["id"]]
        assert (cell["picture"] is None) == (row["error"] is not None)
        assert cell["command"] == row["command"]
        if cell["picture"]:
            assert cell["picture"] in kept
            with Image.open(folder / "pictures" / f"{row['id']}.png") as image:
                assert shown["sizes"][cell["picture"]] == list(image.size)
    assert len(kept) == len({cell[kind] for cell in cells.values() for kind in ("picture", "walk")} - {None})


def test_equal_pictures_of_several_cells_are_kept_once(tmp_path):
    rows = results_folder(tmp_path / "out", [BASE], seeds=3, n=2, walks=False, failing=None)
    same = (tmp_path / "out" / "pictures" / f"{rows[0]['id']}.png").read_bytes()
    for row in rows:
        (tmp_path / "out" / "pictures" / f"{row['id']}.png").write_bytes(same)
    text = written(tmp_path / "out")
    assert len(content(text, "pictures")) == 1
    assert text.count("data:image/webp") == 1


def test_the_same_folder_gives_the_same_bytes(made):
    folder, _, text = made
    assert written(folder, limit=len(text.encode())) == text


def test_folders_of_one_design_are_joined(tmp_path, made):
    folder, rows, text = made
    for part in range(2):
        one = tmp_path / f"part{part}"
        for name in ("cells", "pictures", "walks"):
            (one / name).mkdir(parents=True)
        (one / "design.json").write_bytes((folder / "design.json").read_bytes())
        for row in rows[part::2]:
            for path in folder.glob(f"*/{row['id']}.*"):
                (one / path.parent.name / path.name).write_bytes(path.read_bytes())
    assert page.write(tmp_path / "both.html", tmp_path / "part0", tmp_path / "part1").read_text() == text


def test_pictures_over_the_limit_are_left_out_the_later_seeds_first(tmp_path):
    results_folder(tmp_path / "out", [BASE, {**BASE, "eps_noise": 1.87}], seeds=3, n=4, failing=None)
    kept = []
    for limit in (10_000, 170_000, 340_000, 2_000_000):
        text = written(tmp_path / "out", limit=limit)
        assert len(text.encode()) <= limit or limit == 10_000
        (said,) = [*re.findall(r'<p class="said">(.*?) (?:are kept|seed)', text), "all"][:1]
        kept.append((said, len(content(text, "pictures"))))
    first = "Pictures of each setting's first"
    assert kept == [("No pictures", 0), (first, 2), (first, 4), ("all", 12)]


def test_a_hundred_cells_of_noisy_pictures_are_less_than_twenty_megabytes(tmp_path):
    settings = [{**BASE, "eps_noise": 3.0 + i / 100} for i in range(25)]
    results_folder(tmp_path / "out", settings, seeds=4, n=10, failing=None)
    text = written(tmp_path / "out")
    assert len(text.encode()) <= 20_000_000
    assert len(content(text, "pictures")) == 200


def test_names_that_look_like_markup_are_text(tmp_path):
    evil = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "<!--<script>"]
    results_folder(tmp_path / "out", [{**BASE, "variant": text} for text in evil], seeds=1, n=1, about=evil[1])
    text = written(tmp_path / "out")
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>") == 3
    assert sorted(one["values"]["variant"] for one in content(text)["settings"]) == sorted(evil)


def test_all_that_may_be_absent_is(tmp_path):
    results_folder(tmp_path / "out", [BASE], seeds=1, n=1, walks=False, failing=0)
    header = json.loads((tmp_path / "out" / "design.json").read_text())
    (tmp_path / "out" / "design.json").write_text(json.dumps({"design": {}, "measure": "mine", "judged": {}}))
    for path in (tmp_path / "out" / "cells").iterdir():
        row = json.loads(path.read_text())
        kept = {name: row[name] for name in ("id", "settings", "seed", "n", "labels", "figures", "reasons", "error")}
        path.write_text(json.dumps(kept))
    text = written(tmp_path / "out")
    assert "An ablation of plug-and-play samplers" in text
    assert "Measured by a function of the caller" in text
    assert "Failed, " in text
    assert header["told"]["about"] not in text


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder of results"):
        page.write(tmp_path / "report.html", tmp_path)
    results_folder(tmp_path / "out", [], seeds=1)
    with pytest.raises(ValueError, match="a report needs a row or more, got none"):
        page.write(tmp_path / "report.html", tmp_path / "out")
    with pytest.raises(ValueError, match="a report needs a folder of results or more, got none"):
        page.write(tmp_path / "report.html")


def test_the_made_up_design_is_a_grid_and_more():
    assert mapped(epsilons()) == [("eps_noise", "eps_condition", "", True, 20)]
