"""Effective sizes and R-hat of series whose law is known."""

from __future__ import annotations

import warnings

import pytest
import torch
from targets import autoregression

from ppgn import evaluation

pytest.importorskip("arviz")


@pytest.mark.parametrize("method", ["bulk", "mean"])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_draws_of_an_autoregression(rho, method):
    series = autoregression(4000, 8, rho)
    assert evaluation.effective_size(series, method=method) == pytest.approx(32000 * (1 - rho) / (1 + rho), rel=0.1)
    assert evaluation.r_hat(series) == pytest.approx(1, abs=0.01)


def test_only_the_ranks_are_looked_at():
    """Any rising function of the series is worth as many draws, however heavy its tail; but its mean is not."""
    series = autoregression(500, 4, 0.5)
    assert evaluation.effective_size((5 * series.double()).exp()) == pytest.approx(evaluation.effective_size(series))
    assert evaluation.effective_size((5 * series.double()).exp(), method="mean") != pytest.approx(
        evaluation.effective_size(series, method="mean"), rel=0.05
    )


def test_labels_are_never_compared():
    """Their sizes add up, and the worst R-hat of one counts."""
    labels = torch.tensor([3, 0, 3, 0, 3, 0, 3, 0])
    series = autoregression(500, 8, 0.5)
    series[:, 1] += 2  # of label 0
    parts = [series[:, labels == label] for label in (0, 3)]
    apart = series + 100 * labels
    assert evaluation.effective_size(apart, labels) == pytest.approx(
        sum(map(evaluation.effective_size, parts)), rel=1e-3
    )
    assert evaluation.r_hat(apart, labels) == pytest.approx(evaluation.r_hat(parts[0]), abs=1e-3)
    assert evaluation.r_hat(parts[0]) > 1.1 > evaluation.r_hat(parts[1])


def test_more_chains_than_draws_are_no_mistake():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluation.effective_size(autoregression(100, 200, 0.0)) == pytest.approx(20000, rel=0.05)


def test_standing_still():
    series = autoregression(10, 3, 0.5)
    assert not evaluation.stands_still(series)
    series[1:, 2] = series[0, 2]
    assert evaluation.stands_still(series)
    series[5, 2] += 1e-3
    assert not evaluation.stands_still(series)
