"""Pictures within a page: each kept once, by its sha256, as small as the page's limit asks."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

QUALITIES = (90, 75, 50, 25)
LARGEST = 16383  # a side, of WebP
DIGITS = 16
BESIDE = 8  # bytes of JSON around a name and its URI
TRIED = 16  # pictures, of any, by which a quality far over the limit is known
FAR = 1.25


@dataclass(frozen=True)
class Pictures:
    """uris: sha256, sixteen digits -> data: URI; quality: of WebP, 0 to 100; sizes: sha256 -> (width, height)."""

    uris: Mapping[str, str]
    sizes: Mapping[str, tuple[int, int]]
    quality: int


def fits(path: Path) -> bool:
    """Whether there is a picture that a page can have: one of sides that WebP has."""
    try:
        with Image.open(path) as image:
            return max(image.size) <= LARGEST
    except (FileNotFoundError, UnidentifiedImageError):
        return False


def sha256(path: Path) -> str:
    """The sixteen digits that a picture is kept by."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]


def packed(paths: Iterable[Path], limit: int) -> Pictures | None:
    """All pictures in `limit` bytes, at the best quality that fits; None: not even the worst does.

    Those that are smaller without any loss have none. Raises PIL.UnidentifiedImageError for what is no picture,
    ValueError for sides longer than WebP has.
    """
    found = {sha256(path): path for path in paths}
    for quality in QUALITIES:
        uris: dict[str, str] = {}
        sizes: dict[str, tuple[int, int]] = {}
        used = 0
        for i, (name, path) in enumerate(sorted(found.items()), 1):  # by digest: in no order
            with Image.open(path) as image:
                sizes[name] = image.size
                uris[name] = _uri(image, path, quality)
            used += len(name) + len(uris[name]) + BESIDE
            if used > limit or (i == TRIED and used * len(found) > FAR * i * limit):
                break
        else:
            return Pictures(uris, sizes, quality)
    return None


def _uri(image: Image.Image, path: Path, quality: int) -> str:
    if max(image.size) > LARGEST:
        raise ValueError(f"a picture's sides must be at most {LARGEST} pixels, got {image.size} of {path}")
    shown = image if image.mode in ("RGB", "RGBA") else image.convert("RGB")
    content = _webp(shown, quality=quality)
    if path.stat().st_size < 1.2 * len(content):  # as PNG it is small already: perhaps smaller without loss
        exact = _webp(shown, lossless=True)
        content = min(exact, content, key=len)
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _webp(image: Image.Image, quality: int = 80, lossless: bool = False) -> bytes:
    found = io.BytesIO()
    image.save(found, "WEBP", quality=quality, lossless=lossless, method=2)
    return found.getvalue()
