"""Tables of an ablation: for each setting the mean of its seeds with the standard error, beside real images."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ppgn.evaluation.overlaps import K

Row = Mapping[str, Any]
SHARES = dict.fromkeys(("judge", "guide", "spread", "coverage", "density", "precision", "recall"), ".3f")
FORMS = {**SHARES, "log_p": ".2f", "r_hat": ".2f", "ess": ".0f", "seconds": ".1f"}
OTHER = ".3g"
NAMES: Mapping[str, str] = MappingProxyType({
    "judge": "share of images given their label by a judge that was never the condition; higher is better, up to "
    "real images",
    "distance": "Fréchet distance to real images in the judge's features, biased upwards by about 1/n; lower is "
    "better, down to real images",
    "spread": "mean distance of two images of a class, over that of real images; 1 is right, less is collapse",
    "coverage": f"share of real images that have a sample nearer than their real neighbour number {K}; higher is "
    "better, up to real images",
    "density": f"of how many real images a sample is nearer than their real neighbour number {K}, over {K}; as real "
    "images is right, more is crowding",
    "precision": f"share of samples that are nearer to some real image than its real neighbour number {K}; higher is "
    "better, up to real images",
    "recall": f"share of real images that are nearer to some sample than the sample's own neighbour number {K}; "
    "higher is better, up to real images",
    "guide": "share of images given their label by the condition's own network; no merit, they were made for it",
    "log_p": "mean log p(y | x) by the condition's own network, nats; higher is nearer to what was asked, not better",
    "r_hat": "how far chains of a class disagree on log p(y | x), second half of the walk, worst class; 1 is right, "
    "above 1.01 they have not mixed",
    "ess": "independent draws that the second half of all chains is worth, by log p(y | x); higher is better",
    "cost": "seconds of the whole walk for each independent draw that the judge agrees to; lower is better; told where "
    "chains agree, r_hat up to 1.05, or each makes one image",
    "seconds": "of making the cell's samples, on the machine it ran on; lower is better",
})  # fmt: skip
"""Figure -> what it is, and how it is read."""
NOTES = 20  # reasons and warnings told below a table


def table(
    rows: Sequence[Row],
    by: Sequence[str] | None = None,
    floors: Sequence[Mapping[str, float | str]] = (),
    said: str = "",
) -> str:
    """Markdown: a line for each setting of the axes `by`, over all rows that share it.

    by       axes; None: those that have several values
    floors   figures of real images, for a line of their own, which `said` says more of

    A figure is `mean ± standard error`, of those rows that have it; "-" where none has, with the reasons below. What
    no row of the table has gets no column. A single row has no error. Failed rows are counted, and told below. Raises
    ValueError for no rows, or an axis that no row has.

    >>> print(table([{"settings": {"gamma": 1.0}, "figures": {"judge": 0.5}}, {"settings": {"gamma": 1.0}, "figures":
    ...     {"judge": 1.0}}], by=["gamma"]))
    | gamma | runs | judge |
    | --- | --- | --- |
    | 1 | 2 | 0.750 ± 0.250 |
    <BLANKLINE>
    """
    if not rows:
        raise ValueError("a table needs a row or more, got none")
    axes = list(by) if by is not None else _varied(rows)
    known = dict.fromkeys(name for row in rows for name in row["settings"])
    unknown = [name for name in axes if name not in known]
    if unknown:
        raise ValueError(f"by must be axes of the rows, {', '.join(known)}, got {', '.join(unknown)}")
    names = list(dict.fromkeys(name for row in rows for name in row["figures"]))
    names = [name for name in names if any(row["figures"].get(name) is not None for row in rows)]
    timed = any(row.get("seconds") is not None for row in rows)
    lines = [_line([*(axes or ["setting"]), "runs", *names, *(["seconds"] if timed else [])])]
    lines.append(_line(["---"] * (len(axes or [""]) + 1 + len(names) + timed)))
    for key, own in _grouped(rows, axes):
        cells = list(key) if axes else ["all"]
        figures = [_mean([row["figures"].get(name) for row in own], name) for name in names]
        seconds = [_mean([row.get("seconds") for row in own], "seconds")] if timed else []
        lines.append(_line([*cells, _runs(own), *figures, *seconds]))
    if floors:
        cells = ["*real images*", *[""] * (len(axes or [""]) - 1)]
        real = [_mean([_number(floor.get(name)) for floor in floors], name) for name in names]
        lines.append(_line([*cells, str(len(floors)), *real, *(["-"] if timed else [])]))
    return "\n".join([*lines, *_notes(rows, axes, said)]) + "\n"


def _varied(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row["settings"])
    return [name for name in names if len({shown(row["settings"].get(name)) for row in rows}) > 1]


def _grouped(rows: Sequence[Row], axes: Sequence[str]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """(values of the axes, their rows), in the order of the values."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row["settings"].get(name) for name in axes), []).append(row)
    ordered = sorted(groups, key=lambda key: [order(value) for value in key])
    return [(tuple(shown(value) for value in key), groups[key]) for key in ordered]


def order(value: Any) -> tuple[int, float, str]:
    """By which settings' values are sorted: None first, then numbers, then texts."""
    if isinstance(value, str):
        return 2, 0.0, value
    return (0, 0.0, "") if value is None else (1, float(value), "")


def shown(value: Any, none: str = "-") -> str:
    """A setting's value; `none`: what the model recommends."""
    return none if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: float | str | None) -> float | None:
    return None if isinstance(value, str) else value


def _mean(values: Sequence[float | None], name: str) -> str:
    found = [value for value in values if value is not None]
    form = FORMS.get(name, OTHER)
    if not found:
        return "-"
    if len(found) == 1:
        return f"{found[0]:{form}}"
    return f"{statistics.fmean(found):{form}} ± {statistics.stdev(found) / math.sqrt(len(found)):{form}}"


def _runs(rows: Sequence[Row]) -> str:
    failed = sum(row.get("error") is not None for row in rows)
    return f"{len(rows)}, {failed} failed" if failed else str(len(rows))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _notes(rows: Sequence[Row], axes: Sequence[str], said: str) -> list[str]:
    """Below the table: what the floors are, why figures are missing, which cells failed and what was warned of."""
    reasons = Counter(reason for row in rows for reason in _reasons(row.get("reasons", {})))
    reasons.update(f"warned: {text}" for row in rows for text in row.get("warnings", []))
    errors: dict[str, list[str]] = {}
    for row in rows:
        if row.get("error") is not None:
            errors.setdefault(row["error"], []).append(row["id"])
    failed = [f"- failed, {', '.join(ids)}: {error}" for error, ids in errors.items()]
    told = [f"- {reason} ({count} of {len(rows)} runs)" for reason, count in reasons.most_common(NOTES)]
    unset = any(row["settings"].get(name) is None for row in rows for name in axes)
    own = ["- a setting of - is what the model recommends"] if unset else []
    about = [f"- real images: {said}"] if said else []
    found = [*about, *own, *told, *failed]
    return ["", *found] if found else []


def _reasons(of: Mapping[str, str]) -> list[str]:
    """Each reason once, after all figures that it is of."""
    return [f"no {', '.join(name for name in of if of[name] == why)}: {why}" for why in dict.fromkeys(of.values())]
