"""From axes to settings: every combination, or points spread over the ranges by a low-discrepancy sequence.

Sobol' (1967), scrambled (Owen 1998); Latin hypercubes (McKay, Beckman & Conover 1979); both are scipy's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ppgn.ablation.axes import AXES, Range, Value, Values

Kind = Literal["grid", "sobol", "latin-hypercube", "random"]


@dataclass(frozen=True)
class Block:
    """Some axes and how their values are combined.

    axes     name -> values, or a range of them
    kind     "grid": every combination; "sobol", "latin-hypercube", "random": so many `points`, drawn from `seed`

    Raises ValueError for no axes, another kind, a grid over a range without a count, or points that are missing or
    too many.

    >>> Block({"eps_noise": (0.0, 0.1), "gamma": (1.0,)}).settings()
    [{'eps_noise': 0.0, 'gamma': 1.0}, {'eps_noise': 0.1, 'gamma': 1.0}]
    """

    axes: Mapping[str, Values]
    kind: Kind = "grid"
    points: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.axes:
            raise ValueError("a design must have an axis or more, got none: nothing would be varied")
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {self.kind!r}")
        if self.kind == "grid":
            if self.points is not None:
                raise ValueError(f"points are for designs that are drawn; a grid has all, got {self.points}")
            for name, values in self.axes.items():
                if isinstance(values, Range) and values.count is None:
                    raise ValueError(f"axis {name}: a range in a grid needs a count, got {values.told}")
        elif self.points is None or self.points < 1:
            raise ValueError(f"a {self.kind} design needs points, 1 or more, got {self.points}")

    def settings(self) -> list[dict[str, Value]]:
        """The points of the block, each once: axis -> value."""
        columns = [_listed(name, values) for name, values in self.axes.items()]
        found = list(itertools.product(*columns)) if self.kind == "grid" else self._drawn()
        return [dict(zip(self.axes, point, strict=True)) for point in dict.fromkeys(found)]

    def _drawn(self) -> list[tuple[Value, ...]]:
        assert self.points is not None
        shares = _shares(self.kind, self.points, len(self.axes), self.seed)
        return [
            tuple(_at(name, values, u) for (name, values), u in zip(self.axes.items(), row, strict=True))
            for row in shares.tolist()
        ]


def _shares(kind: Kind, points: int, axes: int, seed: int) -> np.ndarray[Any, Any]:
    """(points, axes) in [0, 1)."""
    from scipy.stats import qmc  # slow to import; only such a design needs it

    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.random((points, axes))
    if kind == "latin-hypercube":
        return np.asarray(qmc.LatinHypercube(axes, rng=rng).random(points))
    # a power of two, for which the sequence is balanced, of which the first are taken
    return np.asarray(qmc.Sobol(axes, rng=rng).random_base2(math.ceil(math.log2(points))))[:points]


def _listed(name: str, values: Values) -> tuple[Value, ...]:
    if not isinstance(values, Range):
        return values
    if values.count is None:
        return ()
    return tuple(_at(name, values, i / (values.count - 1)) for i in range(values.count))


def _at(name: str, values: Values, u: float) -> Value:
    """The value at a share u of the axis: lists are cut into equal shares."""
    if not isinstance(values, Range):
        return values[min(int(u * len(values)), len(values) - 1)]
    found = values.at(u)
    return round(found) if AXES[name].kind == "whole" else found
