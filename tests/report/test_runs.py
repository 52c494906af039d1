from __future__ import annotations

import json
import re

import pytest
import torch

import ppgn
from ppgn import images
from ppgn.report import run_page


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(tensors, record, picture) of a short run of two labels."""
    pipeline = ppgn.load("mnist", "ppgn-h")
    labels = torch.tensor([3, 3, 7, 7])
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, labels))
    samples = ppgn.sample(asked, 4, 6, 0, frames=3, progress=False)
    path = tmp_path_factory.mktemp("run") / "grid.png"
    images.grid(samples.images).save(path)
    return samples.tensors(), samples.header(), path


def content(html, name="content"):
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', html, re.S)[1])


def test_what_a_run_is_told_by(run):
    tensors, record, _ = run
    html = run_page(*run)
    told = content(html)
    assert [one["label"] for one in told["curves"]] == ["3", "7"]
    for one, rows in zip(told["curves"], (slice(0, 2), slice(2, 4)), strict=True):
        steps, means = zip(*one["points"], strict=True)
        assert steps == tuple(range(7))
        wanted = tensors["log_condition"][:, rows].mean(1).tolist()
        assert means == pytest.approx(wanted, abs=1e-5)
    assert told["film"]["steps"] == tensors["frame_steps"].tolist()
    assert content(html, "pictures")["walk"].startswith("data:image/webp;base64,")
    assert "<dd>not exact</dd>" in html
    for sha256 in record["weights"].values():
        assert sha256 in html
    assert run_page(*run) == html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_pictures_over_the_limit_are_left_out_the_walk_first(run):
    whole = run_page(*run)
    still = len(re.search(r'<img src="([^"]*)"', whole)[1])
    assert content(run_page(*run, limit=still + 50), "pictures") == {}
    assert "<img" in run_page(*run, limit=still + 50)
    assert "<img" not in run_page(*run, limit=10)


def test_a_run_without_labels_or_a_walk(run):
    tensors, record, path = run
    bare = {name: value for name, value in tensors.items() if name != "labels"}
    bare["frames"] = bare["frames"][:0]
    told = content(run_page(bare, record, path))
    assert told["film"] is None
    assert [one["label"] for one in told["curves"]] == [""]
    assert told["curves"][0]["points"][-1][1] == pytest.approx(float(tensors["log_condition"][-1].mean()), abs=1e-5)


def test_many_labels_are_one_curve(run):
    tensors, record, path = run
    many = {**tensors, "labels": torch.arange(4), "log_condition": torch.zeros(3, 4)}
    assert len(content(run_page(many, record, path))["curves"]) == 4
    many = {name: torch.cat([many[name]] * 2, -1) for name in ("labels", "log_condition")}
    many["labels"] = torch.arange(8)
    (one,) = content(run_page({**tensors, **many}, record, path))["curves"]
    assert one == {"label": "", "points": [[0, 0.0], [1, 0.0], [2, 0.0]]}
