"""Holes in images, for `ppgn.conditions.inpaint`: bool (H, W), or (n, H, W) for one per row, true where unknown.

The shapes that people have asked of PPGN's inpainting: a square (the authors' own: 100x100 somewhere in 227x227, at 10
places), the border, one half, pixels here and there, a picture drawn by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ppgn.files import DamagedFileError
from ppgn.random import streams

Size = int | tuple[int, int]
Side = Literal["top", "bottom", "left", "right"]
UNREADABLE = (EOFError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # of Pillow


def square(
    size: Size,
    side: Size,
    at: Literal["center", "random"] | tuple[int, int] | Sequence[tuple[int, int]] = "center",
    *,
    seed: int = 0,
    n: int | None = None,
) -> Tensor:
    """A square hole, or a rectangle: (H, W), or (n, H, W) for several.

    size   of the image, a side or (height, width); side of the hole, likewise
    at     "center"; (top, left) of its corner, or several of them, one a row; "random": anywhere that it fits
    seed   of the random places: that of row i depends on (seed, i) alone
    n      so many holes; None: one without a row of its own, unless several corners are given

    Raises ValueError for a hole that is larger than the image or sticks out of it, or for corners that are not n.

    >>> square(4, 2).int()
    tensor([[0, 0, 0, 0],
            [0, 1, 1, 0],
            [0, 1, 1, 0],
            [0, 0, 0, 0]], dtype=torch.int32)
    """
    (height, width), (tall, wide) = _pair(size, "size"), _pair(side, "side")
    if tall > height or wide > width:
        raise ValueError(f"hole must fit into the image of {height}x{width}, got {tall}x{wide}")
    room = torch.tensor([height - tall, width - wide])
    count = 1 if n is None else _counted(n)
    if isinstance(at, str):
        corners = _corners(at, room, seed, count)
    else:
        corners = torch.tensor(at)
        if corners.dtype != torch.int64 or corners.shape[-1:] != (2,) or corners.ndim > 2:
            raise ValueError(f"at must be 'center', 'random' or (top, left), one or one a row, got {at!r}")
        n = len(corners) if corners.ndim == 2 and n is None else n
        corners = corners.expand(count, 2) if corners.ndim == 1 else corners
        if n is not None and len(corners) != n:
            raise ValueError(f"at must be one corner, or one for each of {n} holes, got {len(corners)}")
    if bool(((corners < 0) | (corners > room)).any()):
        raise ValueError(f"hole of {tall}x{wide} must lie inside the image of {height}x{width}, got {at=}")
    rows, columns = (
        _within(total, corners[:, i], long) for i, (total, long) in enumerate([(height, tall), (width, wide)])
    )
    holes = rows[:, :, None] & columns[:, None, :]
    return holes[0] if n is None else holes


def edge(size: Size, width: int, keep: Side | Collection[Side] = ()) -> Tensor:
    """The border is unknown, `width` pixels deep: (H, W).

    keep   sides whose border stays known: keep=("top", "left", "right") leaves a strip along the bottom

    Raises ValueError for an unknown side, for all four, and where nothing would stay known.

    >>> edge(4, 1).int()
    tensor([[1, 1, 1, 1],
            [1, 0, 0, 1],
            [1, 0, 0, 1],
            [1, 1, 1, 1]], dtype=torch.int32)
    """
    height, across = _pair(size, "size")
    kept = {keep} if isinstance(keep, str) else set(keep)
    if kept - set(get_args(Side)) or len(kept) == 4:
        raise ValueError(f"keep must be of {', '.join(get_args(Side))}, and not all, got {keep!r}")
    if width < 1:
        raise ValueError(f"width must be at least 1 pixel, got {width}")
    top, bottom, left, right = (0 if name in kept else width for name in get_args(Side))
    if top + bottom >= height or left + right >= across:
        raise ValueError(f"the border must leave some pixels of {height}x{across} known, got {width=}")
    hole = torch.ones(height, across, dtype=torch.bool)
    hole[top : height - bottom, left : across - right] = False
    return hole


def half(size: Size, keep: Side) -> Tensor:
    """One half is known, the other is not: (H, W); of an odd side, the middle line is known.

    >>> half(2, keep="top").int()
    tensor([[0, 0],
            [1, 1]], dtype=torch.int32)
    """
    height, width = _pair(size, "size")
    if keep not in get_args(Side):
        raise ValueError(f"keep must be one of {', '.join(get_args(Side))}, got {keep!r}")
    opposite: dict[str, Side] = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
    deep = (height if keep in ("top", "bottom") else width) // 2
    return edge((height, width), deep, [side for side in get_args(Side) if side != opposite[keep]])


def random(size: Size, share: float, seed: int, n: int | None = None) -> Tensor:
    """Pixels here and there: each is unknown by chance `share`, whatever the others are.

    seed, n   (n, H, W), row i by (seed, i) alone; without n, (H, W): the first of them

    Raises ValueError for a share outside (0, 1).

    >>> round(random(100, 0.25, seed=0).float().mean().item(), 2)
    0.25
    """
    height, width = _pair(size, "size")
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    count = 1 if n is None else _counted(n)
    holes = streams(seed, count).uniform(torch.empty(count, height, width), 0, "mask") < share
    return holes[0] if n is None else holes


def from_file(
    path: Path | str, size: Size | None = None, *, hole: Literal["light", "dark"] = "light", resize: bool = False
) -> Tensor:
    """A picture as a hole (H, W): light is unknown, as most programs that fill holes have it; or dark, if asked.

    A picture with something transparent in it is read by that alone, as a hole cut out: what is less than half opaque
    is unknown, whatever its colour and `hole`. Else what is lighter than the middle grey (128 of 255) is light.

    size     of the images that it is for; None: as the file is
    resize   bring a file of another size to `size`, each pixel the nearest one of the file's

    Raises FileNotFoundError, DamagedFileError for what is no picture, ValueError for a picture of another size, or
    one that is all hole or has none.
    """
    if hole not in ("light", "dark"):
        raise ValueError(f"hole must be 'light' or 'dark', got {hole!r}")
    picture = _opened(Path(path))
    found = (picture.height, picture.width)
    wanted = found if size is None else _pair(size, "size")
    if found != wanted:
        if not resize:
            sizes = f"{wanted[0]}x{wanted[1]}, got {found[0]}x{found[1]}"
            raise ValueError(f"{path} must be of the image's size, {sizes}; resize=True brings it to it")
        picture = picture.resize(wanted[::-1], Image.Resampling.NEAREST)
    alpha = np.asarray(picture.getchannel("A"))
    grey = np.asarray(picture.convert("L"))
    unknown = alpha < 128 if alpha.min() < 255 else (grey >= 128) == (hole == "light")
    if unknown.all() or not unknown.any():
        raise ValueError(
            f"{path} must show both a hole and what is known, but is all {'hole' if unknown.all() else 'known'}"
        )
    return torch.from_numpy(unknown)


def _opened(path: Path) -> Image.Image:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with Image.open(path) as picture:
            return picture.convert("RGBA")
    except UNREADABLE as error:
        raise DamagedFileError(f"{path} must be a picture that can be read: {error}") from None


def _corners(at: str, room: Tensor, seed: int, n: int) -> Tensor:
    """(n, 2): (top, left) of each hole, where there is room for so many places below and to the right."""
    if at == "center":
        return (room // 2).expand(n, 2)
    if at != "random":
        raise ValueError(f"at must be 'center', 'random' or (top, left), one or one a row, got {at!r}")
    numbers = streams(seed, n).uniform(torch.empty(n, 2, dtype=torch.float64), 0, "place")
    return (numbers * (room + 1)).long()


def _within(total: int, first: Tensor, long: int) -> Tensor:
    """(n, total): the lines from `first` (n,) on, `long` of them."""
    line = torch.arange(total)
    return (line >= first[:, None]) & (line < first[:, None] + long)


def _pair(size: Size, name: str) -> tuple[int, int]:
    pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ValueError(f"{name} must be a side or (height, width), whole and positive, got {size!r}")
    return pair


def _counted(n: int) -> int:
    if n < 1:
        raise ValueError(f"n must be at least 1 hole, got {n}")
    return n
