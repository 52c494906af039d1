"""What every trainer must do: end at the same bits, however it is cut and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ppgn import files, training

STEPS, EVERY, CUT = 8, 3, 5  # of a run, between checkpoints, until the plug is pulled in the middle of a step


def ends_at_the_same_bits(
    make: Callable[[], training.Trainer], batches: Callable[[int], Iterator], folder: Path, results=("model",)
) -> None:
    """Run whole, then cut and resumed, from the same seed: metrics, results and checkpoints must be equal."""

    def run(name, trainer, resume=False):
        return training.run(
            trainer, batches, steps=STEPS, seed=0, out=folder / name, config={}, resume=resume,
            checkpoint_every=EVERY, progress=False,
        )  # fmt: skip

    whole = run("whole", make())
    with pytest.raises(RuntimeError, match="pulled"):
        run("cut", pulled(make()))
    assert run("cut", make(), resume=True) == whole
    for name in (*results, "checkpoint"):
        sums = [files.sha256(folder / part / f"{name}.safetensors") for part in ("whole", "cut")]
        assert sums[0] == sums[1], name


def pulled(whole: training.Trainer) -> training.Trainer:
    """The same trainer, stopped after it has changed its weights, but before the step ends."""
    calls = []

    def update(batch, rng):
        metrics = whole.update(batch, rng)
        calls.append(1)
        if len(calls) > CUT:
            raise RuntimeError("plug pulled")
        return metrics

    return replace(whole, update=update)
