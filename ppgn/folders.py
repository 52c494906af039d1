"""Pictures in a folder or a .zip archive, with their labels, decoded to one array.

Labels come from a `labels.csv` at the top (columns `file`, `label` and, where there are splits, `split`), or from the
folders' names: CLASS/picture.jpg, or train/CLASS/picture.jpg beside test/ or val/, classes numbered in sorted order.
What is hidden (.name, __MACOSX) is left out.
"""

from __future__ import annotations

import csv
import io
import struct
import zlib
from collections.abc import Callable, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"}
SPLITS = {"train": ("train",), "test": ("test", "val")}
BROKEN = (BadZipFile, EOFError, OSError, RuntimeError, UnicodeDecodeError, zlib.error)  # what zipfile raises
UNREADABLE = (EOFError, OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)  # of Pillow

Read = Callable[[str], bytes]


class Entry(NamedTuple):
    """One picture: its name in the archive, its label, and its split ("" where there is none)."""

    file: str
    label: int
    split: str


def read(source: Path, split: str, size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W) grey or (N, H, W, 3), uint8, and labels (N,) int64 of one split.

    A set without splits is all "train". size: pictures are resized to that short side and cut to their middle square;
    None: they must all be of one size.
    Raises ValueError for a folder without labelled pictures, a picture that is not there or cannot be read, or sizes
    that differ.
    """
    if source.is_dir():
        names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
        return _decoded(source, names, lambda name: (source / name).read_bytes(), split, size)
    try:
        with ZipFile(source) as archive:
            return _decoded(source, sorted(archive.namelist()), archive.read, split, size)
    except BROKEN as error:
        raise ValueError(f"{source} must be a whole .zip archive: {error}") from None


def decode(pictures: Sequence[bytes], size: int | None = None, names: Sequence[str] | None = None) -> np.ndarray:
    """Encoded pictures -> (N, H, W) if all are grey, else (N, H, W, 3), uint8; `names` are for errors.

    A picture that its EXIF says was taken on its side is turned upright.
    """
    images = []
    for i, content in enumerate(pictures):
        name = names[i] if names else f"picture {i}"
        try:
            images.append(_squared(ImageOps.exif_transpose(Image.open(io.BytesIO(content))), size))
        except UNREADABLE as error:
            raise ValueError(f"{name} must be a picture that can be read: {error}") from None
    sizes = {image.size for image in images}
    if len(sizes) > 1:
        some = ", ".join(f"{w}x{h}" for w, h in sorted(sizes)[:3])
        raise ValueError(f"pictures must be of one size, or a size be given to bring them to; there are {some} ...")
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
    source: Path, names: Sequence[str], content: Read, split: str, size: int | None
) -> tuple[np.ndarray, np.ndarray]:
    names = [
        name for name in names if not any(part[0] == "." or part == "__MACOSX" for part in name.split("/") if part)
    ]
    entries = _listed(content("labels.csv"), source, set(names)) if "labels.csv" in names else _by_folder(names)
    if not entries:
        raise ValueError(f"{source} must hold a labels.csv or pictures in a folder for each class")
    divided = any(entry.split for entry in entries)
    wanted = SPLITS[split] if divided else ("",) if split == "train" else ()
    chosen = [entry for entry in entries if entry.split in wanted]
    if not chosen:
        raise ValueError(f"{source} has no {split} pictures, its splits are {sorted({e.split for e in entries})}")
    images = decode([content(entry.file) for entry in chosen], size, [f"{source}: {e.file}" for e in chosen])
    return images, np.array([entry.label for entry in chosen], np.int64)


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
    paths = [path for path in paths if len(path.parts) >= depth + 2]  # others lie beside the classes
    classes = sorted({path.parts[depth] for path in paths})
    return [Entry(str(path), classes.index(path.parts[depth]), path.parts[0] if divided else "") for path in paths]
