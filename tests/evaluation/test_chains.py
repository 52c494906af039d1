"""Mixing of chains whose law is known, and the cost of an independent draw that is right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from targets import autoregression

from ppgn import evaluation

pytest.importorskip("arviz")


def run(series, labels=None, name="ula", ends=False):
    """What `ppgn.Samples` shows of itself, series (k, n)."""
    k, n = series.shape
    return SimpleNamespace(
        series={"log_condition": series, "code_0": series + 1}, chain=torch.empty(0, n, 2), codes=torch.zeros(n, 2),
        log_condition=torch.zeros(k + 1, n), labels=labels, finished=torch.ones(n, dtype=torch.bool), steps=k,
        exact=True, record={"ends": ends, "sampler": {"name": name}, "condition": {"is": "Unit"}, "warmup": 0},
    )  # fmt: skip


def test_effective_draws_of_an_autoregression():
    found = evaluation.mixing(run(autoregression(1000, 8, 0.8)))
    assert found.draws == pytest.approx(8000 * 0.2 / 1.8, rel=0.15)
    assert found.r_hat < 1.05


def test_chains_of_two_labels_are_never_compared():
    """They sample different things: R-hat of each, draws of both."""
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    apart = autoregression(500, 8, 0.0) + 100 * labels
    found = evaluation.mixing(run(apart, labels))
    assert found.r_hat < 1.05
    assert found.draws == pytest.approx(4000, rel=0.15)
    assert evaluation.mixing(run(apart)).r_hat > 1.5


def test_ends_of_chains_are_draws():
    for name, ends in (("rejection", True), ("annealed", False)):
        ended = run(torch.zeros(1, 5), name=name, ends=ends)
        assert evaluation.mixing(ended) == evaluation.Mixing(5.0)
        ended.finished[0] = False
        assert evaluation.independent_draws(ended) == 4
    assert evaluation.independent_draws(run(torch.zeros(1, 5))) is None


def test_cost_by_hand():
    agreement = evaluation.Figure(0.5, interval=(0.4, 0.8))
    assert evaluation.cost(1000, 20, agreement) == evaluation.Figure(100.0, interval=(62.5, 125.0))
    assert evaluation.cost(1000, 20, evaluation.Figure(0.5, interval=(0.0, 0.8))).interval is None


def test_refusals():
    with pytest.raises(ValueError, match="at least 4 draws a chain, the run kept 3"):
        evaluation.mixing(run(torch.zeros(3, 5)))
    with pytest.raises(ValueError, match="every series of the run is constant"):
        evaluation.mixing(run(torch.zeros(10, 5)))
    with pytest.raises(ValueError, match="no cost without a success: 20 independent draws, agreement 0"):
        evaluation.cost(1000, 20, evaluation.Figure(0.0))
