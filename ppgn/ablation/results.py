"""Where an ablation keeps what it found: a file for each cell, whole or absent, joined when read.

    OUT/design.json          what is varied and measured: another design is refused
    OUT/cells/ID.json        one row, renamed into its place: no kill leaves half of it, no two processes need a lock
    OUT/pictures/ID.png      a sheet of the cell's images; OUT/walks/ID.png: of the walk to them
    OUT/results.jsonl        all rows, by id; OUT/table.md: means over the seeds; OUT/report.html: with all pictures.
                             The three are made anew by every run

Folders of several machines are joined by copying their cells and pictures into one, or by `read` as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ppgn import files, records

Row = Mapping[str, Any]
DESIGN, PAGE = "design.json", "report.html"
TOLD = "told"  # what a design's file says beside what its rows depend on: its question, what real images score


def begin(out: Path, header: Mapping[str, Any]) -> None:
    """Make the folder, or make sure that it is of the same design, whatever else it tells.

    Raises ValueError with what differs, FileExistsError for a folder that has other files, NotADirectoryError.
    """
    path = out / DESIGN
    now = json.loads(json.dumps(header))
    if not path.is_file():
        try:
            files.check_new_folder(out)
        except FileExistsError:
            if not _is_beginning(out):
                raise
        files.write_json(path, now)
    saved = files.read_json(path)
    differing = differences(saved, now)
    if differing:
        raise ValueError(
            f"{out} holds results of another design; choose another folder, or the design that it was begun with, but "
            f"{'; '.join(differing)}"
        )
    if saved != now:
        files.write_json(path, now)


def differences(saved: Row, now: Row) -> list[str]:
    """Of two designs, as `ppgn.records.differences` tells them, but for what they only tell."""
    one, other = ({name: value for name, value in header.items() if name != TOLD} for header in (saved, now))
    return records.differences(one, other)


def _is_beginning(out: Path) -> bool:
    """Whether another process has begun there, is about to, or was killed while it was."""
    return (out / DESIGN).is_file() or all(path.name.startswith(f".{DESIGN}.") for path in out.iterdir())


def row_path(out: Path, name: str) -> Path:
    """Where the row of that id is kept."""
    return out / "cells" / f"{name}.json"


def picture_path(out: Path, name: str) -> Path:
    """Where the picture of that id is kept."""
    return out / "pictures" / f"{name}.png"


def walk_path(out: Path, name: str) -> Path:
    """Where the picture of the walk of that id is kept."""
    return out / "walks" / f"{name}.png"


def is_done(out: Path, name: str, retry: bool = False) -> bool:
    """Whether the cell has its row; retry: a row without an error."""
    path = row_path(out, name)
    return path.is_file() and not (retry and files.read_json(path).get("error") is not None)


def keep(out: Path, row: Row) -> None:
    """Write a row, whole or not at all."""
    files.write_json(row_path(out, row["id"]), row)


def read(*folders: str | Path) -> list[dict[str, Any]]:
    """The rows of one folder, or of several of the same design, each cell once, by id.

    Raises FileNotFoundError for a folder without a design, ValueError for folders of different designs.
    """
    found: dict[str, dict[str, Any]] = {}
    first: dict[str, Any] | None = None
    for folder in map(Path, folders):
        if not (folder / DESIGN).is_file():
            raise FileNotFoundError(f"{folder} must be a folder of results, with a {DESIGN}")
        header = files.read_json(folder / DESIGN)
        differing = [] if first is None else differences(first, header)
        if differing:
            raise ValueError(f"results must be of one design, but of {folders[0]} and {folder}: {'; '.join(differing)}")
        first = header
        for path in (folder / "cells").glob("*.json"):
            found[path.stem] = files.read_json(path)
    return [found[name] for name in sorted(found)]


def join(out: Path, rows: Iterable[Row], table: str) -> None:
    """Write results.jsonl and table.md."""
    lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    files.write_bytes(out / "results.jsonl", lines.encode())
    files.write_bytes(out / "table.md", table.encode())
