from __future__ import annotations

import math

import pytest
import torch

from ppgn import evaluation


def normals(n, d, seed=0, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_frechet_of_two_normals_is_the_closed_form():
    a = evaluation.Moments(torch.zeros(2).double(), torch.diag(torch.tensor([1.0, 4.0])).double())
    b = evaluation.Moments(torch.tensor([1.0, 2.0]).double(), torch.diag(torch.tensor([9.0, 4.0])).double())
    assert evaluation.frechet_distance(a, b) == pytest.approx(1 + 4 + (3 - 1) ** 2)
    assert evaluation.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_agrees_with_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    mix = normals(8, 8, seed=3)
    a, b = normals(300, 8) @ mix, normals(200, 8, seed=1, scale=1.3) @ mix + 0.2
    extractor = torch.nn.Identity()
    extractor.num_features = 8
    reference = FrechetInceptionDistance(feature=extractor, normalize=True).set_dtype(torch.float64)
    reference.update(a, real=True)
    reference.update(b, real=False)
    ours = evaluation.frechet_distance(evaluation.moments(a), evaluation.moments(b))
    assert ours == pytest.approx(float(reference.compute()), rel=1e-6)


def test_moments_need_more_samples_than_features():
    with pytest.raises(ValueError, match="8 features, got 8 samples"):
        evaluation.moments(normals(8, 8))


def test_spread_is_the_mean_distance_within_a_class():
    features = torch.tensor([[0.0], [1.0], [3.0], [100.0], [104.0]])
    labels = torch.tensor([5, 5, 5, 2, 2])
    assert evaluation.spread(features, labels) == pytest.approx(((1 + 3 + 2) / 3 + 4) / 2)
    with pytest.raises(ValueError, match="at least 2 images of every class are needed, class 2 has 1"):
        evaluation.spread(features[:4], labels[:4])


def test_spread_of_normals_is_the_closed_form():
    """|a - b| for N(0, I_2): a Rayleigh variable of scale sqrt 2, mean sqrt(pi)."""
    found = evaluation.spread(normals(2000, 2), torch.zeros(2000, dtype=torch.int64))
    assert found == pytest.approx(math.sqrt(math.pi), rel=0.03)


def test_agreement_and_features_in_parts(digits):
    from ppgn import pretrained

    judge = pretrained.network("mnist", "judge")
    x = torch.rand(700, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    labels = judge(x).argmax(1)
    labels[:70] = (labels[:70] + 1) % 10
    assert evaluation.agreement(judge, x, labels) == pytest.approx(0.9)
    assert torch.allclose(evaluation.features(judge, x), judge.features(x), atol=1e-5)
