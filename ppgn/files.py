"""Files that are whole or absent: atomic writes, checked hashes, safetensors with a JSON header.

Everything is first written beside its place under a temporary name and then renamed, so a reader never meets half a
file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor


class DamagedFileError(ValueError):
    """A file that is truncated, altered or not what its name says."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write atomically: the old file stays whole until the new one is.

    Raises OSError, as on a full disk, with the path in its text.
    """
    try:
        with atomic(path) as temporary, open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        before = "the file that was there before is whole" if path.is_file() else "nothing is left of it"
        raise OSError(error.errno, f"{path} could not be written: {error.strerror}; {before}") from None


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` if the body ends well, else remove it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp makes files private; results are ordinary files
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Make sure now, before any work, that a file can be written: IsADirectoryError or its folder's OSError."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file, but is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def remove_halves(path: Path) -> None:
    """Remove what writes of `path` that were killed have left beside it."""
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink()


@contextmanager
def new_folder(path: Path, overwrite: str | None = None) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that becomes `path` if the body ends well; the old one stays until then.

    Raises as `check_new_folder` does.
    """
    check_new_folder(path, overwrite)
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    aside = temporary.with_name(f"{temporary.name}.old")
    try:
        yield temporary
        os.chmod(temporary, 0o755)
        _replace_folder(temporary, path, aside)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(new: Path, path: Path, aside: Path) -> None:
    """`new` becomes `path`; what stood there is deleted only once it does."""
    if path.exists():
        os.rename(path, aside)
    try:
        os.rename(new, path)
    except OSError:
        if aside.exists():
            os.rename(aside, path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def check_new_folder(path: Path, overwrite: str | None = None) -> None:
    """Make sure now, before any work and without changing anything, that results can be written to the folder `path`.

    overwrite: name of the file by which a folder that has files in it is known to be an earlier result, to be replaced.
    Raises FileExistsError if the folder has files in it and may not be replaced, ValueError for the working directory
    or one above it, NotADirectoryError or PermissionError if it cannot be made.
    """
    path = path.resolve()
    if path == Path.cwd() or path in Path.cwd().parents:
        raise ValueError(f"the output must be a folder of its own, not the working directory or one above it: {path}")
    if path.is_file():
        raise NotADirectoryError(f"the output must be a folder, but {path} is a file")
    if path.is_dir() and any(path.iterdir()):
        if overwrite is None:
            raise FileExistsError(f"the output folder must be new or empty: {path} has files in it; choose another")
        if not (path / overwrite).is_file():
            raise FileExistsError(
                f"only an earlier result, with a {overwrite}, is overwritten: {path} holds other files"
            )
    parent = next(p for p in path.parents if p.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise type(error)(f"the output folder must be writable: {path} cannot be made ({error.strerror})") from None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write readable JSON, atomically."""
    write_bytes(path, (json.dumps(content, indent=2, default=str) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; DamagedFileError names the file if it is none."""
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:  # of the text, the syntax, numbers of thousands of digits, depth
        raise DamagedFileError(f"{path} must be JSON: {error}") from None
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path} must hold a JSON object, got {type(content).__name__}")
    return content


def sha256(path: Path) -> str:
    """The file's sha256, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, checksum: str | None) -> None:
    """Raise DamagedFileError if a checksum is given and the file has another."""
    if checksum is not None and (found := sha256(path)) != checksum:
        raise DamagedFileError(
            f"{path} must have sha256 {checksum}, got {found}: it was altered or cut; fetch it again"
        )


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write a safetensors file with `header` (anything JSON takes) in its metadata, atomically."""
    # copies, since safetensors refuses tensors that share memory
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_bytes(path, to_bytes(plain, {"ppgn": json.dumps(header, sort_keys=True)}))


def read_tensors(path: Path, checksum: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, header); the header is {} in files of other makers.

    Raises FileNotFoundError, or DamagedFileError if the sha256 is not `checksum` or the file does not parse.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    check_sha256(path, checksum)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            # copies lie on torch's own boundaries in memory, a file's anywhere: sums of some processors differ by it
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise DamagedFileError(f"{path} must be a whole safetensors file: {error}") from None
    try:
        header = json.loads(metadata.get("ppgn", "{}"))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} must have a JSON header: {error}") from None
    if not isinstance(header, dict):
        raise DamagedFileError(f"{path} must have a JSON object for its header, got {type(header).__name__}")
    return tensors, header


def fingerprint(module: torch.nn.Module) -> str:
    """The sha256 of a network's names, types, shapes and numbers: the same for the same weights in any file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
