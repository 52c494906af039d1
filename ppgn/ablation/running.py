"""A design from its cells to its table: planned whole before any work, walked cell by cell, kept as they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from ppgn import data as image_sets
from ppgn import records
from ppgn.ablation import results
from ppgn.ablation.cells import Cell, Measure, cells, walked
from ppgn.ablation.design import Design
from ppgn.ablation.measuring import Yardstick, judge_of, judged, yardstick
from ppgn.ablation.parts import Given
from ppgn.ablation.tables import table
from ppgn.pipeline import Pipeline

Sets = tuple[image_sets.ImageSet, image_sets.ImageSet]


@dataclass(frozen=True)
class Plan:
    """A design whose every setting was put together, and nothing walked yet: its cells in order."""

    design: Design
    cells: tuple[Cell, ...]
    given: Given
    judges: Mapping[str, tuple[nn.Module | None, str | None]]
    sets: Sets | None

    def shard(self, part: tuple[int, int]) -> tuple[Cell, ...]:
        """The i-th of n parts, (i, n), i from 1 on. Raises ValueError for a part that there is not."""
        i, n = part
        if not 1 <= i <= n:
            raise ValueError(f"a shard must be i/n, with i from 1 to n, got {i}/{n}")
        return self.cells[i - 1 :: n]


def plan(
    design: Design,
    *,
    parts: Mapping[str, Pipeline | nn.Module] | None = None,
    data: str | Path | Sets | None = None,
    judge: str | nn.Module | None = None,
    device: torch.device | str = "cpu",
) -> Plan:
    """Everything that can be known before any work. Raises ValueError naming the setting that does not fit."""
    sets = _sets(data)
    given = Given(dict(parts or {}), None if sets is None else sets[0], device)
    names = dict.fromkeys(str(one["model"]) for one in design.settings())
    judges = {name: judge_of(name, judge) for name in names}
    for network, _ in judges.values():
        if network is not None:
            network.to(device)
    found = cells(design, given, {name: network for name, (network, _) in judges.items()})
    return Plan(design, tuple(found), given, judges, sets)


def run(
    design: Design,
    out: str | Path,
    *,
    parts: Mapping[str, Pipeline | nn.Module] | None = None,
    data: str | Path | Sets | None = None,
    judge: str | nn.Module | None = None,
    measure: Measure | None = None,
    shard: tuple[int, int] = (1, 1),
    retry: bool = False,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Walk the design's cells that `out` has no row of yet, and return all rows that are there, by id.

    parts     pipelines and networks by the names that the axes model, classifier, generator and denoiser call them
    data      real images, as `ppgn.data.load` reads them, or (train, test): for start = "real" and for the floor
    judge     a network with `features`, its file, or the bundle whose judge is meant; None: the model's own bundle's
    measure   in place of the judge: (samples, cell) -> name -> number, or the reason why there is none
    shard     (i, n): the i-th of n parts of the cells alone, from 1 on
    retry     walk cells anew whose row has an error

    Each row is kept when its cell is done (`ppgn.ablation.results`), so that a run that was killed goes on where it
    was. A cell that fails has its error in its row. Raises ValueError for what does not fit, before any work, and for
    an `out` of another design; KeyboardInterrupt for Ctrl-C, with the table of what there is written.
    """
    planned = plan(design, parts=parts, data=data, judge=judge, device=device)
    own = planned.shard(shard)
    yards = {} if measure is not None else _yardsticks(planned)
    by = judged(yards) if measure is None else measure
    out = Path(out)
    results.begin(out, _header(planned, yards, measure))
    left = [cell for cell in own if not results.is_done(out, cell.id, retry)]
    try:
        for cell in tqdm(left, disable=None if progress else True, unit="cell"):
            if not results.is_done(out, cell.id, retry):  # another process may have been here
                results.keep(out, walked(cell, planned.given, by, results.picture_path(out, cell.id)))
    finally:
        rows = _joined(out, yards)
    return rows


def _joined(out: Path, yards: Mapping[str, Yardstick]) -> list[dict[str, Any]]:
    """All rows, which are written anew until they are those that there are: another process may have brought more, and
    the older rows would otherwise be the last that are written."""
    written: list[dict[str, Any]] = []
    while (rows := results.read(out)) != written:
        results.join(out, rows, _table(rows, yards))
        written = rows
    return rows


def _sets(source: str | Path | Sets | None) -> Sets | None:
    if source is None or isinstance(source, tuple):
        return source
    return image_sets.load(str(source), "train"), image_sets.load(str(source), "test")


def _yardsticks(planned: Plan) -> dict[str, Yardstick]:
    n, seeds = planned.design.n, planned.design.seeds
    return {
        name: yardstick(network, bundle, planned.sets, n, seeds) for name, (network, bundle) in planned.judges.items()
    }


def _header(planned: Plan, yards: Mapping[str, Yardstick], measure: Measure | None) -> dict[str, Any]:
    """What all rows of a folder share: the cells that there are to be, and what they are measured by."""
    design = planned.design
    told = {
        "n": design.n,
        "steps": design.steps,
        "seeds": design.seeds,
        "labels": list(design.labels),
        "fixed": dict(design.fixed),
        "blocks": {str(i): records.describe(block) for i, block in enumerate(design.blocks, 1)},
    }
    names = "".join(sorted(cell.id for cell in planned.cells))
    return {
        "design": told,
        "measure": None if measure is None else records.describe(measure),
        "judged": {name: yard.described for name, yard in yards.items()},
        "cells": len(planned.cells),
        "networks": hashlib.sha256(names.encode()).hexdigest()[:16],
    }


def _table(rows: Sequence[Mapping[str, Any]], yards: Mapping[str, Yardstick]) -> str:
    """With a floor where one model is judged; several models have several."""
    if len(yards) == 1:
        (yard,) = yards.values()
        return table(rows, floors=yard.floors, said=yard.said)
    parts = [table(rows)]
    for name, yard in yards.items():
        own = [row for row in rows if row["settings"]["model"] == name]
        if own:
            parts.append(f"{name}:\n\n{table(own, floors=yard.floors, said=yard.said)}")
    return "\n".join(parts)
