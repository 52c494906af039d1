"""The command that walks one cell again."""

from __future__ import annotations

import shlex
from pathlib import Path

from ppgn.ablation.cells import Cell

OPTIONS = ("model", "steps")  # settings that have an option of their own


def command(cell: Cell, data: str | Path | None = None, judge: str | None = None) -> str:
    """For a shell, with paths as they were told; it stops if networks have changed and the cell is another.

    data, judge   as `ppgn ablate` takes them
    """
    axes = [f"--axis={name}={_written(value)}" for name, value in cell.settings.items() if name not in OPTIONS]
    own = [f"--{name}={cell.settings[name]}" for name in OPTIONS]
    labels = [f"--label={label}" for label in cell.labels] if len(cell.labels) < cell.classes else []
    real = [] if data is None else [f"--data={data}"]
    judged = [] if judge is None else [f"--judge={judge}"]
    numbers = [f"--n={cell.n}", f"--seeds={cell.seed + 1}", f"--cell={cell.id}"]
    return shlex.join(["ppgn", "ablate", *axes, *own, *labels, *numbers, *real, *judged, f"--out={cell.id}"])


def _written(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
