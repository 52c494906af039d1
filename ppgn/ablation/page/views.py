"""Which settings are drawn together: lines over a number, maps over two, groups of a trade-off. Places, no numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from ppgn.ablation.page.summary import Setting, is_number, numeric, shown

View = dict[str, Any]
TOGETHER = 7  # lines in a chart; of more, each text has its own
DOTS = 6  # a map of fewer scattered settings shows nothing
FILLED = 0.5  # of a grid, for a map of tiles


def curves(found: Sequence[Setting], axes: Sequence[str]) -> list[View]:
    """[{"axis", "label", "ordered", "lines": [{"label", "points": places, "joined"}]}] over each number of `axes`.

    A line is of settings that differ in that axis alone. Others are dots beside it, if their other numbers are those
    of some line. Where no two settings differ in the axis alone, all of them are dots. ordered: the lines are of
    numbers, in their order.
    """
    views: list[View] = []
    for axis in [name for name in axes if numeric(found, name)]:
        others = [name for name in axes if name != axis]
        groups = _groups(found, others)
        lines = {key: own for key, own in groups.items() if len({_number(found[i], axis) for i in own} - {None}) > 1}
        if not lines:
            own = [i for i, one in enumerate(found) if is_number(one.values[axis])]
            views.append(_chart(found, axis, "", {(): own}, [], False))
            continue
        numbers = [j for j, name in enumerate(others) if numeric(found, name)]
        beside = {tuple(key[j] for j in numbers) for key in lines}
        drawn = {key: own for key, own in groups.items() if key in lines or tuple(key[j] for j in numbers) in beside}
        texts = [j for j in range(len(others)) if j not in numbers]
        apart = len(drawn) > TOGETHER and len({tuple(key[j] for j in texts) for key in drawn}) > 1
        parts: dict[tuple[Any, ...], dict[tuple[Any, ...], list[int]]] = {}
        for key, own in drawn.items():
            parts.setdefault(tuple(key[j] for j in texts) if apart else (), {})[key] = own
        titles = labels(list(parts), [others[j] for j in texts]) if apart else [""]
        for title, part in zip(titles, parts.values(), strict=True):
            if part.keys() & lines.keys():
                views.append(_chart(found, axis, title, part, others, True))
    return views


def maps(found: Sequence[Setting], axes: Sequence[str]) -> list[View]:
    """[{"x", "y", "label", "grid", "settings": places}] of pairs of numbers that are varied together.

    grid: the settings fill half of a grid or more; otherwise they are scattered over the plane.
    """
    views: list[View] = []
    numbers = [name for name in axes if numeric(found, name)]
    for y, x in combinations(numbers, 2):
        both = [i for i, one in enumerate(found) if is_number(one.values[x]) and is_number(one.values[y])]
        others = [name for name in axes if name not in (x, y)]
        tiles = {key: own for key, own in _groups(found, others, both).items() if _is_grid(found, x, y, own)}
        texts = [name for name in others if not numeric(found, name)]
        loose = {key: own for key, own in _groups(found, texts, both).items() if len(own) >= DOTS}
        kept, by = (tiles, others) if tiles else (loose, texts)
        for title, own in zip(labels(list(kept), by), kept.values(), strict=True):
            views.append({"x": x, "y": y, "label": title, "grid": bool(tiles), "settings": own})
    return views


def groups(found: Sequence[Setting], axes: Sequence[str]) -> list[View]:
    """[{"label", "settings": places}] of settings that have the same texts; without any, numbers for the same axes."""
    numbers = [name for name in axes if numeric(found, name)]
    texts = [name for name in axes if name not in numbers]
    parts: dict[tuple[Any, ...], list[int]] = _groups(found, texts)
    if not texts:
        parts = {}
        for i, one in enumerate(found):
            parts.setdefault((", ".join(name for name in numbers if one.values[name] is not None) or None,), []).append(
                i
            )
    titles = labels(list(parts), texts or ["numbers"])
    return [{"label": title, "settings": own} for title, own in zip(titles, parts.values(), strict=True)]


def labels(keys: Sequence[tuple[Any, ...]], axes: Sequence[str]) -> list[str]:
    """A short text for each key, of the axes that are `telling`; None, the model's own, is not told.

    >>> labels([("joint", "own", 0.1), ("joint", "real", 0.1), ("ppgn-h", None, 0.1)], ["variant", "start", "gamma"])
    ['joint, own start', 'joint, real', 'ppgn-h']
    """
    told = _texts(keys, axes, telling(keys))
    return [text or "as recommended" for text in told] if len(keys) > 1 else [""] * len(keys)


def telling(keys: Sequence[tuple[Any, ...]]) -> list[int]:
    """Places of the first axes by which the keys are told apart: others follow from the texts of these.

    A number is told unless it is the same in all keys that share their texts.

    >>> telling([("joint", "released", 0.1), ("joint", "released", 0.2), ("ppgn-h", None, 0.1)])
    [0, 2]
    """
    kept = list(range(len(keys[0]))) if keys else []
    wordy = [j for j in kept if any(isinstance(key[j], str) for key in keys)]
    alike: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for key in keys:
        alike.setdefault(tuple(key[j] for j in wordy), []).append(key)
    for j in reversed(range(len(kept))):
        rest = [k for k in kept if k != j]
        follows = j in wordy or all(len({key[j] for key in own}) == 1 for own in alike.values())
        if follows and len(set(_shown(keys, rest))) == len(set(_shown(keys, kept))) and () not in _shown(keys, rest):
            kept = rest
    return kept


def _shown(keys: Sequence[tuple[Any, ...]], kept: Sequence[int]) -> list[tuple[Any, ...]]:
    """What is told of each key: places and values but for None."""
    return [tuple((k, key[k]) for k in kept if key[k] is not None) for key in keys]


def _texts(keys: Sequence[tuple[Any, ...]], axes: Sequence[str], kept: Sequence[int]) -> list[str]:
    return [", ".join(_named(axes[k], key[k]) for k in kept if key[k] is not None) for key in keys]


def _chart(
    found: Sequence[Setting], axis: str, title: str, part: dict[tuple[Any, ...], list[int]], others: list[str],
    joined: bool,
) -> View:  # fmt: skip
    keys = list(part)
    differing = [j for j in range(len(others)) if len({key[j] for key in keys}) > 1]
    ordered = len(differing) == 1 and all(is_number(key[differing[0]]) for key in keys)
    lines = [
        {"label": label, "points": sorted(own, key=lambda i: _number(found[i], axis) or 0.0), "joined": joined}
        for label, own in zip(labels(keys, others), part.values(), strict=True)
    ]
    return {"axis": axis, "label": title, "ordered": ordered, "lines": lines}


def _groups(
    found: Sequence[Setting], axes: Sequence[str], among: Sequence[int] | None = None
) -> dict[tuple[Any, ...], list[int]]:
    parts: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(found)) if among is None else among:
        parts.setdefault(tuple(found[i].values[name] for name in axes), []).append(i)
    return parts


def _is_grid(found: Sequence[Setting], x: str, y: str, own: Sequence[int]) -> bool:
    columns, rows = ({found[i].values[name] for i in own} for name in (x, y))
    return min(len(columns), len(rows)) > 1 and len(own) >= max(4, FILLED * len(columns) * len(rows))


def _number(one: Setting, axis: str) -> float | None:
    value = one.values[axis]
    return float(value) if is_number(value) else None


def _named(axis: str, value: Any) -> str:
    """A text tells what it is, but for "own"; a number does not."""
    if value == "own":
        return f"own {axis}"
    return f"{axis} {shown(value)}" if is_number(value) else str(value)
