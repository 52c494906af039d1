"""The table of families: distances in closed form, floors, draws, and a row for all that a network makes."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ppgn import evaluation, models

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
SHAPE = (1, 8, 8)


class Corner:
    """A judge whose features are four pixels of the middle."""

    def features(self, x):
        return x[:, 0, 3:5, 3:5].flatten(1)


@pytest.fixture
def script(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    readme = tmp_path / "README.md"
    readme.write_text("<!-- families -->\n<!-- /families -->\n")
    monkeypatch.setattr(importlib.import_module("tables"), "README", readme)
    return importlib.import_module("families")


@pytest.fixture
def rule(script, small_images):
    test = small_images.images[:400].float() / 255
    return script.rule(Corner(), small_images, test, 600)


def vae():
    return models.build(lambda: models.VAE(SHAPE, latent=3, width=4), 0)


def saved(folder, shape=SHAPE):
    networks = {
        "conv": (models.VAE(shape, latent=3, width=4), {"family": "vae"}),
        "dense": (models.DenseVAE(shape, latent=3, hidden=(8,)), {"family": "vae"}),
        "both": (models.VAE(shape, latent=3, width=4), {"family": "vaegan"}),
        "gan": (models.UpconvGenerator(2, shape, (4, 4)), {}),
        "plain": (models.Autoencoder(shape, latent=3, width=4), {}),
        "cnn": (models.GatedPixelCNN(shape, width=2, layers=1, kernel=3), {}),
    }
    for name, (network, trained) in networks.items():
        models.save(network, folder / name / "model.safetensors", {"trained": trained})


def test_a_distance_is_the_square_of_a_shift(script, rule, small_images):
    x = small_images.images[:400].float() / 255
    assert abs(rule.distance(x, "grey")) < 1e-6
    assert rule.distance(x + 0.5, "grey") == pytest.approx(4 * 0.5**2, abs=1e-6)
    assert np.isnan(rule.distance(x[:4], "grey"))


def test_black_and_white_images_have_a_reference_and_a_floor_of_their_own(script, rule):
    assert sorted(rule.train["black and white"].unique().tolist()) == [0, 1]
    floor = rule.floor("black and white", 300, 3)
    assert len(floor) == 2  # of 600 images
    assert floor == [rule.distance(part, "black and white") for part in rule.train["black and white"].split(300)]
    assert 3 * max(floor) < rule.distance(rule.train["grey"][:300], "black and white")  # greys have less variance


def test_draws_have_the_probabilities_that_the_decoder_tells(script):
    network = models.build(lambda: models.DenseVAE(SHAPE, latent=3, hidden=(8,)), 0).eval().requires_grad_(False)
    network.decoder[-1].weight.zero_()
    chances = torch.linspace(0.1, 0.9, 64)
    network.decoder[-1].bias.copy_(chances.logit())
    found = script.drawn_by(network, seed=0, n=2000)
    assert sorted(found.unique().tolist()) == [0, 1]
    error = (chances * (1 - chances) / 2000).sqrt()
    assert ((found.flatten(1).mean(0) - chances).abs() < 4.5 * error).all()
    assert torch.equal(script.drawn_by(network, seed=0, n=700), found[:700])


def test_reconstructions_go_through_the_mean_code(script):
    network, x = vae(), torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(script.reconstructions(network, x), network(network.encode(x)[0]))
    auto = models.build(lambda: models.Autoencoder(SHAPE, latent=3, width=4), 0)
    with torch.no_grad():
        assert torch.equal(script.reconstructions(auto, x), auto(auto.encode(x)))
    assert script.reconstructions(models.UpconvGenerator(2, SHAPE, (4, 4)), x) is None


def test_every_network_has_its_rows(script, rule, small_images, tmp_path):
    saved(tmp_path)
    found = script.baselines.networks(tmp_path, script.ORDER)
    x = small_images.images[:50].float() / 255
    rows = script.table(found, rule, x, seeds=2, n=60, pixel_n=20)
    names = [(row[0].split()[0], row[1]) for row in rows]
    assert names == [
        ("dense", "means of p(x given z)"), ("dense", "draws of p(x given z)"),
        ("conv", "means of p(x given z)"), ("conv", "draws of p(x given z)"),
        ("both", "means of p(x given z)"), ("gan", "means of p(x given z)"), ("plain", "-"), ("cnn", "pixel by pixel"),
    ]  # fmt: skip
    assert all(len(row) == len(script.HEAD) for row in rows)
    by = {row[0].split()[0]: row for row in reversed(rows)}
    assert by["conv"][7] == "1.00"  # the VAE's error over itself
    assert by["gan"][6:] == ["-", "-", "-"]
    network = models.load(tmp_path / "both" / "model.safetensors")
    error = float((evaluation.in_parts(lambda part: network(network.encoder(part)), x) - x).square().mean())
    assert by["both"][6] == f"{error:.4f}"
    drawn = [script.baselines.images_of(network, 60, seed) for seed in (0, 1)]
    assert by["both"][3] == script.tables.mean_and_error([rule.distance(x, "grey") for x in drawn], ".2f")


def test_pixels_are_drawn_once_and_do_not_depend_on_how_many(script, tmp_path, monkeypatch):
    saved(tmp_path)
    found = script.baselines.networks(tmp_path, ["GatedPixelCNN"])[0]
    monkeypatch.setattr(script.baselines, "TOGETHER", 3)
    few = script.baselines.draws(found, 4, seed=1)
    more = script.baselines.draws(found, 7, seed=1)
    assert torch.equal(more[:4], few)
    monkeypatch.setattr(script.baselines, "images_of", None)
    assert torch.equal(script.baselines.draws(found, 5, seed=1), more[:5])


def test_the_table_is_written(script, tmp_path):
    rng = np.random.default_rng(0)
    blobs = (rng.random((500, 7, 7)) * 255).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    labels = np.arange(500) % 10
    np.savez(tmp_path / "x.npz", x_train=blobs[:300], y_train=labels[:300], x_test=blobs[300:], y_test=labels[300:])
    saved(tmp_path / "runs", (1, 28, 28))
    models.save(models.VAE((3, 32, 32), 2, 4), tmp_path / "runs" / "colours" / "model.safetensors")
    only = ["--only", "both", "plain", "colours"]
    script.main(["--networks", str(tmp_path / "runs"), "--data", str(tmp_path / "x.npz"), "--quick", "80", *only])
    text = script.tables.README.read_text()
    assert text.count("`VAEGAN`") == text.count("`Autoencoder`") == 1
    assert "colours" not in text
