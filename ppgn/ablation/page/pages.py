"""The report of an ablation: one HTML file, made from a folder of results and nothing else.

    question and what was run      as the design tells it
    at a glance, curves, maps      drawn by assets/*.js from the means in `_content`
    table                          written here, so that it is there without any script; sorted by one
    a cell                         its pictures, walk, figures beside real images, settings, hashes and command

The same folder gives the same bytes. Pictures that do not fit the limit are left out, seeds after the first before all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppgn import files, report
from ppgn.ablation import results
from ppgn.ablation.page import prose, summary, views
from ppgn.ablation.page.meaning import MEANINGS, about, meaning
from ppgn.ablation.page.summary import Setting

LIMIT = 20_000_000
ASSETS = Path(__file__).parent / "assets"
STYLES = (ASSETS / "ablation.css",)
SCRIPTS = tuple(ASSETS / name for name in ("shared.js", "glance.js", "curves.js", "maps.js", "cell.js", "main.js"))
MAIN = 6  # figures drawn without being asked for
ASIDE = ("density", "precision", "recall", "seconds")  # others tell more in as much room
MIXING = ("r_hat", "ess")  # say nothing of what the images are
GLANCE = 4  # figures whose best setting is told first

Found = dict[tuple[str, str], Path]


def write(to: str | Path, *folders: str | Path, limit: int = LIMIT) -> Path:
    """Write the report of one folder of results, or of several of one design, to the file `to`, atomically.

    limit   of the file, in bytes, which only what is no picture may exceed

    Raises FileNotFoundError for a folder that has no design, ValueError for no folder, no rows or several designs.
    """
    if not folders:
        raise ValueError("a report needs a folder of results or more, got none")
    rows = results.read(*folders)
    header = files.read_json(Path(folders[0]) / results.DESIGN)
    found = summary.settings(rows)
    pictures = _pictures(folders, rows)
    first = {one.id for one in found}
    tries = [
        ("", pictures),
        ("Pictures of each setting's first seed alone are kept here: those of all are over the size that this file may "
         "have.", {key: path for key, path in pictures.items() if key[1] in first}),
        ("Pictures of each setting's first seed are kept here, and no walks: more are over the size that this file may "
         "have.", {key: path for key, path in pictures.items() if key[1] in first and key[0] == "pictures"}),
        ("No pictures are kept here: they are over the size that this file may have.", {}),
    ]  # fmt: skip
    for said, kept in tries:
        bare = len(_html(header, found, said, kept, None).encode())
        packed = report.packed(kept.values(), limit - bare)
        if packed is not None:
            break
    files.write_bytes(Path(to), _html(header, found, said, kept, packed).encode())
    return Path(to)


def _pictures(folders: Sequence[str | Path], rows: Sequence[Mapping[str, Any]]) -> Found:
    """("pictures" or "walks", id) -> file."""
    kinds = ("pictures", "walks")
    paths = {(k, str(row["id"])): Path(f) / k / f"{row['id']}.png" for f in folders for row in rows for k in kinds}
    places = [(key, Path(folder) / key[0] / f"{key[1]}.png") for folder in folders for key in paths]
    return {key: path for key, path in places if report.fits(path)}


def _html(
    header: Mapping[str, Any], found: Sequence[Setting], said: str, kept: Found, packed: report.Pictures | None
) -> str:
    content = _content(header, found, kept, packed)
    asked = prose.question(header)
    return report.page(
        asked,
        prose.body(header, found, content["figures"], said),
        styles=STYLES,
        scripts=SCRIPTS,
        content=content,
        pictures={} if packed is None else packed.uris,
    )


def _content(
    header: Mapping[str, Any], found: Sequence[Setting], kept: Found, packed: report.Pictures | None
) -> dict[str, Any]:
    """What the scripts draw: means, places in views of them, and the rows with the names of their pictures."""
    axes = summary.varied(found)
    titles = views.labels([tuple(one.values[name] for name in axes) for one in found], axes)
    digits = {key: report.sha256(path) for key, path in kept.items()}
    rows = [row for one in found for row in one.rows]
    places = {row["id"]: i for i, row in enumerate(rows)}
    return {
        "axes": axes,
        "figures": figures(header, found),
        "floors": prose.floors(header),
        "settings": [
            {
                "label": title or "the setting",
                "values": dict(one.values),
                "model": str(one.values.get("model", "")),
                "figures": {name: list(own) for name, own in one.figures.items()},
                "cells": [places[row["id"]] for row in one.rows],
            }
            for one, title in zip(found, titles, strict=True)
        ],
        "cells": [
            {
                **row,
                "picture": digits.get(("pictures", row["id"])),
                "walk": digits.get(("walks", row["id"])),
            }
            for row in rows
        ],
        "sizes": {} if packed is None else {name: list(size) for name, size in packed.sizes.items()},
        "curves": views.curves(found, axes),
        "maps": views.maps(found, axes),
        "groups": views.groups(found, axes),
    }


def figures(header: Mapping[str, Any], found: Sequence[Setting]) -> list[dict[str, Any]]:
    """[{"name", "title", "about", "form", "better", "best", "main", "glance"}] of those that have numbers.

    best   places of the settings that are; main: whether it is drawn without being asked for; glance:
            whether its best setting is told at the top
    """
    having = dict.fromkeys(name for one in found for name in one.figures)
    names = [*(name for name in MEANINGS if name in having), *(name for name in having if name not in MEANINGS)]
    drawn = [name for name in names if name not in ASIDE][:MAIN]
    told = prose.names(header)
    best = {name: summary.best(found, name, meaning(name).better) for name in names}
    first = [name for name in names if best[name] and name not in (*ASIDE, *MIXING)][:GLANCE]
    return [
        {
            "name": name,
            "title": meaning(name).title,
            "about": about(name, told),
            "form": summary.form(name),
            "better": meaning(name).better,
            "best": best[name],
            "main": name in drawn,
            "glance": name in first,
        }
        for name in names
    ]
