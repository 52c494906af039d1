"""What an evaluation found: every number of the samples beside the same number of real images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ppgn.evaluation.figures import Figure
from ppgn.evaluation.memory import Nearest


@dataclass(frozen=True)
class Row:
    """One number.

    about     what it is, in words
    samples   of the samples
    floor     of as many real test images; None for what real images have not, as a cost
    divided   whether their ratio means something: not if 0 is expected of real images, nor of a p-value
    """

    about: str
    samples: Figure
    floor: Figure | None = None
    divided: bool = True

    @property
    def ratio(self) -> float | None:
        """Samples over floor; None where one is refused or the floor is 0."""
        if not self.divided or self.floor is None or self.floor.value is None or self.samples.value is None:
            return None
        return self.samples.value / self.floor.value if self.floor.value else None

    def to_json(self) -> dict[str, Any]:
        """By name, without what is not known."""
        floor = {} if self.floor is None else {"floor": self.floor.to_json()}
        ratio = {} if self.ratio is None else {"ratio": self.ratio}
        return {"about": self.about, "samples": self.samples.to_json(), **floor, **ratio}


@dataclass(frozen=True)
class Report:
    """An evaluation.

    rows      name -> number, in the order of the table
    nearest   "pixels" and "features" -> of each of `record["rows"]` the nearest training image and its distance
    record    counts, judge and guide with their sha256, seed, level, k, versions, ...
    """

    rows: Mapping[str, Row]
    nearest: Mapping[str, Nearest]
    record: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            **self.record,
            "figures": {name: row.to_json() for name, row in self.rows.items()},
            "nearest": {
                name: {"index": found.index.tolist(), "distance": found.distance.tolist()}
                for name, found in self.nearest.items()
            },
        }

    def table(self) -> str:
        """For a terminal: a line for each number, and the reasons of those that are refused below."""
        cells = [["", "samples", "real images", "ratio"]]
        for row in self.rows.values():
            floor = "-" if row.floor is None else str(row.floor)
            cells.append([row.about, str(row.samples), floor, "-" if row.ratio is None else f"{row.ratio:.3g}"])
        widths = [max(len(line[i]) for line in cells) for i in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
        return "\n".join(line.rstrip() for line in [*self._headline(), "", *lines, *self._refusals()])

    def _headline(self) -> list[str]:
        counts, judge, guide = (self.record[name] for name in ("n", "judge", "guide"))
        way = "class by class" if self.record["labelled"] else "of whatever class"
        lines = [
            f"{counts['used']} of {counts['given']} samples, and as many real test images, each against as many "
            f"real training images, {way}",
            f"features: {judge['features']} of {judge['network']}, sha256 {_short(judge)}",
        ]
        if guide is not None:
            lines.append(f"guide: {guide['network']}, sha256 {_short(guide)}")
        level = f"{100 * self.record['level']:g}"
        return [*lines, f"± one standard error, [{level} % interval]; seed {self.record['seed']}"]

    def _refusals(self) -> list[str]:
        found: dict[str, list[str]] = {}
        for row in self.rows.values():
            for figure in (row.samples, row.floor):
                if figure is not None and figure.refused is not None:
                    names = found.setdefault(figure.refused, [])
                    names += [row.about] * (row.about not in names)
        return [f"refused ({', '.join(names)}): {reason}" for reason, names in found.items()]


def _short(network: Mapping[str, Any]) -> str:
    return (network["sha256"] or "unknown")[:16]
