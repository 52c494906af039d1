"""A design from its cells to its table: walked cell by cell, kept as they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from ppgn import records
from ppgn.ablation import page, results
from ppgn.ablation.cells import Measure, walked
from ppgn.ablation.design import Design
from ppgn.ablation.measuring import Yardstick, judged, yardstick
from ppgn.ablation.planning import Plan, Sets, plan
from ppgn.ablation.tables import NAMES, table
from ppgn.pipeline import Pipeline


def run(
    design: Design,
    out: str | Path,
    *,
    parts: Mapping[str, Pipeline | nn.Module] | None = None,
    data: str | Path | Sets | None = None,
    judge: str | nn.Module | None = None,
    measure: Measure | None = None,
    shard: tuple[int, int] = (1, 1),
    only: Sequence[str] = (),
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
    only      the cells of these ids alone, instead of a shard
    retry     walk cells anew whose row has an error

    Each row is kept when its cell is done (`ppgn.ablation.results`), so that a run that was killed goes on where it
    was. A cell that fails has its error in its row. Raises ValueError for what does not fit, before any work, and for
    an `out` of another design; KeyboardInterrupt for Ctrl-C, with the table of what there is written.
    """
    planned = plan(design, parts=parts, data=data, judge=judge, device=device)
    return walk(planned, out, measure=measure, shard=shard, only=only, retry=retry, progress=progress)


def walk(
    planned: Plan,
    out: str | Path,
    *,
    measure: Measure | None = None,
    shard: tuple[int, int] = (1, 1),
    only: Sequence[str] = (),
    retry: bool = False,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """What `run` does with a design once it is planned."""
    own = planned.chosen(only, shard)
    yards = {} if measure is not None else _yardsticks(planned)
    by = judged(yards) if measure is None else measure
    out = Path(out)
    results.begin(out, _header(planned, yards, measure))
    left = [cell for cell in own if not results.is_done(out, cell.id, retry)]
    try:
        for cell in tqdm(left, disable=None if progress else True, unit="cell"):
            if not results.is_done(out, cell.id, retry):  # another process may have been here
                row = walked(cell, planned.given, by, out)
                results.keep(out, {**row, **planned.origin(cell, measure is None)})
    finally:
        rows = _joined(out, yards)
    return rows


def _joined(out: Path, yards: Mapping[str, Yardstick]) -> list[dict[str, Any]]:
    """All rows, which are written anew until they are those that there are: another process may have brought more, and
    the older rows would otherwise be the last that are written."""
    written: list[dict[str, Any]] = []
    while (rows := results.read(out)) != written:
        results.join(out, rows, _table(rows, yards))
        page.write(out / results.PAGE, out)
        written = rows
    return rows


def _yardsticks(planned: Plan) -> dict[str, Yardstick]:
    design = planned.design
    return {
        name: yardstick(network, bundle, planned.sets, design.n, design.seeds, design.labels)
        for name, (network, bundle) in planned.judges.items()
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
    beside = {
        "about": design.about,
        "floors": {name: yard.floors for name, yard in yards.items()},
        "said": {name: yard.said for name, yard in yards.items()},
        "names": dict(NAMES),
    }
    return {
        "design": told,
        "measure": None if measure is None else records.describe(measure),
        "judged": {name: yard.described for name, yard in yards.items()},
        "cells": len(planned.cells),
        "networks": hashlib.sha256(names.encode()).hexdigest()[:16],
        results.TOLD: beside,
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
