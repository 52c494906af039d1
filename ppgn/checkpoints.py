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


def read(path: Path, record: Mapping[str, Any]) -> Samples:
    """Read a run that was asked for as `record` says.

    Raises DamagedFileError for a file that is no such run, ValueError naming what differs for a run of other arguments.
    """
    tensors, header = files.read_tensors(path)
    if header.get("kind") != "ppgn checkpoint":
        raise files.DamagedFileError(f"{path} must be a sampling run's checkpoint, but was not written as one")
    asked = {key: value for key, value in record.items() if key not in FREE}
    differing = records.differences({key: header.get(key) for key in asked}, asked)
    if differing:
        raise ValueError(f"{path} must be the checkpoint of a run with the same arguments, but {'; '.join(differing)}")
    return Samples.of_tensors(tensors, header)
