"""Fréchet and kernel distance, balls, and the nearest training image."""

from __future__ import annotations

import math
import statistics
import warnings

import pytest
import torch

from ppgn import evaluation
from ppgn.evaluation.overlaps import radii


def normals(n, d, seed=0, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def identity(d):
    extractor = torch.nn.Identity()
    extractor.num_features = d
    return extractor


def test_frechet_with_error_is_the_distance_and_agrees_with_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    a, b = normals(500, 6), normals(400, 6, 1, 0.3)
    theirs = FrechetInceptionDistance(feature=identity(6), normalize=True).set_dtype(torch.float64)
    theirs.update(a, real=True)
    theirs.update(b, real=False)
    assert evaluation.frechet_with_error(b, a).value == pytest.approx(float(theirs.compute()), rel=1e-4)


def test_the_frechet_errors_are_the_spread_of_repetitions():
    reference = normals(1000, 4, 99)
    found = [evaluation.frechet_with_error(normals(500, 4, seed, 0.2), reference) for seed in range(60)]
    spread = statistics.stdev(one.value for one in found)  # itself known to 1 / sqrt(120) = 9 %
    assert statistics.fmean(one.error for one in found) == pytest.approx(spread, rel=0.3)


def test_frechet_is_refused_for_no_more_images_than_features():
    with pytest.raises(ValueError, match="more samples than features are needed, 8 features, got 8 samples"):
        evaluation.frechet_with_error(normals(8, 8), normals(20, 8))
    few = evaluation.frechet_with_error(normals(9, 8), normals(20, 8))
    assert few.value is not None and few.error is None  # with a block left out there are too few


def test_kernel_distance_agrees_with_torchmetrics():
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = normals(120, 6), normals(120, 6, 1, 0.3)
    with warnings.catch_warnings():  # of memory
        warnings.simplefilter("ignore")
        theirs = KernelInceptionDistance(feature=identity(6), subsets=1, subset_size=120, normalize=True)
    theirs = theirs.set_dtype(torch.float64)
    theirs.update(a, real=True)
    theirs.update(b, real=False)
    assert evaluation.kernel_distance(a, b) == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


def test_the_kernel_distance_is_unbiased_and_its_error_right():
    """Of equal sets 0, within 3 standard errors of the mean of many."""
    found = [evaluation.kernel_with_error(normals(200, 3, 2 * s), normals(200, 3, 2 * s + 1)) for s in range(100)]
    values = [one.value for one in found]
    assert abs(statistics.fmean(values)) < 3 * statistics.stdev(values) / 10
    assert statistics.fmean(one.error for one in found) == pytest.approx(statistics.stdev(values), rel=0.3)


def test_the_kernel_distance_of_sets_drawn_class_by_class_is_unbiased():
    """Classes 6 apart: without the weights the distance is far below 0."""
    labels = torch.arange(40) % 2
    centre = 6.0 * labels[:, None]
    pairs = [(normals(40, 2, 2 * s) + centre, normals(40, 2, 2 * s + 1) + centre) for s in range(200)]
    weighted = [evaluation.kernel_distance(a, b, labels) for a, b in pairs]
    plain = [evaluation.kernel_distance(a, b) for a, b in pairs]
    error = statistics.stdev(weighted) / math.sqrt(len(pairs))
    assert abs(statistics.fmean(weighted)) < 3 * error
    assert statistics.fmean(plain) < -10 * error


def test_labels_of_one_class_change_nothing():
    a, b = normals(30, 4), normals(30, 4, 1)
    alone = evaluation.kernel_distance(a, b, torch.zeros(30, dtype=torch.int64))
    assert alone == pytest.approx(evaluation.kernel_distance(a, b), rel=1e-9)


def test_kernel_refusals():
    with pytest.raises(ValueError, match="at least 2 images of either kind, got 1 and 5"):
        evaluation.kernel_distance(normals(1, 2), normals(5, 2))
    with pytest.raises(ValueError, match="10 blocks of 10 images, got 99 images"):
        evaluation.kernel_with_error(normals(99, 2), normals(99, 2))
    with pytest.raises(ValueError, match="at least 2 images of a class a block, class 1 has 1"):
        evaluation.kernel_distance(normals(3, 2), normals(3, 2, 1), torch.tensor([0, 0, 1]))


def test_overlap_of_equal_normals_is_the_closed_form():
    """E density = 1 and E coverage = 1 - (N-1)...(N-k) / ((2N-1)...(2N-k)); precision and recall are equal in law."""
    found = [evaluation.overlap(normals(300, 8, 2 * s), normals(300, 8, 2 * s + 1)) for s in range(40)]
    for name, expected in (("density", 1.0), ("coverage", evaluation.expected_coverage(300))):
        values = [getattr(one, name).value for one in found]
        assert abs(statistics.fmean(values) - expected) < 3 * statistics.stdev(values) / math.sqrt(40), name
    both = [one.precision.value - one.recall.value for one in found]
    assert abs(statistics.fmean(both)) < 3 * statistics.stdev(both) / math.sqrt(40)


def test_overlap_is_that_of_the_definitions():
    """All pairs at once, as Naeem et al. 2020 write it; prdc's README counts the same."""
    a, b, k = normals(80, 3), normals(60, 3, 1, 0.4), 4
    reach, own = (torch.cdist(x, x).sort(1).values[:, k] for x in (b, a))
    inside = torch.cdist(a, b) < reach
    expected = [
        inside.any(1).double().mean(), (torch.cdist(a, b) < own[:, None]).any(0).double().mean(),
        inside.sum(1).double().mean() / k, inside.any(0).double().mean(),
    ]  # fmt: skip
    assert [x.value for x in evaluation.overlap(a, b, k)] == pytest.approx([float(x) for x in expected])


def test_overlap_of_sets_apart_and_of_a_collapsed_one():
    real = normals(100, 3)
    apart = evaluation.overlap(normals(100, 3, 1, 50.0), real)
    assert [figure.value for figure in apart] == [0, 0, 0, 0]
    collapsed = evaluation.overlap(real[:1] + 1e-3 * normals(100, 3, 1), real)
    assert collapsed.precision.value == 1
    assert collapsed.recall.value < 0.05 and collapsed.coverage.value < 0.3


def test_radii_by_hand():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert radii(line, 2).tolist() == [3, 2, 3, 6]
    with pytest.raises(ValueError, match="more images than neighbours are needed, k = 5, got 5 images"):
        radii(normals(5, 2), 5)


def test_nearest_by_hand_and_a_copy_is_at_no_distance():
    pictures = torch.randint(256, (300, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    found = evaluation.nearest(pictures[[7, 250]], pictures)
    assert found.index.tolist() == [7, 250] and found.distance.tolist() == [0, 0]
    far = evaluation.nearest(pictures[:20], pictures[100:])
    every = torch.cdist(pictures[:20].flatten(1).double() / 255, pictures[100:].flatten(1).double() / 255)
    assert far.index.tolist() == every.argmin(1).tolist()
    assert far.distance.tolist() == pytest.approx(every.amin(1).tolist(), rel=1e-5)


def test_memorised_is_one_percent_of_the_like_and_all_of_copies():
    train = normals(1000, 5)
    near = [evaluation.nearest(normals(1000, 5, seed), train) for seed in range(1, 41)]
    shares = [evaluation.memorised(a, b).value for a, b in zip(near[::2], near[1::2], strict=True)]
    # the 1 % quantile of 1,000 lies at the 10.99th of them, and below it 10.99 / 1001 of what is alike
    assert abs(statistics.fmean(shares) - 0.011) < 3 * statistics.stdev(shares) / math.sqrt(20)
    real = near[0]
    assert evaluation.memorised(evaluation.nearest(train[:500], train), real).value == 1
    with pytest.raises(ValueError, match="at least 100 real images, got 50"):
        evaluation.memorised(real, evaluation.nearest(train[:50], train))
