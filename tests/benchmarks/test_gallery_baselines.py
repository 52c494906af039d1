"""The baselines' pictures, by untrained networks: they show what they say."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ppgn import models

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
NETWORKS = {
    "cnn": lambda: models.GatedPixelCNN(width=2, layers=1, kernel=3),
    "vae": lambda: models.DenseVAE(latent=5, hidden=(8,)),
    "flat": lambda: models.DenseVAE(latent=2, hidden=(8,)),
    "gan": lambda: models.UpconvGenerator(6, widths=(4, 4)),
    "plain": lambda: models.Autoencoder(latent=3, width=4),
}


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script, with a folder of small networks and a set of small digits."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found = importlib.import_module("gallery_baselines")
    for name, make in NETWORKS.items():
        models.save(models.build(make, 0), tmp_path / "runs" / name / "model.safetensors")
    monkeypatch.setattr(found, "NETWORKS", tmp_path / "runs")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (20, 28, 28)).astype(np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    monkeypatch.setattr(found, "DIGITS", tmp_path / "digits.npz")
    return found


def shown_by(script, monkeypatch, draw, *arguments, **options):
    """The images that a picture is made of, and what is told of it."""
    seen, layout = [], script.rows
    monkeypatch.setattr(script, "rows", lambda images, *others: seen.append(images) or layout(images, *others))
    drawn = draw(*arguments, **options)
    assert drawn.told.endswith(".")
    assert min(drawn.image.size) > 100
    return seen


def test_sheets_are_draws_as_they_come(script, monkeypatch):
    (images,) = shown_by(script, monkeypatch, script.sheet, "UpconvGenerator", n=9, columns=3)
    network = models.load(script.NETWORKS / "gan" / "model.safetensors")
    assert torch.equal(images, script.baselines.images_of(network, 9, script.SEED))
    (images,) = shown_by(script, monkeypatch, script.sheet, "GatedPixelCNN", n=4, columns=2)
    assert sorted(images.unique().tolist()) == [0, 1]


def test_a_sheet_of_a_vae_is_not_that_of_two_numbers(script, monkeypatch):
    (images,) = shown_by(script, monkeypatch, script.sheet, "DenseVAE", n=4, columns=2)
    network = models.load(script.NETWORKS / "vae" / "model.safetensors")
    assert torch.equal(images, script.baselines.images_of(network, 4, script.SEED))


def test_completions_keep_what_is_known(script, monkeypatch):
    (images,) = shown_by(script, monkeypatch, script.completions, fills=3)
    assert images.shape == (50, 1, 28, 28)
    whole, half, *fills = images.view(10, 5, 28, 28).unbind(1)
    assert torch.equal(half[:, :14], whole[:, :14])
    assert (half[:, 14:] == 0.5).all()
    for fill in fills:
        assert torch.equal(fill[:, :14], whole[:, :14])
    assert not torch.equal(fills[0], fills[1])


def test_the_manifold_is_of_the_codes_of_two_numbers(script, monkeypatch):
    (images,) = shown_by(script, monkeypatch, script.manifold, n=5)
    network = models.load(script.NETWORKS / "flat" / "model.safetensors")
    assert torch.allclose(images[12], network(torch.zeros(1, 2))[0])  # the middle is the mode
    assert len(images) == 25


def test_ways_begin_and_end_at_digits(script, monkeypatch):
    straight, circles = shown_by(script, monkeypatch, script.between, steps=3)
    network = models.load(script.NETWORKS / "vae" / "model.safetensors")
    x = script.data.to_float(script.shown_digits().images)
    ends = network(network.encoder(x))
    assert torch.allclose(straight.view(10, 3, 1, 28, 28)[:, 0], ends, atol=1e-6)
    assert torch.allclose(straight.view(10, 3, 1, 28, 28)[:, 2], ends.roll(-1, 0), atol=1e-6)
    gan = models.load(script.NETWORKS / "gan" / "model.safetensors")
    first = gan(script.baselines.codes(gan, 10, script.SEED))
    assert torch.allclose(circles.view(10, 3, 1, 28, 28)[:, 0], first, atol=1e-6)


def test_reconstructions_stand_beside_their_digits(script, monkeypatch):
    (images,) = shown_by(script, monkeypatch, script.reconstructed, each=1)
    network = models.load(script.NETWORKS / "plain" / "model.safetensors")
    pairs = images.view(10, 2, 1, 28, 28)
    assert torch.allclose(pairs[:, 1], network(network.encode(pairs[:, 0])), atol=1e-6)


def test_what_is_not_there_is_told(script, monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match="of RowLSTM, but has none"):
        script.sheet("RowLSTM")
    (tmp_path / "runs" / "flat" / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no DenseVAE or VAE of digits with codes of that length"):
        script.manifold()
    monkeypatch.setattr(script, "DIGITS", tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        script.completions()
