"""Long chains that begin anew every so often: what one lap finds does not bind the next.

The authors' long chains draw the code again every 100 steps (their reset), since the walk stays near where it has come
to; by hand they draw the prior's epsilon anew too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor

from ppgn.samplers.walks import choose, choose_terms
from ppgn.types import Density, Rng, S, Sampler


def restarting(sampler: Sampler[S] | Callable[[int], Sampler[S]], every: int, start: Density) -> Sampler[S]:
    """Every `every` steps each chain leaves for a draw of `start`, where the sampler begins as if for the first time.

    sampler   a walk, whose ladder of noise, schedules and turns begin anew with each lap; or a function from the lap
              (0, 1, ...) to one, where its numbers are to differ: all of one pipeline and kind
    start     of the laps after the first, row i by (seed, i, lap) alone; the first begins where the run does

    Step `every` is the last of a lap and step `every` + 1 the first of the next, so that `ppgn.sample(thin=every)`
    keeps the end of each. A lap's noise is its own: no number of another is used again. Of an exact kernel too the
    walk as a whole is not exact. A chain that met NaN stays stopped. Raises ValueError for every < 1, a sampler that
    ends (rejection, smc), laps of different kinds, and, in a walk, for a start with terms that are not finite.

    >>> import ppgn
    >>> digits = ppgn.load("mnist", "joint")
    >>> e1, start = ppgn.samplers.redrawn(1e-6, 1e-2, every=1, seed=0), ppgn.priors.gaussian((128,))
    >>> walk = restarting(
    ...     lambda lap: ppgn.samplers.mala_approx(digits, e1(lap), 1.0, 1e-17, mode="released"), 100, start
    ... )
    >>> walk.exact, walk.settings["every"]
    (False, 100)
    """
    if every < 1:
        raise ValueError(f"every must be at least 1 step, got {every}")
    if not isinstance(start, Density):
        raise TypeError(f"start must be a Density, with log_prob and sample, as gaussian(...); {start!r} is none")
    first = sampler if isinstance(sampler, Sampler) else sampler(0)
    if first.finished is not None:
        raise ValueError(f"restarting needs a walk, but {first.name} ends when it is done")
    of_lap = _alike(sampler, first)

    @torch.no_grad()
    def step(state: S, rng: Rng) -> S:
        lap, k = divmod(state.step, every)
        own = of_lap(lap)
        # one more than a lap's steps: some kernels look at the noise of the step after
        numbers = _Later(rng, lap * (every + 1))
        before = _begun(own, state, start, rng, lap) if lap and k == 0 else _as(state, k, state.failed_at)
        after = own.step(before, numbers)
        new = (after.failed_at >= 0) & (before.failed_at < 0)
        failed_at = torch.where(new, after.failed_at + lap * every, after.failed_at)
        return _as(after, state.step + 1, failed_at)

    settings = {
        "sampler": {"name": first.name, **first.settings},
        "laps": None if isinstance(sampler, Sampler) else {"by": sampler, "second": dict(sampler(1).settings)},
        "every": every,
        "start": start,
    }
    return Sampler(
        first.init, step, exact=False, target=first.target, name="restarting", settings=settings,
        reports=first.reports,
    )  # fmt: skip


def _alike(sampler: Sampler[S] | Callable[[int], Sampler[S]], first: Sampler[S]) -> Callable[[int], Sampler[S]]:
    """From the lap to its sampler, which must be of the first one's kind and walk its pipeline."""
    if isinstance(sampler, Sampler):
        return lambda lap: sampler

    @lru_cache(maxsize=1)
    def of_lap(lap: int) -> Sampler[S]:
        found = sampler(lap)
        if found.name != first.name or found.target is not first.target:
            raise ValueError(
                f"all laps must walk one pipeline by one kind of sampler, {first.name}, but lap {lap} walks "
                f"{'another' if found.name == first.name else f'by {found.name}'}"
            )
        return found

    return of_lap


@dataclass(frozen=True)
class _Later:
    """The same streams, `steps` later."""

    rng: Rng
    steps: int

    def normal(self, like: Tensor, step: int, purpose: str = "move") -> Tensor:
        """As the streams'."""
        return self.rng.normal(like, step + self.steps, purpose)

    def uniform(self, like: Tensor, step: int, purpose: str = "accept") -> Tensor:
        """As the streams'."""
        return self.rng.uniform(like, step + self.steps, purpose)

    def rows(self, index: Tensor) -> _Later:
        """Those chains only."""
        return _Later(self.rng.rows(index), self.steps)


def _begun(sampler: Sampler[S], state: S, start: Density, rng: Rng, lap: int) -> S:
    """The sampler's first state at draws of `start`; chains that have failed stay at their last finite code."""
    drawn = start.sample(len(state.h), rng, lap).to(state.h)
    well = state.failed_at < 0
    begun = sampler.init(choose(well, drawn, state.h))
    terms = choose_terms(well, begun.terms, state.terms)
    return _as(cast(S, cast(Any, begun)._replace(terms=terms)), 0, state.failed_at)


def _as(state: S, step: int, failed_at: Tensor) -> S:
    """The state as that of another step. States are NamedTuples, which their protocol cannot say."""
    return cast(S, cast(Any, state)._replace(step=step, failed_at=failed_at))
