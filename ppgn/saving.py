"""The folder of a run, written whole or not: pictures (grid, walk, filled), a page, samples.safetensors, run.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ppgn import files, images, report

TENSORS = (
    "images", "codes", "log_condition", "finished", "failed_at", "chain", "frames", "frame_steps", "frame_chains",
)  # fmt: skip
OPTIONAL = ("labels", "filled")
FILE, RECORD = "samples.safetensors", "run.json"


def write(
    folder: Path,
    tensors: Mapping[str, Tensor],
    record: Mapping[str, Any],
    overwrite: bool,
) -> None:
    """Write a run: `tensors` holds those named in TENSORS and whatever else there is to keep.

    Only an earlier run is overwritten. Raises as `files.check_new_folder` does, and changes nothing then.
    """
    names = tensors["labels"].tolist() if "labels" in tensors else None
    with files.new_folder(folder, RECORD if overwrite else None) as temporary:
        files.write_tensors(temporary / FILE, tensors, {"kind": "ppgn samples"})
        files.write_json(temporary / RECORD, {**record, "sha256": {FILE: files.sha256(temporary / FILE)}})
        images.grid(tensors["images"], names, _caption(record)).save(temporary / "grid.png")
        if "filled" in tensors:
            images.grid(tensors["filled"], names, _caption(record)).save(temporary / "filled.png")
        if len(tensors["frames"]) > 1:
            shown = None if names is None else [names[i] for i in tensors["frame_chains"].tolist()]
            pictures = [
                images.grid(frame, shown, f"step {int(step)}")
                for frame, step in zip(tensors["frames"], tensors["frame_steps"], strict=True)
            ]
            images.save_gif(temporary / "chain.gif", pictures)
        (temporary / "report.html").write_text(report.run_page(tensors, record, temporary / "grid.png"))


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, record). Raises FileNotFoundError, or DamagedFileError if a file was cut or altered."""
    if not (folder / RECORD).is_file():
        raise FileNotFoundError(f"a saved run has a {RECORD}, but there is none in {folder}")
    record = files.read_json(folder / RECORD)
    tensors, _ = files.read_tensors(folder / FILE, record.get("sha256", {}).get(FILE, "missing from run.json"))
    missing = [name for name in TENSORS if name not in tensors]
    if missing:
        raise files.DamagedFileError(f"{folder / FILE} must hold {', '.join(missing)}")
    return tensors, record


def _caption(record: Mapping[str, Any]) -> str:
    word = "exact" if record["exact"] else "not exact"
    return f"{record['sampler']['name']} ({word}), {record['steps']} steps, seed {record['seed']}"
