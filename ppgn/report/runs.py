"""The page of one sampling run: its images, the walk to them, log p(y | x) on the way, and all that made them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ppgn import images
from ppgn.report.markup import Html, tag
from ppgn.report.pages import OWN, page
from ppgn.report.pictures import LARGEST, packed, sha256

LIMIT = 10_000_000  # bytes
FRAMES, POINTS = 16, 40  # of the film, of a curve
LINES = 7  # curves, of a label each; of more labels there is one of all
LONG = 12  # numbers of a list that are told one by one
PARTS = ("origin", "sampler", "generator", "prior", "condition", "start", "statistics")


def run_page(tensors: Mapping[str, Tensor], record: Mapping[str, Any], grid: Path, limit: int = LIMIT) -> str:
    """HTML of a run as it is saved: `tensors` and `record` as in its folder, `grid` the picture there.

    Pictures that are over the limit even at the lowest quality are left out, the walk first.
    """
    labels = None if "labels" not in tensors else [str(label) for label in tensors["labels"].tolist()]
    with tempfile.TemporaryDirectory() as folder:
        walk = Path(folder) / "walk.png"
        steps = _film(tensors, labels, walk)
        wanted = [[grid, walk]] * bool(steps) + [[grid], []]
        found = next(one for one in (packed(paths, limit) for paths in wanted) if one is not None)
        still, film = (found.uris.get(sha256(path)) if path.is_file() else None for path in (grid, walk))
        size = found.sizes[sha256(walk)] if film else None
    content = {"curves": _curves(tensors["log_condition"], labels), "film": film and {"size": size, "steps": steps}}
    picture = [tag("img", src=still, alt="all images", class_="sheet")] if still else []
    body = [_head(record, labels), *picture, tag("section", id="film"), tag("section", id="curves"), *_made(record)]
    pictures = {"walk": film} if film else {}
    return page(f"{record['n']} images", body, scripts=[OWN / "run.js"], content=content, pictures=pictures)


def _film(tensors: Mapping[str, Tensor], labels: Sequence[str] | None, path: Path) -> list[int]:
    """The steps of a film, whose frames are written one under another; none of a run that kept no walk."""
    frames, chains = tensors["frames"], tensors["frame_chains"].tolist()
    if len(frames) < 2:
        return []
    shown = None if labels is None else [labels[i] for i in chains]
    width, height = images.grid(frames[0], shown).size
    scale = min(1.0, LARGEST / (2 * max(width, height)))  # so that two frames fit
    width, height = int(scale * width), int(scale * height)
    count = min(FRAMES, len(frames), LARGEST // height)
    index = torch.linspace(0, len(frames) - 1, count).round().long()
    sheet = Image.new("RGB", (width, count * height), "white")
    for i, frame in enumerate(frames[index]):
        sheet.paste(images.grid(frame, shown).resize((width, height)), (0, i * height))
    sheet.save(path)
    return [int(step) for step in tensors["frame_steps"][index]]


def _curves(log_condition: Tensor, labels: Sequence[str] | None) -> list[dict[str, Any]]:
    """log p(y | x) (steps + 1, n): [step, mean of the chains] of each label, or of all if there are many."""
    names = dict.fromkeys(labels or [""])
    if len(names) > LINES:
        labels, names = None, {"": None}
    steps = torch.linspace(0, len(log_condition) - 1, min(POINTS, len(log_condition))).round().long()
    found = []
    for name in names:
        own = torch.tensor([labels is None or label == name for label in labels or [""] * log_condition.shape[1]])
        means = log_condition[steps][:, own].double().mean(1)
        points = [[int(k), float(v)] for k, v in zip(steps, means, strict=True) if torch.isfinite(v)]
        found.append({"label": name, "points": points})
    return [one for one in found if len(one["points"]) > 1]


def _head(record: Mapping[str, Any], labels: Sequence[str] | None) -> Html:
    sampler = record["sampler"]["name"]
    asked = f" of {', '.join(dict.fromkeys(labels))}" if labels and len(set(labels)) <= LINES else ""
    facts = [
        ("images", record["n"]), ("steps", record["steps"]), ("seed", record["seed"]), ("sampler", sampler),
        ("as a sampler", "exact" if record["exact"] else "not exact"), ("device", record["device"]),
    ]  # fmt: skip
    listed = [tag("div", [tag("dd", str(value)), tag("dt", name)]) for name, value in facts]
    return tag("header", [
        tag("p", "ppgn sample", class_="kicker"),
        tag("h1", f"{record['n']} images{asked}"),
        tag("dl", listed, class_="facts"),
    ])  # fmt: skip


def _made(record: Mapping[str, Any]) -> list[Html]:
    """Everything that made the images, as the record has it."""
    told = {name: record[name] for name in PARTS if record.get(name)}
    return [
        tag("h2", "What made them"),
        _terms({name: json.dumps(_short(value), ensure_ascii=False) for name, value in told.items()}),
        tag("h2", "Networks, by the sha256 of their weights"),
        _terms(record["weights"]),
        tag("h2", "Versions"),
        _terms(record["versions"]),
    ]


def _terms(entries: Mapping[str, Any]) -> Html:
    pairs = [(tag("dt", name), tag("dd", [tag("code", str(value))])) for name, value in entries.items()]
    return tag("dl", [part for pair in pairs for part in pair], class_="terms")


def _short(value: Any) -> Any:
    """Long lists by their length; run.json has them whole."""
    if isinstance(value, Mapping):
        return {name: _short(one) for name, one in value.items()}
    if isinstance(value, list):
        return f"{len(value)} of them" if len(value) > LONG else [_short(one) for one in value]
    return value
