from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import ppgn
from ppgn import files, models


@pytest.fixture
def sample(call):
    return lambda out, *arguments: call("sample", "--out", out, "--device", "cpu", *arguments)


def test_sample_writes_a_run(sample, tmp_path):
    status, out, _ = sample(tmp_path / "a", "--label", 7, "--label", 3, "--n", 2, "--steps", 3)
    assert status == 0
    assert "4 images in" in out
    samples = ppgn.Samples.load(tmp_path / "a")
    assert samples.labels.tolist() == [7, 7, 3, 3]
    assert samples.steps == 3


def test_all_labels_and_settings(sample, tmp_path):
    arguments = ["--n", 1, "--steps", 1, "--mode", "released", "--eps-prior", 0.5, "--seed", 4, "--batch-size", 3]
    arguments += ["--variant", "ppgn-h"]
    assert sample(tmp_path / "a", "--label", "all", *arguments)[0] == 0
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert record["seed"] == 4
    assert record["sampler"] == {
        "name": "mala_approx", "mode": "released", "eps_prior": 0.5, "eps_condition": 1.0, "eps_noise": 1e-17,
        "step_size": 1.0, "bounds": [0.0, 30.0],
    }  # fmt: skip
    assert ppgn.Samples.load(tmp_path / "a").labels.tolist() == list(range(10))


@pytest.mark.parametrize("settings", [["--levels", 5], ["--variant", "ppgn-h", "--eps-noise", 0.2]])
def test_resume_goes_on_to_the_same_bits(sample, tmp_path, settings):
    common = ["--label", 7, "--n", 2, *settings, "--batch-size", 1]
    sample(tmp_path / "whole", *common, "--steps", 7)
    sample(tmp_path / "cut", *common, "--steps", 3)
    assert sample(tmp_path / "more", "--resume", tmp_path / "cut", "--steps", 4)[0] == 0
    whole, more = (ppgn.Samples.load(tmp_path / name) for name in ("whole", "more"))
    assert torch.equal(whole.codes, more.codes)
    assert torch.equal(whole.log_condition, more.log_condition)


def test_the_ladder_ends_within_the_steps(sample, tmp_path):
    for steps, levels in ((4, 4), (190, 180)):
        out = tmp_path / str(steps)
        assert sample(out, "--label", 7, "--n", 1, "--steps", steps, "--gamma", 0.5)[0] == 0
        walk = json.loads((out / "run.json").read_text())["sampler"]
        assert (walk["name"], walk["levels"], walk["gamma"]) == ("annealed", levels, 0.5)


def test_models_and_cards(call):
    status, out, _ = call("models")
    assert status == 0
    assert "mnist:" in out
    assert "(default)" in out
    _, out, _ = call("models", "mnist")
    for card in ppgn.pretrained.cards("mnist"):
        assert card.sha256 in out
        assert card.command in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "mnits"], "model must be one of .*mnist.*, got 'mnits'"),
        (["--variant", "jiont"], "variant of mnist must be one of .*joint.* got 'jiont'"),
        (["--label", 10], "label must be all, none or one of 0..9, the model has 10 classes, got '10'"),
        (["--label", "seven"], "the model has 10 classes, got 'seven'"),
        (["--n", 0], "n must be at least 1, got 0"),
        (["--seed", -3], r"seed must be a whole number in \[0, 2\*\*64\), got -3"),
        (
            ["--eps-prior", 1],
            "annealed, which takes .* not eps_prior; choose a variant whose sampler takes it: ppgn-x, ppgn-h",
        ),
        (["--mode", "fast", "--variant", "joint"], "mode must be 'paper' or 'released', got 'fast'"),
        (["--device", "cuda:77"], "device must be one that torch has here, got 'cuda:77'"),
        (["--resume", "nowhere"], "a saved run has a run.json, but there is none in nowhere"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(call, tmp_path, arguments, message):
    status, _, err = call("sample", "--out", tmp_path / "out", *arguments)
    assert status == 1
    assert err.startswith("ppgn: ")
    assert err.count("\n") == 1
    pytest.importorskip("re").search(message, err) or pytest.fail(err)
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_refused_before_any_work(sample, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    monkeypatch.setattr("ppgn.cli.sample.sample", lambda *a, **k: pytest.fail("worked before it looked"))
    status, _, err = sample(tmp_path / "out")
    assert status == 1
    assert "must be new or empty" in err
    monkeypatch.undo()
    assert sample(tmp_path / "out", "--overwrite", "--n", 1, "--steps", 1)[0] == 0


def test_chains_that_fail_are_reported_and_the_rest_saved(sample, tmp_path):
    wild = ["--variant", "ppgn-h", "--eps-noise", "2e38"]
    status, _, err = sample(tmp_path / "out", "--label", 1, "--n", 2, "--steps", 9, *wild)
    assert status == 1
    assert "must stay finite" in err
    assert torch.isfinite(ppgn.Samples.load(tmp_path / "out").codes).all()


def test_train_every_family(call, tmp_path, small_digits):
    common = ["--data", small_digits, "--device", "cpu", "--steps", 3, "--batch-size", 16]
    assert call("train", "classifier", *common, "--out", tmp_path / "c", "--part", "0:800")[0] == 0
    assert call("train", "classifier", *common, "--out", tmp_path / "r", "--arch", "residual")[0] == 0
    encoder = tmp_path / "c" / "model.safetensors"
    status, out, _ = call("train", "joint", *common, "--encoder", encoder, "--out", tmp_path / "j", "--balance")
    assert status == 0
    assert "3 steps, the last with" in out
    assert call("train", "dae", *common, "--encoder", encoder, "--out", tmp_path / "d", "--sigma", 0.5)[0] == 0
    levels = ["--encoder", encoder, "--sigma-min", 0.1, "--sigma-max", 5]
    assert call("train", "dae", *common, *levels, "--out", tmp_path / "l")[0] == 0
    kinds = {name: type(models.load(tmp_path / name / "model.safetensors")).__name__ for name in "crjdl"}
    assert kinds == {
        "c": "ConvClassifier", "r": "ResidualClassifier", "j": "UpconvGenerator", "d": "CodeDenoiser",
        "l": "LadderDenoiser",
    }  # fmt: skip
    header = files.read_tensors(tmp_path / "j" / "model.safetensors")[1]
    assert header["trained"]["noise"] == 0.3


def test_train_errors(call, tmp_path, small_digits):
    common = ["--data", small_digits, "--out", tmp_path / "a", "--device", "cpu"]
    status, _, err = call("train", "classifier", *common, "--arch", "vgg")
    assert (status, err) == (1, "ppgn: arch must be one of conv, residual, got 'vgg'\n")
    assert "batch_size must lie in" in call("train", "classifier", *common, "--batch-size", 5000)[2]
    models.save(models.build(lambda: models.CodeDenoiser(4), 0), tmp_path / "e.safetensors")
    err = call("train", "dae", *common, "--encoder", tmp_path / "e.safetensors")[2]
    assert "encoder must be a ConvClassifier" in err
    assert "holds a CodeDenoiser" in err
    for half in (["--sigma-min", 0.1], ["--sigma-min", 0.1, "--sigma-max", 1, "--sigma", 0.5]):
        err = call("train", "dae", *common, "--encoder", tmp_path / "e.safetensors", *half)[2]
        assert "give --sigma for one level of noise, or both --sigma-min and --sigma-max for a ladder" in err


def test_help_names_the_commands():
    text = subprocess.run([sys.executable, "-m", "ppgn", "--help"], capture_output=True, text=True, check=True).stdout
    for command in ("sample", "train", "models"):
        assert command in text


def test_start_up_is_light():
    """Starting up does not import what only some runs need."""
    code = (
        "import sys, ppgn.cli; heavy = {'accelerate', 'arviz', 'scipy', 'tensorboard', 'torchvision', 'timm'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": ""}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert out.strip() == "[]"


def test_bad_training_data_leaves_nothing_behind(call, tmp_path, small_digits):
    out = tmp_path / "a"
    for arguments in (["--batch-size", 5000], ["--seed", -1], ["--part", "0:5"]):
        status, _, err = call(
            "train", "classifier", "--data", small_digits, "--out", out, "--device", "cpu", *arguments
        )
        assert status == 1, arguments
        assert err.count("\n") == 1
        assert not out.exists()
    x = np.zeros((20, 8, 8), np.uint8)
    for name, labels in (("minus", np.full(20, -1)), ("part", np.full(20, 0.7))):
        np.savez(tmp_path / f"{name}.npz", x_train=x, y_train=labels)
        err = call("train", "classifier", "--data", tmp_path / f"{name}.npz", "--out", out, "--device", "cpu")[2]
        assert "labels must be whole numbers from 0 on" in err
    np.save(tmp_path / "array.npy", x)
    err = call("train", "classifier", "--data", tmp_path / "array.npy", "--out", out, "--device", "cpu")[2]
    assert "must be an .npz image set" in err
    assert not out.exists()


def test_an_encoder_of_other_images(call, tmp_path, small_digits):
    models.save(models.build(lambda: models.ConvClassifier((1, 16, 16)), 0), tmp_path / "e.safetensors")
    common = ["--data", small_digits, "--out", tmp_path / "a", "--device", "cpu"]
    err = call("train", "joint", *common, "--encoder", tmp_path / "e.safetensors")[2]
    assert "images must have shape (1, 16, 16), got (1, 8, 8)" in err
    err = call("train", "joint", *common, "--encoder", tmp_path)[2]
    assert "there is no file" in err


def test_another_encoder_in_its_place_is_noticed(call, tmp_path, small_digits):
    common = [
        "--data",
        small_digits,
        "--out",
        tmp_path / "a",
        "--device",
        "cpu",
        "--encoder",
        tmp_path / "e.safetensors",
    ]
    for seed in (0, 1):
        models.save(models.build(lambda: models.ConvClassifier((1, 8, 8)), seed), tmp_path / "e.safetensors")
        status, _, err = call("train", "dae", *common, "--steps", 2, "--batch-size", 8, "--resume")
        assert status == seed
    assert "encoder_sha256: saved" in err


def test_a_learning_rate_that_spoils_the_weights(call, tmp_path, small_digits):
    common = ["--data", small_digits, "--out", tmp_path / "a", "--device", "cpu", "--batch-size", 16, "--steps", 1]
    status, _, err = call("train", "classifier", *common, "--learning-rate", "nan")
    assert status == 1
    assert "weights must stay finite" in err
    assert not (tmp_path / "a" / "model.safetensors").exists()


def test_the_pythons_run_is_resumed_from_the_command_line(sample, tmp_path, sevens):
    ppgn.sample(sevens, n=2, steps=3, seed=0, progress=False).save(tmp_path / "a")
    assert sample(tmp_path / "b", "--resume", tmp_path / "a", "--steps", 2)[0] == 0
    whole = ppgn.sample(sevens, n=2, steps=5, seed=0, progress=False)
    assert torch.equal(ppgn.Samples.load(tmp_path / "b").codes, whole.codes)
    walk = ppgn.samplers.activation_max(sevens)
    ppgn.sample(sevens, n=2, steps=3, seed=0, sampler=walk, progress=False).save(tmp_path / "c")
    assert "use Samples.resume" in sample(tmp_path / "d", "--resume", tmp_path / "c")[2]
