"""The whole report, on scikit-learn's real digits, and what a run adds to it."""

from __future__ import annotations

import json

import pytest
import torch

import ppgn
from ppgn import data, evaluation, files, models, records
from ppgn.evaluation.drawing import drawn


@pytest.fixture(scope="module")
def judge():
    return models.build(lambda: models.ResidualClassifier((1, 8, 8), width=4), 0).eval().requires_grad_(False)


@pytest.fixture
def real(small_digits):
    return evaluation.Real(data.load(small_digits), data.load(small_digits, "test"))


@pytest.fixture
def report(real, judge):
    return evaluation.evaluate(real.test.images, real.test.labels, real, judge)


def test_unseen_real_images_come_out_as_the_floor(report):
    """The very test images: the same number wherever the order of images plays no part."""
    for name, row in report.rows.items():
        assert row.floor is not None
        if row.floor.value is not None and name not in ("kernel", "two_sample", "two_sample_p"):
            assert row.samples.value == pytest.approx(row.floor.value, abs=1e-9), name
    assert report.rows["frechet"].ratio == pytest.approx(1)
    assert report.rows["two_sample"].samples.interval[0] < 0.6


def test_every_number_has_an_error_or_a_reason(report):
    for name, row in report.rows.items():
        for figure in (row.samples, row.floor):
            if name != "two_sample_p":
                assert figure.refused or figure.interval is not None, name
    assert "sides of at least 11 pixels, got 8 x 8" in report.rows["ms_ssim"].samples.refused


def test_training_images_are_memorised(real, judge):
    copies = evaluation.evaluate(real.train.images[:200], None, real, judge)
    assert copies.rows["memorised_pixels"].samples.value == 1
    assert copies.rows["memorised_pixels"].floor.value < 0.05
    rows = copies.record["rows"]["samples"]
    assert copies.nearest["pixels"].index.tolist() == rows
    assert copies.rows["judge_agreement"].samples.refused == "the samples have no labels"


def test_noise_is_far_from_real(real, judge):
    noise = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = evaluation.evaluate(noise, real.test.labels[:200], real, judge).rows
    assert found["frechet"].ratio > 3
    assert found["coverage"].samples.value < 0.3 < found["coverage"].floor.value
    assert found["two_sample_p"].samples.value < 1e-6


def test_few_images_are_refused_their_distances(real, judge):
    found = evaluation.evaluate(real.test.images, real.test.labels, real, judge, n=12)
    for name, reason in {
        "frechet": "more samples than features are needed, 16 features",
        "kernel": "10 blocks of 10 images",
        "two_sample": "at least 20 images",
        "memorised_pixels": "at least 100 real images",
    }.items():
        assert reason in found.rows[name].samples.refused
        assert found.rows[name].ratio is None
        assert reason in found.table()


def test_json_and_table(report, judge):
    told = json.loads(json.dumps(report.to_json()))
    assert told["judge"] == {"network": "ResidualClassifier", "sha256": files.fingerprint(judge), "features": 16}
    assert told["n"] == {"given": 297, "used": 297}
    assert told["versions"] == records.versions()
    assert told["figures"]["frechet"]["ratio"] == pytest.approx(1)
    assert len(told["nearest"]["pixels"]["index"]) == 297
    lines = report.table().splitlines()
    assert lines[0].startswith("297 of 297 samples")
    assert any(line.split()[:2] == ["Fréchet", "distance"] and line.split()[-1] == "1" for line in lines)


def test_rows_are_matched_class_by_class(real):
    labels = torch.tensor([3] * 50 + [7] * 25)
    rows = drawn(75, labels, real, None, seed=1)
    three = (real.test.labels == 3).sum()
    assert len(rows.samples) == min(50, int(three)) + 25
    assert torch.equal(labels[rows.samples], real.test.labels[rows.test])
    assert torch.equal(labels[rows.samples], real.train.labels[rows.train])
    for part in rows:
        assert len(part.unique()) == len(part)
    whole = (labels[rows.samples] == 7).double().mean()
    for block in labels[rows.samples].tensor_split(5):
        assert abs(float((block == 7).sum()) - float(whole) * len(block)) <= 1.5


def test_the_seed_decides_the_rows(real):
    labels = real.test.labels
    first, again, other = (drawn(297, labels, real, 100, seed) for seed in (0, 0, 1))
    assert torch.equal(first.train, again.train) and not torch.equal(first.train, other.train)


def test_the_judge_must_not_be_the_guide(real, judge):
    with pytest.warns(evaluation.SameNetworkWarning, match="the judge must not be the condition"):
        found = evaluation.evaluate(real.test.images, real.test.labels, real, judge, guide=judge, n=50)
    assert found.rows["guide_and_judge"].samples.value == 1


def test_a_runs_condition_is_found_and_its_cost_told(digits, sevens):
    pytest.importorskip("arviz")
    samples = ppgn.sample(sevens, n=6, steps=12, seed=0, progress=False, frames=0, warmup=4)
    parts = [
        data.ImageSet((255 * part).round().to(torch.uint8), torch.full((len(part),), 7))
        for part in (samples.images,) * 2
    ]
    with pytest.warns(evaluation.SameNetworkWarning):
        found = evaluation.evaluate(
            samples.images, samples.labels, evaluation.Real(*parts), digits.classifier, run=samples, seconds=3.0
        )
    draws, agreed = found.rows["draws"].samples.value, found.rows["judge_agreement"].samples.value
    assert draws == pytest.approx(evaluation.mixing(samples).draws)
    assert found.rows["cost_steps"].samples.value == pytest.approx(6 * 12 / draws / agreed)
    assert found.rows["cost_seconds"].samples.value == pytest.approx(3 / draws / agreed)
    assert found.rows["cost_steps"].floor is None


def test_errors(real, judge):
    images, labels = real.test.images, real.test.labels
    with pytest.raises(ValueError, match=r"samples must have shape \(N, C, H, W\), N > 0, got \(0, 1, 8, 8\)"):
        evaluation.evaluate(images[:0], None, real, judge)
    with pytest.raises(ValueError, match=r"samples must have shape \(1, 8, 8\), got \(1, 8, 7\); the real images"):
        evaluation.evaluate(images[..., :7], None, real, judge)
    with pytest.raises(ValueError, match=r"samples must have shape \(1, 28, 28\), got \(1, 8, 8\); the judge was made"):
        evaluation.evaluate(images, None, real, ppgn.pretrained.network("mnist", "judge"))
    with pytest.raises(ValueError, match=r"one label a sample is needed, \(297,\), got \(5,\)"):
        evaluation.evaluate(images, labels[:5], real, judge)
    with pytest.raises(ValueError, match="class 12 has none"):
        evaluation.evaluate(images, labels + 12 - labels, real, judge)
    with pytest.raises(ValueError, match=r"n must lie in \[1, 297\], the number of samples, got 298"):
        evaluation.evaluate(images, labels, real, judge, n=298)
    with pytest.raises(ValueError, match="judge must be in eval mode"):
        evaluation.evaluate(images, labels, real, models.ResidualClassifier((1, 8, 8)))
    with pytest.raises(ValueError, match="labels must be classes of the judge, below 10, got 10"):
        tens = [data.ImageSet(part.images, part.labels + 1) for part in real]
        evaluation.evaluate(images, labels + 1, evaluation.Real(*tens), judge)
