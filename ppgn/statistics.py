"""Numbers that are noted of every kept state, one per chain and name: what diagnostics are computed on.

log_condition   log p(y|x), nats                    code_0 ...    the code along fixed random unit vectors
log_prob        log p(h) + gamma log p(y|x), nats   image_0 ...   the image along fixed random unit vectors
acceptance      of the last Langevin proposal       refreshed     of the last `isir` step: probability of another code

log_prob, acceptance and refreshed are there if the sampler reports them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ppgn.types import Sampler, State

Statistic = Callable[[State], Tensor]
Statistics = Mapping[str, Statistic]
PROJECTIONS = 4


def standard(sampler: Sampler[Any], state: State) -> dict[str, Statistic]:
    """What is noted of that sampler's walks through states like this one: name -> function of a state, (B,)."""
    return {
        "log_condition": lambda state: state.terms.log_condition,
        **{name: _field(name) for name in sampler.reports},
        **_projections("code", lambda state: state.h, state.h),
        **_projections("image", lambda state: state.terms.image, state.terms.image),
    }


def statistics_of(
    sampler: Sampler[Any], state: State, own: Statistics | None, names: list[str] | None = None
) -> Statistics:
    """The standard ones and the caller's own. Raises ValueError if a run is gone on with others than its `names`."""
    found = standard(sampler, state)
    taken = sorted({*found} & {*(own or {})})
    if taken:
        raise ValueError(f"statistics must have names of their own, but {', '.join(taken)} are noted anyway")
    found |= own or {}
    if names is not None and list(found) != names:
        raise ValueError(f"a run must be resumed with its statistics, {', '.join(names)}, got {', '.join(found)}")
    return found


def note(statistics: Statistics, state: State) -> Tensor:
    """(names, B) of one state. Raises ValueError for a statistic of another shape."""
    rows = []
    for name, statistic in statistics.items():
        value = statistic(state)
        if value.shape != (len(state.h),):
            raise ValueError(f"statistic {name!r} must give one number a chain, (B,), got {tuple(value.shape)}")
        rows.append(value)
    return torch.stack(rows)


def _field(name: str) -> Statistic:
    return lambda state: getattr(state, name)


def _projections(name: str, part: Statistic, like: Tensor) -> dict[str, Statistic]:
    """Along unit vectors that depend on the shape alone, so that runs can be compared."""
    size = like[0].numel()
    directions = torch.randn(PROJECTIONS, size, generator=torch.Generator().manual_seed(size))
    directions = torch.nn.functional.normalize(directions, dim=1).to(like)
    return {f"{name}_{i}": _along(part, direction) for i, direction in enumerate(directions)}


def _along(part: Statistic, direction: Tensor) -> Statistic:
    return lambda state: part(state).flatten(1) @ direction
