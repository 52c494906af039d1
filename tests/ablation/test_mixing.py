"""What is told of a cell's chains, on chains whose law is known, and what a draw of theirs costs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from targets import autoregression

from ppgn.ablation.mixing import cost, mixing

pytest.importorskip("arviz")


def run(series, labels=None, ends=False, **sampler):
    """What `ppgn.Samples` shows of itself, series (k, n)."""
    return SimpleNamespace(
        series={"log_condition": series}, labels=labels, finished=torch.ones(series.shape[1], dtype=torch.bool),
        record={"ends": ends, "sampler": {"name": "ula", **sampler}},
    )  # fmt: skip


def test_the_first_half_is_left_out_and_classes_are_never_compared():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    series = autoregression(1000, 8, 0.5) + 100 * labels
    series[:500] = torch.linspace(-1000, -900, 500)[:, None]
    found = mixing(run(series, labels))
    assert found["ess"] == pytest.approx(4000 / 3, rel=0.1)
    assert found["r_hat"] == pytest.approx(1, abs=0.02)
    assert mixing(run(series))["r_hat"] > 1.5


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (run(autoregression(1, 4, 0.5), ends=True), "the sampler's draws are independent, no walk"),
        (
            run(autoregression(100, 4, 0.5), levels=51),
            "each step of the walk has a target of its own, down its ladder of noise",
        ),
        (run(autoregression(38, 4, 0.5)), "the second half of the walk must have 20 draws, it has 19"),
        (run(autoregression(40, 3, 0.5), torch.tensor([0, 0, 1])), "R-hat compares two chains of a class or more"),
        (run(autoregression(40, 1, 0.5)), "R-hat compares two chains of a class or more"),
        (run(autoregression(40, 2, 0.5) * torch.tensor([1, 0])), "log p of a chain does not change"),
    ],
)
def test_reasons(samples, reason):
    assert mixing(samples) == {"r_hat": reason, "ess": reason}


def test_what_a_draw_costs():
    walk, ended = run(autoregression(40, 4, 0.5)), run(autoregression(1, 4, 0.5), ends=True)
    assert cost({"judge": 0.5, "ess": 20.0}, walk, 10.0) == 10 / (20 * 0.5)
    ended.finished[1] = False
    assert cost({"judge": 0.8, "ess": "no walk"}, ended, 12.0) == pytest.approx(12 / (3 * 0.8))
    assert cost({"judge": 0.8, "ess": 9.0}, run(autoregression(40, 4, 0.5), name="annealed"), 12.0) == pytest.approx(
        12 / 3.2
    )


def test_no_cost():
    walk = run(autoregression(40, 4, 0.5))
    assert cost({"judge": "no judge", "ess": 20.0}, walk, 1.0) == "no judge"
    assert cost({"judge": 1.0, "ess": "too short"}, walk, 1.0) == "too short"
    assert (
        cost({"judge": 0.0, "ess": 20.0}, walk, 1.0) == "no cost without a success: 20 independent draws, agreement 0.0"
    )
    assert cost({"ess": 20.0}, walk, 1.0) == "no judge's agreement was measured"
    assert cost({"judge": 1.0}, walk, 1.0) == "no effective sample size was measured"
