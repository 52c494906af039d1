"""Rows of an ablation by their settings: means over the seeds with standard errors, and which are best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ppgn.ablation import tables
from ppgn.ablation.axes import AXES
from ppgn.ablation.page.meaning import Better
from ppgn.ablation.tables import FORMS, OTHER, order

Row = Mapping[str, Any]


class Mean(NamedTuple):
    """error: the standard error; None of a single value."""

    value: float
    error: float | None
    n: int


@dataclass(frozen=True)
class Setting:
    """All rows of one setting, by seed; figures: means of those rows that have the figure."""

    values: Mapping[str, Any]
    rows: tuple[Row, ...]
    figures: Mapping[str, Mean]

    @property
    def id(self) -> str:
        """Of its first row."""
        return str(self.rows[0]["id"])

    @property
    def failed(self) -> int:
        """How many rows have an error."""
        return sum(row.get("error") is not None for row in self.rows)


def settings(rows: Sequence[Row]) -> list[Setting]:
    """Each setting once, in the order of its values. Raises ValueError for no rows."""
    if not rows:
        raise ValueError("a report needs a row or more, got none")
    axes = names(rows)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row["settings"].get(name) for name in axes), []).append(row)
    found = []
    for key in sorted(groups, key=lambda key: [order(value) for value in key]):
        own = sorted(groups[key], key=lambda row: (row["seed"], row["id"]))
        figures = {name: mean(value(row, name) for row in own) for name in figure_names(own)}
        told = {name: mean for name, mean in figures.items() if mean is not None}
        found.append(Setting(dict(zip(axes, key, strict=True)), tuple(own), told))
    return found


def mean(values: Iterable[float | None]) -> Mean | None:
    """Of those that are numbers; None if none is."""
    found = [number for number in values if number is not None]
    if not found:
        return None
    error = statistics.stdev(found) / math.sqrt(len(found)) if len(found) > 1 else None
    return Mean(statistics.fmean(found), error, len(found))


def value(row: Row, name: str) -> float | None:
    """A figure of a row; its seconds are one."""
    found = row.get("seconds") if name == "seconds" else row.get("figures", {}).get(name)
    return float(found) if isinstance(found, int | float) else None


def figure_names(rows: Sequence[Row]) -> list[str]:
    """All that some row has or has a reason for, and seconds."""
    own = dict.fromkeys(name for row in rows for name in row.get("figures", {}))
    return [*own, *(["seconds"] if any(row.get("seconds") is not None for row in rows) else [])]


def names(rows: Sequence[Row]) -> list[str]:
    """The axes, in the order in which they are listed."""
    found = dict.fromkeys(name for row in rows for name in row["settings"])
    return [*(name for name in AXES if name in found), *sorted(name for name in found if name not in AXES)]


def varied(found: Sequence[Setting]) -> list[str]:
    """The axes that have several values."""
    return [name for name in found[0].values if len({shown(one.values[name]) for one in found}) > 1]


def numeric(found: Sequence[Setting], name: str) -> bool:
    """Whether an axis has two numbers or more, and no texts."""
    known = [one.values[name] for one in found if one.values[name] is not None]
    return len(set(known)) > 1 and all(is_number(value) for value in known)


def is_number(value: Any) -> bool:
    """No text, no None, no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def best(found: Sequence[Setting], name: str, better: Better | None) -> list[int]:
    """Places of the best setting, first, and of those whose mean is within the two standard errors of its."""
    having = [(i, one.figures[name]) for i, one in enumerate(found) if name in one.figures]
    if better is None or len(having) < 2:
        return []
    costs = {i: {"high": -own.value, "low": own.value, "one": abs(own.value - 1)}[better] for i, own in having}
    first = min(costs, key=lambda i: (costs[i], i))
    top = found[first].figures[name]
    near = [i for i, own in having if costs[i] - costs[first] <= math.hypot(own.error or 0, top.error or 0)]
    return [first, *(i for i in near if i != first)]


def form(name: str) -> str:
    """How a figure is written, as Python's format does."""
    return FORMS.get(name, OTHER)


def written(name: str, number: float) -> str:
    """A figure as the tables have it, but without powers of ten where they are short."""
    text = f"{number:{form(name)}}"
    return f"{number:.0f}" if "e+" in text and abs(number) < 1e7 else text


def written_error(name: str, error: float) -> str:
    """To two digits, or to as many decimals as its mean."""
    return f"{error:.2g}" if form(name).endswith("g") and error < 10 else written(name, error)


def shown(value: Any) -> str:
    """A setting's value; "own" is what the model recommends."""
    return tables.shown(value, "own")


def about(name: str) -> str:
    """What an axis is, where it is known."""
    return AXES[name].about if name in AXES else ""
