"""`ppgn evaluate`: a saved run, an image set, and what it says of what cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import ppgn
from ppgn import evaluation, files, models


@pytest.fixture
def evaluate(call):
    return lambda *arguments: call("evaluate", *arguments, "--device", "cpu")


@pytest.fixture(scope="module")
def larger(small_digits, tmp_path_factory):
    """The digits at 28 x 28, that the bundled judge takes."""
    with np.load(small_digits) as found:
        arrays = {name: found[name] for name in found}
    for name in ("x_train", "x_test"):
        images = torch.from_numpy(arrays[name])[:, None].float()
        sized = torch.nn.functional.interpolate(images, 28, mode="bilinear").round().to(torch.uint8)
        arrays[name] = sized[:, 0].numpy()
    path = tmp_path_factory.mktemp("larger") / "digits.npz"
    np.savez(path, **arrays)
    return path


def test_an_image_set(evaluate, larger, tmp_path):
    status, out, _ = evaluate(
        larger, "--split", "test", "--data", larger, "--out", tmp_path / "report.json", "--n", 150
    )
    assert status == 0
    assert "of 297 samples, and as many real test images" in out
    report = json.loads((tmp_path / "report.json").read_text())
    judge = ppgn.pretrained.network("mnist", "judge")
    assert report["judge"]["sha256"] == files.fingerprint(judge)
    assert report["guide"]["network"] == "ConvClassifier"
    assert report["figures"]["ms_ssim"]["about"] == "MS-SSIM in a class, 2 scales"
    assert report["data"] == str(larger) and report["seed"] == 0
    with np.load(larger) as found:
        rows = report["rows"]["samples"]
        x = torch.from_numpy(found["x_test"][rows])[:, None] / 255
        agreed = evaluation.agreement(judge, x, torch.from_numpy(found["y_test"][rows]))
    assert report["figures"]["judge_agreement"]["samples"]["value"] == pytest.approx(agreed)


def test_a_saved_run_and_a_judge_of_ones_own(evaluate, larger, tmp_path, sevens):
    pytest.importorskip("arviz")
    ppgn.sample(sevens, n=8, steps=12, seed=0, progress=False, frames=0, warmup=4).save(tmp_path / "run")
    judge = models.build(lambda: models.ResidualClassifier(width=4), 0)
    models.save(judge, tmp_path / "judge.safetensors", {})
    status, out, _ = evaluate(
        tmp_path / "run", "--data", larger, "--judge", tmp_path / "judge.safetensors", "--seconds", 2
    )
    assert status == 0
    assert "8 of 8 samples" in out and "guide" not in out
    assert "independent draws" in out and "R-hat" in out
    assert "refused (Fréchet distance): more samples than features are needed, 16 features, got 8 samples" in out


def test_pictures_of_one_class(evaluate, larger, tmp_path):
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    with np.load(larger) as found:
        for i, image in enumerate(found["x_test"][found["y_test"] == 7][:5]):
            Image.fromarray(image).save(tmp_path / "pictures" / f"{i}.png")
    status, out, _ = evaluate(tmp_path / "pictures", "--label", 7, "--data", larger)
    assert status == 0
    assert "5 of 5 samples, and as many real test images, each against as many real training images, class by" in out


def test_errors(evaluate, larger, small_digits, tmp_path):
    for arguments, reason in (
        ((small_digits, "--data", larger), "samples must have shape (1, 28, 28), got (1, 8, 8); the real images"),
        ((small_digits, "--data", small_digits), "(1, 28, 28), got (1, 8, 8); the judge was made for those"),
        ((larger, "--data", larger, "--label", 3), "--label is for images without labels"),
        ((tmp_path / "none", "--data", larger), "there is no file"),
        ((larger, "--data", larger, "--model", "none"), "none"),
    ):
        status, out, error = evaluate(*arguments)
        assert status == 1 and out == ""
        assert reason in error and error.count("\n") == 1
