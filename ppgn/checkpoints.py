"""A sampling run as far as it has come, in one safetensors file that is replaced atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppgn import files, records
from ppgn.samples import Samples

FREE = ("asked_steps", "frame_every", "reason")  # a run may be asked for more steps than at first


def write(path: Path, samples: Samples) -> None:
    """Write the run so far."""
    files.write_tensors(path, samples.tensors(), {"kind": "ppgn checkpoint", **samples.header()})


def read(path: str | Path | None) -> Samples | None:
    """Read a run, if there is one. Raises DamagedFileError for a file that is none."""
    if path is None or not Path(path).exists():
        return None
    files.remove_halves(Path(path))
    tensors, header = files.read_tensors(Path(path))
    if header.get("kind") != "ppgn checkpoint":
        raise files.DamagedFileError(f"{path} must be a sampling run's checkpoint, but was not written as one")
    return Samples.of_tensors(tensors, header)


def require_same(before: Samples, record: Mapping[str, Any]) -> None:
    """Raise ValueError naming what differs unless the run was asked for as `record` says."""
    asked = {key: value for key, value in record.items() if key not in FREE}
    differing = records.differences({key: before.record.get(key) for key in asked}, asked)
    if differing:
        raise ValueError(f"a checkpoint must be of a run with the same arguments, but {'; '.join(differing)}")
