from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import binom, binomtest

from ppgn import evaluation
from ppgn.evaluation.figures import about, jackknife, quantile


@pytest.mark.parametrize(("hits", "n", "level"), [(0, 10, 0.95), (95, 100, 0.95), (7, 7, 0.9), (30, 61, 0.99)])
def test_wilson_is_scipys(hits, n, level):
    theirs = binomtest(hits, n).proportion_ci(level, "wilson")
    assert evaluation.wilson(hits, n, level) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_covers_at_its_level(level):
    """The exact probability of covering, by the binomial law, averaged over true shares."""
    n, shares = 200, torch.linspace(0.02, 0.98, 97).tolist()
    intervals = [evaluation.wilson(hits, n, level) for hits in range(n + 1)]
    covered = [
        sum(binom.pmf(hits, n, p) for hits, (low, high) in enumerate(intervals) if low <= p <= high) for p in shares
    ]
    assert sum(covered) / len(covered) == pytest.approx(level, abs=0.01)
    assert min(covered) > level - 0.06


def test_intervals_of_means_and_shares_cover_at_their_level():
    rng, runs = torch.Generator().manual_seed(0), 2000
    means = [evaluation.mean(torch.rand(10, generator=rng)).interval for _ in range(runs)]  # as of ten blocks
    shares = [evaluation.share(torch.rand(100, generator=rng) < 0.9).interval for _ in range(runs)]
    error = math.sqrt(0.95 * 0.05 / runs)
    for intervals, truth in ((means, 0.5), (shares, 0.9)):
        covered = sum(low <= truth <= high for low, high in intervals) / runs
        # ten uniform numbers are no normal ones, and a share of 100 is one of few
        assert abs(covered - 0.95) < 3 * error + 0.015


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = x.std() / math.sqrt(1000)
    every = jackknife(lambda part: float(part.mean()), x, blocks=1000)
    assert every == pytest.approx(float(exact), rel=1e-9)


def test_figures_say_what_they_know():
    assert str(about(2.0, 0.5)) == "2 ± 0.5"
    assert str(evaluation.share(torch.tensor([True, False]))) == "0.5 [0.09453, 0.9055]"
    assert evaluation.Figure(None, refused="too few").to_json() == {"refused": "too few"}
    assert about(1.0, 0.0).to_json() == {"value": 1.0, "error": 0.0, "interval": [1.0, 1.0]}


def test_refusals():
    with pytest.raises(ValueError, match="at least 1 image and successes among them, got 3 of 2"):
        evaluation.wilson(3, 2)
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, as 0\.95, got 95"):
        quantile(95)
    with pytest.raises(ValueError, match="at least 2 numbers, got 1"):
        evaluation.mean(torch.ones(1))
