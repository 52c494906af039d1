"""A design planned whole before any work: every setting put together once, its cells in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ppgn import data as image_sets
from ppgn.ablation.cells import Cell, cells
from ppgn.ablation.commands import command
from ppgn.ablation.design import Design
from ppgn.ablation.measuring import judge_of
from ppgn.ablation.parts import Given
from ppgn.pipeline import Pipeline

Sets = tuple[image_sets.ImageSet, image_sets.ImageSet]


@dataclass(frozen=True)
class Plan:
    """A design whose every setting was put together, and nothing walked yet: its cells in order.

    data      where the real images are, by name; None: nowhere, or they were brought along
    command   cell -> the shell command that walks it alone; None where some part was brought along
    """

    design: Design
    cells: tuple[Cell, ...]
    given: Given
    judges: Mapping[str, tuple[nn.Module | None, str | None]]
    sets: Sets | None
    data: str | None
    command: Callable[[Cell], str] | None

    def origin(self, cell: Cell, judged: bool) -> dict[str, str | None]:
        """What a row says of where it is from; judged: by the judge, not by a measure of the caller's."""
        command = self.command if judged else None
        return {"data": self.data, "command": None if command is None else command(cell)}

    def chosen(self, only: Sequence[str], part: tuple[int, int]) -> tuple[Cell, ...]:
        """The cells of those ids, or the shard. Raises ValueError for an id that no cell has."""
        found = {cell.id: cell for cell in self.cells}
        unknown = [name for name in only if name not in found]
        if unknown:
            raise ValueError(
                f"cell must be one of the design's {len(found)}, got {', '.join(unknown)}: ids tell settings, seed, n, "
                "labels, and the weights of every network, of which something is another here"
            )
        return tuple(found[name] for name in only) or self.shard(part)

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
    name = Path(data).name if isinstance(data, str | Path) else None
    found = tuple(cells(design, given, {name: network for name, (network, _) in judges.items()}))
    if parts or isinstance(data, tuple) or isinstance(judge, nn.Module):
        return Plan(design, found, given, judges, sets, name, None)
    return Plan(design, found, given, judges, sets, name, lambda cell: command(cell, data, judge))


def _sets(source: str | Path | Sets | None) -> Sets | None:
    if source is None or isinstance(source, tuple):
        return source
    return image_sets.load(str(source), "train"), image_sets.load(str(source), "test")
