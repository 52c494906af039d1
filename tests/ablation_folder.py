"""A folder of results as a run leaves it, with made-up figures and pictures: for tests of what is made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FRAMES = 16
VERSIONS = {"python": "3.11.7", "ppgn": "0.1.0", "torch": "2.11.0", "numpy": "2.1.0"}
TOLD = {
    "about": "what the noise of the walk does",
    "floors": {"mnist": [{"judge": 0.99, "distance": 4.0 + i, "spread": 1.0, "coverage": 0.95} for i in range(2)]},
    "said": {"mnist": "10 training images a class against 10000 test images"},
    "names": {"judge": "share of images given their label by the judge"},  # others by their usual words
}


def epsilons(ns=(0.0, 0.187, 0.935, 1.87, 3.74), cs=(0.0, 0.525, 1.75, 5.25)) -> list[dict[str, Any]]:
    """A grid of two epsilons and a block of other variants."""
    base = {"model": "mnist", "steps": 200}
    grid = [{**base, "variant": "ppgn-h", "eps_condition": c, "eps_noise": n} for c in cs for n in ns]
    joint = [{**base, "variant": "joint", "mode": "released", "eps_noise": n} for n in (0.0, 0.001, 0.01, 0.1, 1.0)]
    return [*grid, *joint, {**base, "variant": "annealed"}]


def figures(one: Mapping[str, Any], seed: int) -> dict[str, float]:
    """A tale of the paper's: noise spreads, and too much of it destroys."""
    noise, pull = one.get("eps_noise") or 0.0, one.get("eps_condition") or 5.25
    jitter = np.random.default_rng([seed, len(json.dumps(one))]).normal(0, 0.012, 8)
    good = 1 / (1 + (noise / 3) ** 4) * (1 - 0.8 * np.exp(-pull)) * (0.97 if one["variant"] != "annealed" else 1)
    spread = 0.25 + 0.7 * (1 - np.exp(-noise * 1.3)) if one["variant"] != "annealed" else 0.93
    return {
        "judge": float(np.clip(good + jitter[0], 0, 1)),
        "distance": float(12 * np.exp(2.5 * (1 - good)) / (0.2 + spread) * (1 + jitter[1])),
        "spread": float(spread + jitter[2]),
        "coverage": float(np.clip(0.9 * spread * good + jitter[3], 0, 1)),
        "guide": float(np.clip(good + 0.02 + jitter[4], 0, 1)),
        "log_p": float(-0.05 - 2 * (1 - good) + jitter[5]),
        "r_hat": float(1.02 + 0.6 * np.exp(-2 * noise) + abs(jitter[6])),
        "ess": float(3000 * (1 - np.exp(-noise)) + 200 + 900 * abs(jitter[7])),
    }


def results_folder(
    out: Path, settings: Sequence[Mapping[str, Any]] | None = None, seeds: int = 3, n: int = 10, side: int = 28,
    channels: int = 1, noise: float = 60.0, about: str | None = None, failing: int | None = 3, walks: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Write the folder and return its rows. failing: place of the setting whose first seed has an error."""
    settings = epsilons() if settings is None else settings
    for name in ("cells", "pictures", "walks"):
        (out / name).mkdir(parents=True)
    labels = list(range(10))
    rows = []
    for i, one in enumerate(settings):
        for seed in range(seeds):
            name = hashlib.sha256(json.dumps([one, seed], sort_keys=True).encode()).hexdigest()[:16]
            failed = i == failing and seed == 0
            found = {} if failed else figures(one, seed)
            reasons = {}
            if one.get("variant") == "annealed":
                found.update(r_hat=None, ess=None)
                reasons = dict.fromkeys(("r_hat", "ess"), "each step of the walk has a target of its own")
            row = {
                "id": name, "settings": dict(one), "seed": seed, "n": n, "labels": labels, "figures": found,
                "reasons": reasons, "sampler": None if failed else "mala_approx", "exact": None if failed else False,
                "warnings": ["few chains"] if i == 0 else [], "seconds": None if failed else 10.0 + i,
                "error": "RuntimeError: the walk left the range" if failed else None, "versions": VERSIONS,
                "networks": {"generator": "ab" * 32, "classifier": "cd" * 32}, "data": None, "device": "cpu, 1 thread",
                "command": f"ppgn ablate design.toml --cell {name}",
            }  # fmt: skip
            (out / "cells" / f"{name}.json").write_text(json.dumps(row))
            rows.append(row)
            if not failed:
                drawing = digits(n, side, channels, noise, [i, seed], one)
                drawing[0].save(out / "pictures" / f"{name}.png", compress_level=1)
                if walks and one.get("variant") != "annealed":
                    drawing[1].save(out / "walks" / f"{name}.png", compress_level=1)
    header = {
        "design": {"n": n, "steps": 200, "seeds": seeds, "labels": [], "fixed": {"model": "mnist"}, "blocks": {}},
        "measure": None, "judged": {"mnist": {"judge": "12" * 32, "real": "34" * 32}}, "cells": len(rows),
        "networks": "feedfacefeedface", "told": {**TOLD, **({} if about is None else {"about": about})},
    }  # fmt: skip
    (out / "design.json").write_text(json.dumps(header))
    return rows


def digits(n, side, channels, noise, seed, one):
    """(sheet, walk): rings and bars with noise, which a picture's compression cannot guess."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    labels = np.arange(10)[:, None, None]
    ring = np.exp(-(((np.hypot(x, y) - 0.15 - 0.06 * labels) / 0.12) ** 2))
    bar = np.exp(-(((x * np.cos(labels) + y * np.sin(labels)) / 0.12) ** 2)) * (labels % 2)
    kinds = 255 * np.maximum(ring, bar)  # (10, side, side)
    strength = noise * (0.15 + min(one.get("eps_noise") or 0.2, 3) / 3)
    sheet = np.tile(kinds.reshape(10 * side, side), (1, min(n, 10)))
    row = np.concatenate(list(kinds), 1)
    frames = [
        rng.normal(row[..., None], strength + 150 * (1 - f / FRAMES), (*row.shape, channels)) for f in range(FRAMES)
    ]
    return _image(rng.normal(sheet[..., None], strength, (*sheet.shape, channels))), _image(np.concatenate(frames))


def _image(pixels):
    clipped = pixels.clip(0, 255).astype(np.uint8)
    return Image.fromarray(clipped[..., 0] if clipped.shape[2] == 1 else clipped)
