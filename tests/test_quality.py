"""The main job, judged: 1,000 digits from the bundle's defaults, against real ones through an independent judge."""

from __future__ import annotations

import pytest
import torch

import ppgn
from ppgn import evaluation, files, pretrained
from ppgn.pretrained.catalogue import WEIGHTS


@pytest.mark.slow
def test_a_thousand_digits():
    torch.set_num_threads(2)
    labels = torch.arange(10).repeat_interleave(100)
    pipeline = ppgn.pretrained.load("mnist", batch_size=200)
    pipeline = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, labels))
    samples = ppgn.sample(pipeline, n=1000, steps=200, seed=0, progress=False, frames=0)
    judge = pretrained.network("mnist", "judge")
    reference, _ = files.read_tensors(WEIGHTS / "mnist" / "reference.safetensors")
    features = evaluation.features(judge, samples.images)
    real = evaluation.Moments(reference["mean"], reference["covariance"])
    distance = evaluation.frechet_distance(evaluation.moments(features), real)
    # the prior's own draws, kept by rejection, have 0.976, 0.8 times the floor and 1.0 (benchmarks/quality.py); an
    # agreement of 1,000 has a standard error of 0.005
    assert evaluation.agreement(judge, samples.images, labels) >= 0.955
    assert distance <= 1.5 * reference["floor_distance"]
    assert evaluation.spread(features, labels) == pytest.approx(float(reference["floor_spread"]), rel=0.07)


def test_the_reference_is_what_the_judge_sees(mnist_file):
    """The committed statistics are those of the real images, so that the test above means something without them."""
    from ppgn import data

    judge = pretrained.network("mnist", "judge")
    reference, _ = files.read_tensors(WEIGHTS / "mnist" / "reference.safetensors")
    test = data.load(mnist_file, "test")
    found = evaluation.moments(evaluation.features(judge, data.to_float(test.images)))
    assert torch.allclose(found.mean, reference["mean"], atol=1e-4)
    assert torch.allclose(found.covariance, reference["covariance"], atol=1e-3)
    floor = data.load(mnist_file).per_class(100)
    features = evaluation.features(judge, data.to_float(floor.images))
    distance = evaluation.frechet_distance(evaluation.moments(features), found)
    assert distance == pytest.approx(float(reference["floor_distance"]), rel=1e-3)
    assert evaluation.spread(features, floor.labels) == pytest.approx(float(reference["floor_spread"]), rel=1e-4)
