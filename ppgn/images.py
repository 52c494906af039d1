"""From tensors to pictures: uint8, labelled grids, animations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ppgn import folders

GAP = 2  # pixels between pictures
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
SMALLEST = 56  # pictures are enlarged by a whole factor until a side has about so many pixels


def to_uint8(images: Tensor) -> Tensor:
    """Float images in [0, 1] -> uint8 on the same device, rounded; values outside are clipped."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def read(path: str | Path, image_shape: Sequence[int] | None = None) -> Tensor:
    """A picture from a file as (1, C, H, W) in [0, 1], grey or RGB.

    image_shape   (C, H, W) to bring it to, H = W: its short side is resized, its middle square kept, RGB made grey by
                  its luminance or grey repeated; None: as it is

    Raises FileNotFoundError, or ValueError for what is no picture, or a shape that is not square.
    """
    path = Path(path)
    if image_shape is not None and (len(image_shape) != 3 or image_shape[1] != image_shape[2]):
        raise ValueError(f"pictures are brought to squares (C, H, H), got {tuple(image_shape)}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    array = folders.decode([path.read_bytes()], None if image_shape is None else image_shape[1], [str(path)])
    image = torch.from_numpy(array.copy()).float().div(255)
    image = image[:, None] if image.ndim == 3 else image.movedim(3, 1)
    if image_shape is None or image.shape[1] == image_shape[0]:
        return image
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else (image * LUMINANCE.view(3, 1, 1)).sum(1, True)


def grid(
    images: Tensor,
    labels: Sequence[int | str] | None = None,
    caption: str = "",
    columns: int = 16,
    rows: int = 20,
) -> Image.Image:
    """One picture of many (N, C, H, W), uint8 or float in [0, 1], grey or RGB.

    labels: one an image; each label then has a row of its own with its name before it, `columns` images at most.
    Without labels the grid is about square. At most rows x columns images are shown; `caption` stands below.
    """
    images = images if images.dtype == torch.uint8 else to_uint8(images)
    lines = _lines(len(images), labels, columns)[:rows]
    _, _, height, width = images.shape
    scale = max(1, round(SMALLEST / min(height, width)))
    height, width = height * scale, width * scale
    font = ImageFont.load_default(size=max(12, min(24, height // 3)))
    margin = max((int(font.getlength(name)) + 12 for name, _ in lines if name), default=0)
    foot = 24 if caption else 0
    across = max(len(index) for _, index in lines)
    size = (max(margin + across * (width + GAP) + GAP, int(font.getlength(caption)) + 12 if caption else 0),
            len(lines) * (height + GAP) + GAP + foot)  # fmt: skip
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for row, (name, index) in enumerate(lines):
        top = GAP + row * (height + GAP)
        draw.text((margin - 6, top + height // 2), name, fill="black", font=font, anchor="rm")
        for column, i in enumerate(index):
            picture = _picture(images[i]).resize((width, height), Image.Resampling.NEAREST)
            canvas.paste(picture, (margin + GAP + column * (width + GAP), top))
    if caption:
        small = ImageFont.load_default(size=13)
        draw.text((6, size[1] - foot // 2), caption, fill="black", font=small, anchor="lm")
    return canvas


def save_gif(path: Path, frames: Sequence[Image.Image], seconds: float = 6.0) -> None:
    """Write an endless animation of that length; the last frame is held for a second."""
    each = int(1000 * seconds / len(frames))
    palette = [frame.convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames]
    durations = [each] * (len(frames) - 1) + [each + 1000]
    palette[0].save(path, format="GIF", save_all=True, append_images=palette[1:], duration=durations, loop=0)


def _lines(n: int, labels: Sequence[int | str] | None, columns: int) -> list[tuple[str, list[int]]]:
    """(name, indices of the images) of every row."""
    if labels is None:
        columns = min(columns, math.ceil(math.sqrt(n)))
        return [("", list(range(i, min(n, i + columns)))) for i in range(0, n, columns)]
    found: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        found.setdefault(str(label), []).append(i)
    return [(name, index[:columns]) for name, index in found.items()]


def _picture(image: Tensor) -> Image.Image:
    array: np.ndarray = image.cpu().numpy()
    return Image.fromarray(array[0] if array.shape[0] == 1 else array.transpose(1, 2, 0)).convert("RGB")
