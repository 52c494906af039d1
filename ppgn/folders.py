"""Pictures in a folder or a .zip archive, with their labels, decoded to one array.

Labels come from a `labels.csv` at the top (columns `file`, `label` and, where there are splits, `split`), or from the
folders' names: CLASS/picture.jpg, or train/CLASS/picture.jpg beside test/ or val/, classes numbered in sorted order.
Pictures that all lie in the folder itself have no labels. What is hidden (.name, __MACOSX) is left out.
"""

from __future__ import annotations

import csv
import io
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"}
SHOWN = 3  # names in a message
SPLITS = {"train": ("train",), "test": ("test", "val")}
BROKEN = (BadZipFile, EOFError, OSError, RuntimeError, UnicodeDecodeError, zlib.error)  # what zipfile raises
UNREADABLE = (EOFError, OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)  # of Pillow

Read = Callable[[str], bytes]


class Entry(NamedTuple):
    """One picture: its name in the archive, its label if there are any, and its split ("" where there is none)."""

    file: str
    label: int | None
    split: str


def read(
    source: Path, split: str, size: int | None = None, strict: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, H, W) grey or (N, H, W, 3), uint8, and labels (N,) int64 of one split; None: there are no labels.

    A set without splits is all "train". size: pictures are resized to that short side and cut to their middle square;
    None: they must all be of one size. strict: a picture that cannot be read is an error; else it is skipped, and a
    warning says which and how many were.
    Raises ValueError for a folder without pictures, a picture that is not there, sizes that differ, or pictures of
    which none can be read.
    """
    if source.is_dir():
        names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
        return _decoded(source, names, lambda name: (source / name).read_bytes(), split, size, strict)
    try:
        with ZipFile(source) as archive:
            return _decoded(source, sorted(archive.namelist()), archive.read, split, size, strict)
    except BROKEN as error:
        raise ValueError(f"{source} must be a whole .zip archive: {error}") from None


def decode(pictures: Sequence[bytes], size: int | None = None, names: Sequence[str] | None = None) -> np.ndarray:
    """Encoded pictures -> (N, H, W) if all are grey, else (N, H, W, 3), uint8; `names` are for errors.

    A picture that its EXIF says was taken on its side is turned upright.
    """
    known = names or [f"picture {i}" for i in range(len(pictures))]
    return _stacked([_opened(content, name, size) for content, name in zip(pictures, known, strict=True)], known)


def _opened(content: bytes, name: str, size: int | None) -> Image.Image:
    try:
        return _squared(ImageOps.exif_transpose(Image.open(io.BytesIO(content))), size)
    except UNREADABLE as error:
        raise ValueError(f"{name} must be a picture that can be read: {error}") from None


def _stacked(images: Sequence[Image.Image], names: Sequence[str]) -> np.ndarray:
    """All as one array, if they are of one size."""
    sizes: dict[tuple[int, int], list[str]] = {}
    for image, name in zip(images, names, strict=True):
        sizes.setdefault(image.size, []).append(name)
    if len(sizes) > 1:
        common = sorted(sizes, key=lambda size: (-len(sizes[size]), size))  # the commonest first
        some = ", ".join(f"{len(sizes[size])} of {size[0]}x{size[1]} ({sizes[size][0]})" for size in common[:SHOWN])
        more = f", and {len(sizes) - SHOWN} more sizes" if len(sizes) > SHOWN else ""
        raise ValueError(f"pictures must be of one size, or a size be given to bring them to; there are {some}{more}")
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    return np.stack([np.asarray(image.convert(mode)) for image in images])


def _squared(image: Image.Image, size: int | None) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # Pillow's own conversion clips
    if image.mode in ("I", "F"):
        raise ValueError(f"8 or 16 bits a channel are needed, got Pillow's mode {image.mode}")
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    if size is None:
        return image
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _decoded(
    source: Path, names: Sequence[str], content: Read, split: str, size: int | None, strict: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    names = [
        name for name in names if not any(part[0] == "." or part == "__MACOSX" for part in name.split("/") if part)
    ]
    entries = _listed(content("labels.csv"), source, set(names)) if "labels.csv" in names else _by_folder(names)
    if not entries:
        raise ValueError(
            f"{source} must hold pictures, in a folder for each class or with a labels.csv, or without labels"
        )
    divided = any(entry.split for entry in entries)
    wanted = SPLITS[split] if divided else ("",) if split == "train" else ()
    chosen = [entry for entry in entries if entry.split in wanted]
    if not chosen:
        raise ValueError(f"{source} has no {split} pictures, its splits are {sorted({e.split for e in entries})}")
    kept, images = _readable(source, chosen, content, size, strict)
    labels = [entry.label for entry in kept if entry.label is not None]
    array = _stacked(images, [entry.file for entry in kept])
    return array, np.array(labels, np.int64) if labels else None


def _readable(
    source: Path, entries: Sequence[Entry], content: Read, size: int | None, strict: bool
) -> tuple[list[Entry], list[Image.Image]]:
    """Those that can be read; a warning names the others, or the first one is an error."""
    kept, images, broken = [], [], []
    for entry in entries:
        try:
            images.append(_opened(content(entry.file), f"{source}: {entry.file}", size))
            kept.append(entry)
        except ValueError as error:
            if strict:
                raise
            broken.append((entry.file, str(error)))
    if not kept:
        raise ValueError(f"{source}: none of {len(broken)} pictures can be read; the first: {broken[0][1]}")
    if broken:
        some = ", ".join(file for file, _ in broken[:SHOWN]) + (", ..." if len(broken) > SHOWN else "")
        warnings.warn(
            f"{source}: {len(broken)} of {len(entries)} pictures cannot be read and are left out: {some}", stacklevel=2
        )
    return kept, images


def _listed(table: bytes, source: Path, names: Set[str]) -> list[Entry]:
    try:
        rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
        entries = [Entry(row["file"], int(row["label"]), row.get("split") or "") for row in rows]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{source}: labels.csv must have the columns file and label, a number: {error}") from None
    missing = [entry.file for entry in entries if entry.file not in names]
    if missing:
        raise ValueError(
            f"{source}: labels.csv must name pictures that are there, {len(missing)} are not: {missing[0]}"
        )
    return entries


def _by_folder(names: Sequence[str]) -> list[Entry]:
    paths = [PurePosixPath(name) for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    known = {split for group in SPLITS.values() for split in group}
    tops = {path.parts[0] for path in paths if len(path.parts) >= 2}
    divided = tops <= known and any(len(path.parts) >= 3 for path in paths)
    depth = 1 if divided else 0
    if all(len(path.parts) == 1 for path in paths):
        return [Entry(str(path), None, "") for path in paths]
    paths = [path for path in paths if len(path.parts) >= depth + 2]  # others lie beside the classes
    classes = sorted({path.parts[depth] for path in paths})
    return [Entry(str(path), classes.index(path.parts[depth]), path.parts[0] if divided else "") for path in paths]
