"""How the chains of a cell mixed, by log p(y | x) of the second half of the walk, and what its draws cost.

Chains of one class are compared, never those of two: see `ppgn.evaluation`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ppgn import diagnostics, evaluation
from ppgn.samples import Samples

FEWEST = 20  # draws of a chain: of fewer, either figure is noise


def mixing(samples: Samples) -> dict[str, float | str]:
    """{"r_hat": the largest of the classes, "ess": their sum}; the reason in place of both where there is none.

    `ess` is of all chains and draws of the second half of the walk.
    """
    series = samples.series["log_condition"]
    half = series[len(series) // 2 :]
    reason = _refused(samples, len(series) // 2, len(half))
    if reason is None and evaluation.stands_still(half):
        reason = "log p of a chain does not change"
    if reason is not None:
        return {"r_hat": reason, "ess": reason}
    try:
        labels = samples.labels
        return {"r_hat": evaluation.r_hat(half, labels), "ess": evaluation.effective_size(half, labels)}
    except ImportError as error:  # arviz is an extra
        return {"r_hat": str(error), "ess": str(error)}


def _refused(samples: Samples, left: int, draws: int) -> str | None:
    """Why nothing can be told, of so many `draws` a chain after those that are `left` out."""
    if samples.record["ends"]:
        return "the sampler's draws are independent, no walk"
    if samples.record["sampler"].get("levels", 0) > left:
        return "each step of the walk has a target of its own, down its ladder of noise"
    if draws < FEWEST:
        return f"the second half of the walk must have {FEWEST} draws, it has {draws}"
    fewest = samples.series["log_condition"].shape[1]
    if samples.labels is not None:
        fewest = int(samples.labels.unique(return_counts=True)[1].min())
    return "R-hat compares two chains of a class or more" if fewest < 2 else None


def cost(figures: Mapping[str, float | str], samples: Samples, seconds: float) -> float | str:
    """Seconds for each independent draw that the judge agrees to, of all `seconds` of sampling; or why it is unknown.

    figures   of the cell, its "judge" and "ess" among them

    Draws are those of `ess`, which flatters chains that disagree: with them there is no cost to tell. Of samplers that
    make one image from each start they are the chains that finished.
    """
    agreed = figures.get("judge", "no judge's agreement was measured")
    draws = evaluation.independent_draws(samples)
    size = _size(figures) if draws is None else draws
    if isinstance(agreed, str) or isinstance(size, str):
        return agreed if isinstance(agreed, str) else str(size)
    try:
        found = evaluation.cost(seconds, size, evaluation.Figure(agreed)).value
    except ValueError as error:
        return str(error)
    assert found is not None
    return found


def _size(figures: Mapping[str, float | str]) -> float | str:
    r_hat = figures.get("r_hat")
    if isinstance(r_hat, float) and r_hat > diagnostics.APART:
        return f"chains of a class disagree, with an R-hat above {diagnostics.APART:g}: their draws cannot be counted"
    return figures.get("ess", "no effective sample size was measured")
