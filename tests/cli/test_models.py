from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ppgn import pretrained
from ppgn.cli import app
from ppgn.pretrained import catalogue


def models(*arguments):
    done = CliRunner().invoke(app, ["models", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PPGN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_an_empty_cache_says_where_it_is(home):
    assert f"Nothing was downloaded yet (the cache is {home})" in models()


def test_what_was_downloaded_is_listed_by_source(home):
    snapshot = home / "hub" / "models--user--digits" / "snapshots" / "0123456789abcdef"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(b"x" * 1000)
    (snapshot / "generator.safetensors").write_bytes(b"x" * 1000)
    (home / "alone.bin").write_bytes(b"x" * 12)
    out = models()
    assert f"Downloaded to {home}:\n" in out
    assert "  user/digits at 01234567: 2 files, 2 kB\n" in out
    assert "  .: alone.bin, 12 B\n" in out


def test_a_card_shows_what_a_user_asks_of_a_network():
    out = models("mnist")
    assert 'ppgn.load("mnist")' in out
    ladder = out[out.index("\nladder: ") :]
    for line in (
        "  network     LadderDenoiser: blocks 4, code 128, dropout 0.1, embedding 64, width 384",
        "  works on    codes of 128",
        "  trained on  MNIST, training images 0:30000; seed 0",
        "  measured    test error over the best linear, sigma 0.2  0.4593",
        "              test error over the best linear, sigma 0.5  0.3734",
        "  source      trained here, by command",
        "  licence     MIT",
    ):
        assert f"{line}\n" in ladder
    assert "  works on    images in [0, 1], codes of 128\n" in out
    assert "image_shape 1x28x28, widths 48/32/16\n" in out


def test_json_holds_the_cards():
    found = json.loads(models("--json"))
    assert found["cached"] == []
    assert list(found["bundles"]) == catalogue.bundles()
    judge = found["bundles"]["mnist"]["networks"]["judge"]
    assert judge["sha256"] == pretrained.card("mnist", "judge").sha256
    assert list(json.loads(models("mnist", "--json"))["bundles"]) == ["mnist"]


def test_classes_are_shown_as_label_takes_them():
    assert "10 classes: T-shirt/top, Trouser, Pullover, " in models("fashion")
    assert "; 10 classes\n" in models("mnist")


def test_a_bundle_that_needs_a_part_of_somebody_elses(tmp_path, monkeypatch):
    (tmp_path / "half").mkdir()
    described = {"description": "half a pipeline", "variants": {}, "needs": "bring the rest", "networks": []}
    (tmp_path / "half" / "bundle.json").write_text(json.dumps(described))
    monkeypatch.setattr(catalogue, "WEIGHTS", tmp_path)
    assert "half: half a pipeline\n  bring the rest" in models("half")
    assert "half: half a pipeline\n  bring the rest" in models()
