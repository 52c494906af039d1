"""How well a run's chains mixed, and what an independent draw that is right has cost.

cost = steps x chains / (independent draws x judge's agreement)        in chain steps; the seconds of the run likewise

Independent draws: the ends of chains where each makes one image from a start of its own (rejection, smc, annealed);
else the effective sample size of the series that mixes worst, of every label's chains, summed over labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ppgn import diagnostics
from ppgn.evaluation.figures import Figure
from ppgn.evaluation.series import effective_size, r_hat

FEWEST = 4  # draws of a chain that R-hat and effective sample sizes need


@dataclass(frozen=True)
class Mixing:
    """Of a run.

    draws   independent draws, in all
    r_hat   the worst of all series and labels, None where chains make one image each
    worst   the series with the fewest effective draws, None as above
    """

    draws: float
    r_hat: float | None = None
    worst: str | None = None


def mixing(run: diagnostics.Run) -> Mixing:
    """Effective draws and R-hat of a run, as `ppgn.Samples`, by arviz (the extra `diagnostics`) where it kept series.

    Raises ValueError for fewer than 4 draws a chain: nothing can be told of them.
    """
    independent = independent_draws(run)
    if independent is not None:
        return Mixing(float(independent))
    kept = len(run.series["log_condition"])
    if kept < FEWEST:
        raise ValueError(f"effective sample sizes need at least {FEWEST} draws a chain, the run kept {kept}")
    labels: list[int | None] = [None] if run.labels is None else run.labels.unique().tolist()
    found = [_of(run, label) for label in labels]
    whole = [one.r_hat for one in found if one.r_hat is not None]
    lowest = min(found, key=lambda one: one.draws)
    return Mixing(sum(one.draws for one in found), max(whole) if whole else None, lowest.worst)


def independent_draws(run: diagnostics.Run) -> int | None:
    """How many there are: finished chains, each an image from a start of its own; None for walks from draw to draw."""
    walks = not run.record["ends"] and run.record["sampler"]["name"] != "annealed"
    return None if walks else int(run.finished.sum())


def _of(run: diagnostics.Run, label: int | None) -> Mixing:
    """Of one label's chains; a series that never moves says nothing of them."""
    posterior = diagnostics.to_arviz(run, label)["posterior"]
    series = {str(name): torch.from_numpy(posterior[name].to_numpy().T) for name in posterior if name != "code"}
    moving = {name: value for name, value in series.items() if bool((value != value[0, 0]).any())}
    if not moving:
        raise ValueError("chains must move for an effective sample size, but every series of the run is constant")
    sizes = {name: effective_size(value) for name, value in moving.items()}
    r_hats = [r_hat(value) for value in moving.values() if value.shape[1] > 1]
    worst = min(sizes, key=lambda name: sizes[name])
    return Mixing(sizes[worst], max(r_hats) if r_hats else None, worst)


def cost(spent: float, draws: float, agreement: Figure) -> Figure:
    """What was spent (chain steps, or seconds) for each independent draw that the judge agrees to.

    The interval is the agreement's: the number of draws is taken as it is. Raises ValueError where no draw was right.

    >>> cost(2000, 100, Figure(0.8)).value
    25.0
    """
    if not agreement.value or not draws > 0:
        raise ValueError(f"no cost without a success: {draws:g} independent draws, agreement {agreement.value}")
    each, interval = spent / draws, None
    if agreement.interval is not None and agreement.interval[0] > 0:
        interval = each / agreement.interval[1], each / agreement.interval[0]
    return Figure(each / agreement.value, interval=interval)
