"""The table of likelihoods: the numbers of the library, over whole sets, and resumed."""

from __future__ import annotations

import importlib
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ppgn import data, models, training

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
SHAPE = (1, 8, 8)
TRAINED = {"steps": 30, "batch_size": 100, "seed": 4, "part": ":"}
NETWORKS = {
    "cnn": lambda: models.GatedPixelCNN(SHAPE, width=4, layers=2, kernel=3),
    "row": lambda: models.RowLSTM(SHAPE, width=4, layers=1),
    "diagonal": lambda: models.DiagonalBiLSTM(SHAPE, width=4, layers=1),
    "vae": lambda: models.DenseVAE(SHAPE, latent=3, hidden=(16,)),
}


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script, its README replaced by one with a place for the table."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    readme = tmp_path / "README.md"
    readme.write_text("<!-- likelihoods -->\n<!-- /likelihoods -->\n")
    monkeypatch.setattr(importlib.import_module("tables"), "README", readme)
    return importlib.import_module("likelihoods")


@pytest.fixture
def folder(tmp_path):
    for name, make in NETWORKS.items():
        path = tmp_path / "runs" / name / "model.safetensors"
        models.save(models.build(make, 0), path, {"trained": {"family": name, **TRAINED}})
    other = {"trained": {"family": "vaegan"}}
    models.save(models.VAE(SHAPE, 2, 4), tmp_path / "runs" / "vaegan" / "model.safetensors", other)
    models.save(models.DenseVAE(SHAPE, 2, (4,)), tmp_path / "runs" / "flat" / "model.safetensors")
    models.save(models.UpconvGenerator(2, SHAPE, (4, 4)), tmp_path / "runs" / "gan" / "model.safetensors")
    return tmp_path / "runs"


def grey(n):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["cnn", "row", "diagonal"])
def test_exact_values_are_those_of_the_library(script, name):
    network, x = models.build(NETWORKS[name], 0).eval().requires_grad_(False), grey(7)
    found = -script.exact(network, script.black_and_white(x, 3), torch.zeros(7))
    assert found.shape == (7,)
    assert math.isclose(float(found.mean()), training.nats(network, x, binarise_seed=3), rel_tol=1e-6)


def test_a_network_with_classes_is_given_the_labels(script):
    network = models.build(lambda: models.GatedPixelCNN(SHAPE, width=4, layers=1, classes=5), 0).eval()
    torch.nn.init.normal_(network.layers[0].label.weight, generator=torch.Generator().manual_seed(1))
    x, labels = (grey(6) > 0.5).float(), torch.arange(6) % 5
    with torch.no_grad():
        expected = network.log_prob(x, labels).double()
        assert torch.allclose(script.exact(network, x, labels), expected, rtol=1e-6)
        assert not torch.allclose(script.exact(network, x, labels.flip(0)), expected, rtol=1e-4)


def test_bounds_of_a_model_whose_likelihood_is_known(script):
    """A decoder that does not look at its code: log p(x) = -64 log 2, q is the prior, and both bounds are exact."""
    network = models.DenseVAE(SHAPE, latent=3, hidden=(4,)).eval().requires_grad_(False)
    for last in (network.decoder[-1], network.encoder.layers[-1]):
        last.weight.zero_()
    x = (grey(25) > 0.5).float()
    expected = torch.full((25,), -64 * math.log(2), dtype=torch.float64)
    assert torch.allclose(script.elbo(network, x, seed=0), expected, atol=1e-4)
    assert torch.allclose(script.importance(network, x[:10], 20, 0, torch.float32), expected[:10], atol=1e-4)
    assert abs(script.rounding(network, x, 20, seed=0)) < 1e-4


def test_importance_weights_raise_the_bound(script):
    network, x = models.build(NETWORKS["vae"], 0).eval().requires_grad_(False), (grey(20) > 0.5).float()
    network.decoder[-1].weight.mul_(100)  # so that codes matter
    single = script.elbo(network, x, seed=0, draws=200).mean()
    several = script.importance(network, x, 200, 0, torch.float32).mean()
    assert several > single + 0.5


def test_bounds_that_were_written_are_not_computed_again(script, tmp_path, monkeypatch):
    network, x = models.build(NETWORKS["vae"], 0).eval().requires_grad_(False), (grey(25) > 0.5).float()
    monkeypatch.setattr(script, "KEPT", 10)
    asked = (network, x, 5, 0, torch.float32, tmp_path / "bounds.safetensors")
    whole = script.all_bounds(*asked)
    assert whole.shape == (25,)
    (tmp_path / "bounds.safetensors").unlink()
    calls, compute = [], script.importance

    def cut(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(arguments[-1])
        return compute(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(script, "importance", cut)
        with pytest.raises(KeyboardInterrupt):
            script.all_bounds(*asked)
    again = script.all_bounds(*asked)
    assert calls == [0, 10]
    assert torch.equal(again, whole)
    with monkeypatch.context() as patched:
        patched.setattr(script, "importance", None)
        assert torch.equal(script.all_bounds(*asked), whole)
    network.decoder[-1].bias.add_(1)  # other weights: nothing is taken over
    assert not torch.allclose(script.all_bounds(*asked), whole)


def test_the_time_of_training_is_that_of_its_logs(script, tmp_path):
    assert script.seconds_of(tmp_path) is None
    for begun, ended in ((1000, 1600), (5000, 5030)):
        path = tmp_path / "tensorboard" / f"events.out.tfevents.{begun}.host.12.0"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (ended, ended))
    assert script.seconds_of(tmp_path) == 630


def test_the_table(script, folder, small_digits):
    script.main(["--networks", str(folder), "--data", small_digits, "--quick", "40", "--samples", "50"])
    lines = importlib.import_module("tables").README.read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    assert cells[0] == script.HEAD
    assert [row[0].split()[0] for row in cells[2:]] == [
        "cnn",
        "row",
        "diagonal",
        "vae",
        "vae",
    ]  # no GAN, no VAE-GAN, no flat VAE
    assert all(row[2] == "40 of 297" for row in cells[2:])
    assert all(row[5] == "2" and row[7] == "4" for row in cells[2:])  # 30 steps of 100 out of 1,500; the seed
    test = data.to_float(data.load(small_digits, "test").images[:40])
    told = float(cells[2][3].split()[0])
    assert abs(told - training.nats(models.load(folder / "cnn" / "model.safetensors"), test, binarise_seed=0)) < 0.006


def test_colours_are_told_in_bits_and_whether_they_were_compressed(script, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", x_train=x, y_train=np.arange(6), x_test=x, y_test=np.arange(6))
    network = models.build(lambda: models.GatedPixelCNN((3, 4, 4), models.Categorical(256), 6, 1, 3), 0)
    models.save(network, tmp_path / "runs" / "cifar" / "model.safetensors")
    found, images = script.networks(tmp_path / "runs", script.PIXELS)[0], data.load(str(tmp_path / "x.npz"))
    ((row,), remarks) = script.rows_of(found, images, images, script.Settings())
    x = data.to_float(images.images)
    expected = training.bits_per_dim(training.nats(found.network, x), (3, 4, 4))
    assert row[1] == "-log2 p, bits a sub-pixel"
    assert abs(float(row[3].split()[0]) - expected) < 6e-4
    assert remarks == []
    assert not script.from_jpeg(str(tmp_path / "x.npz"))
    np.savez(tmp_path / "y.npz", jpeg_test=np.zeros(3, np.uint8))
    assert script.from_jpeg(str(tmp_path / "y.npz"))


def test_without_networks(script, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold NAME/model.safetensors of GatedPixelCNN, .*, but has none"):
        script.networks(tmp_path, script.PIXELS)
