"""Structural similarity, and the classifier two-sample test."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from scipy.stats import kstest

from ppgn import evaluation
from ppgn.evaluation.similarity import BETAS, scales


def images(n, side, seed=0, channels=1):
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(x):
    return torch.nn.functional.avg_pool2d(x, 5, 1, 2)


@pytest.mark.parametrize(("side", "channels", "count"), [(16, 1, 1), (28, 1, 2), (64, 3, 3)])
def test_ms_ssim_agrees_with_torchmetrics(side, channels, count):
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as theirs

    a = smooth(images(4, side, 0, channels))
    b = (a + 0.1 * images(4, side, 1, channels)).clamp(0, 1)
    assert scales(side, side) == count
    betas = tuple(beta / sum(BETAS[:count]) for beta in BETAS[:count])
    each = [float(theirs(a[i : i + 1], b[i : i + 1], data_range=1.0, betas=betas)) for i in range(4)]
    assert evaluation.ms_ssim(a, b).tolist() == pytest.approx(each, abs=1e-4)


def test_similarity_is_1_for_copies_and_less_for_others():
    labels = torch.arange(40) % 2
    copies = images(2, 28)[labels]
    assert evaluation.similarity_in_classes(copies, labels).value == pytest.approx(1)
    found = evaluation.similarity_in_classes(images(40, 28), labels)
    assert found.value < 0.2
    assert evaluation.similarity_in_classes((images(40, 28) * 255).round().to(torch.uint8), labels).value == (
        pytest.approx(found.value, abs=0.01)
    )


def test_similarity_refusals():
    with pytest.raises(ValueError, match="sides of at least 11 pixels, got 8 x 8"):
        evaluation.ms_ssim(images(1, 8), images(1, 8))
    with pytest.raises(ValueError, match="at least 2 numbers, got 0"):
        evaluation.similarity_in_classes(images(3, 28), torch.arange(3))


def test_the_error_of_the_spread_is_that_of_repetitions():
    labels = torch.arange(100) % 2
    rng = torch.Generator().manual_seed(0)
    found = [evaluation.spread_in_classes(torch.randn(100, 3, generator=rng), labels) for _ in range(100)]
    error = statistics.stdev(one.value for one in found)
    assert statistics.fmean(one.error for one in found) == pytest.approx(error, rel=0.3)
    assert statistics.fmean(one.value for one in found) == pytest.approx(
        4 / math.sqrt(math.pi), abs=0.03
    )  # 2 E chi_3/√2


def test_p_values_are_uniform_under_equal_laws():
    rng = torch.Generator().manual_seed(0)
    found = [
        evaluation.two_sample(torch.randn(400, 5, generator=rng), torch.randn(400, 5, generator=rng), seed)
        for seed in range(150)
    ]
    # 200 pairs: steps of the p-value of up to 0.056, and 1.63 / sqrt(150) = 0.13 for 1 % of chance
    p_values = [one.p_value.value for one in found]
    assert kstest(p_values, "uniform").statistic < 0.16
    assert sum(p < 0.1 for p in p_values) / 150 < 0.1 + 3 * math.sqrt(0.1 * 0.9 / 150)
    assert statistics.fmean(one.accuracy.value for one in found) == pytest.approx(0.5, abs=3 * 0.025 / math.sqrt(150))


def test_p_values_are_uniform_where_classes_are_matched():
    rng, labels = torch.Generator().manual_seed(1), torch.arange(400) % 10
    centre = 20 * torch.randn(10, 5, generator=rng)[labels]
    draw = lambda: centre + torch.randn(400, 5, generator=rng)  # noqa: E731
    p_values = [evaluation.two_sample(draw(), draw(), seed).p_value.value for seed in range(100)]
    assert kstest(p_values, "uniform").statistic < 0.19


def test_a_shift_is_told_apart():
    rng = torch.Generator().manual_seed(0)
    found = evaluation.two_sample(1 + torch.randn(400, 5, generator=rng), torch.randn(400, 5, generator=rng))
    best = 0.5 * (1 + math.erf(math.sqrt(5) / 2 / math.sqrt(2)))  # Bayes: Phi(|shift| / 2)
    assert found.accuracy.interval[0] < best < found.accuracy.interval[1]
    assert found.p_value.value < 1e-6


def test_two_sample_refusals():
    with pytest.raises(ValueError, match="at least 20 images of either kind, got 19"):
        evaluation.two_sample(torch.zeros(19, 2), torch.zeros(19, 2))
    with pytest.raises(ValueError, match="as many images of either kind, got 30 and 20"):
        evaluation.two_sample(torch.zeros(30, 2), torch.zeros(20, 2))
