"""How long does a GatedPixelCNN take to draw an image, pixel by pixel and otherwise?

    python benchmarks/drawing.py [--weights pixelcnn.safetensors] [--print]

Images of 28x28, batches of 1 and 16, one thread; the ways interleaved, medians of the rounds. Every call of the naive
way costs the same, so it is timed on one row of pixels, the others known, and scaled to all; a full naive run of one
image is compared with the other ways, which must give the same pixels. Without weights the network is as it was
initialised, times two: naive and cached cost the same whatever the weights, the rounds of the other two do not.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import tables
import torch

from ppgn import models
from ppgn.models.autoregressive import Drawn, draw
from ppgn.models.pixelcnn import GatedPixelCNN
from ppgn.random import streams

BATCHES, ROUNDS, STRENGTH = (1, 16), 3, 2.0
FAST = ("cached", "fixed_point", "hybrid")
HEAD = ["way", "images at a time", "s a batch", "calls one after the other", "times as fast as naive"]


def network(weights: Path | None) -> GatedPixelCNN:
    if weights is None:
        made = models.build(GatedPixelCNN, seed=0).eval().requires_grad_(False)
        for parameter in made.parameters():
            parameter.mul_(STRENGTH)
        return made
    loaded = models.load(weights)
    if not isinstance(loaded, GatedPixelCNN):
        raise ValueError(f"weights must be those of a GatedPixelCNN, got {type(loaded).__name__}")
    return loaded


def timed(model: GatedPixelCNN, noise: torch.Tensor, label: torch.Tensor | None, way: str) -> tuple[float, Drawn]:
    """Seconds and images of one way; of the naive one, as many seconds as all rows take by one."""
    known = mask = None
    height = model.image_shape[1]
    if way == "naive":
        known = noise.new_zeros(len(noise), *model.image_shape)
        mask = torch.arange(height)[:, None] != height // 2
    began = time.perf_counter()
    drawn = draw(model, noise, label, way=way, known=known, mask=mask)
    seconds = time.perf_counter() - began
    return (seconds * height, Drawn(drawn.images, drawn.calls * height)) if way == "naive" else (seconds, drawn)


def measure(model: GatedPixelCNN, batch: int, rounds: int = ROUNDS) -> dict[str, tuple[float, int, float]]:
    """Way -> (median seconds of a batch, calls, median ratio to naive in the same round)."""
    noise = model.likelihood.noise(torch.empty(batch, *model.image_shape), streams(0, batch))
    label = None if model.classes is None else torch.arange(batch) % model.classes
    seconds: dict[str, list[float]] = {way: [] for way in ("naive", *FAST)}
    drawn: dict[str, Drawn] = {}
    for _ in range(rounds):
        for way, times in seconds.items():
            took, drawn[way] = timed(model, noise, label, way)
            times.append(took)
    for way in FAST:
        if not torch.equal(drawn[way].images, drawn["cached"].images):
            raise RuntimeError(f"{way} and cached must draw the same images")
    ratios = {way: [n / t for n, t in zip(seconds["naive"], times, strict=True)] for way, times in seconds.items()}
    return {
        way: (statistics.median(times), drawn[way].calls, statistics.median(ratios[way]))
        for way, times in seconds.items()
    }


def check(model: GatedPixelCNN) -> None:
    """One image by all calls of the naive way is that of the others."""
    noise = model.likelihood.noise(torch.empty(1, *model.image_shape), streams(1, 1))
    label = None if model.classes is None else torch.zeros(1, dtype=torch.long)
    if not torch.equal(draw(model, noise, label, way="naive").images, draw(model, noise, label).images):
        raise RuntimeError("naive and cached must draw the same image")


def table(model: GatedPixelCNN, batches: Sequence[int] = BATCHES, rounds: int = ROUNDS) -> list[list[str]]:
    rows = []
    for batch in batches:
        for way, (seconds, calls, ratio) in measure(model, batch, rounds).items():
            rows.append([way, str(batch), f"{seconds:.2f}", str(calls), f"{ratio:.0f}" if way != "naive" else "1"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="of a GatedPixelCNN, as models.save writes them")
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = network(options.weights)
    check(model)
    rows = table(model)
    if options.print:
        print("\n".join(" | ".join(cells) for cells in [HEAD, *rows]))
        return
    kind = "untrained weights, doubled" if options.weights is None else f"weights of {options.weights.name}"
    note = (
        f"GatedPixelCNN, {model.config['layers']} layers of {model.config['width']} channels, {kind}; "
        f"medians of {ROUNDS} interleaved rounds; all ways draw the same images."
    )
    tables.write("drawing", HEAD, rows, note)


if __name__ == "__main__":
    main()
