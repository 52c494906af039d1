"""What pictures of the gallery are made with: images enlarged, put side by side under titles, and captioned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import ppgn

MARGIN, GAP, LINE = 8, 24, 18  # pixels: around a picture, between its parts, from one line of text to the next


class Drawn(NamedTuple):
    """A picture, and what was measured of it, in a sentence."""

    image: Image.Image
    told: str


class Picture(NamedTuple):
    """An entry of a module's PICTURES: how it is drawn, and what it shows."""

    draw: Callable[[], Drawn]
    caption: str


def rows(images: Tensor, labels: Sequence[str] | None, columns: int, side: int = 84) -> Image.Image:
    """Images (N, C, H, W), enlarged to `side`, a row for each label; without labels, the next row when one is full."""
    return ppgn.images.grid(enlarged(images, side), labels, columns=columns)


def enlarged(images: Tensor, side: int) -> Tensor:
    """(N, C, H, W) with W = side, between pixels by cubic curves."""
    height = round(side * images.shape[-2] / images.shape[-1])
    return torch.nn.functional.interpolate(images, (height, side), mode="bicubic").clamp(0, 1)


def beside(parts: Sequence[tuple[str, Image.Image]], gap: int = GAP) -> Image.Image:
    """Pictures from left to right, each under its title."""
    font = ImageFont.load_default(size=15)
    widths = [max(image.width, int(font.getlength(title)) + 2) for title, image in parts]
    width = sum(widths) + gap * (len(parts) - 1)
    canvas = Image.new("RGB", (width, max(image.height for _, image in parts) + LINE + 6), "white")
    left = 0
    for (title, image), taken in zip(parts, widths, strict=True):
        ImageDraw.Draw(canvas).text((left + 2, 2), title, fill="black", font=font)
        canvas.paste(image, (left, LINE + 6))
        left += taken + gap
    return canvas


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """The picture with its caption below, broken into lines of its width."""
    font = ImageFont.load_default(size=14)
    lines = _broken(caption, font, max(image.width, 480))
    width = max(image.width, *(int(font.getlength(line)) + 1 for line in lines))
    foot = LINE * len(lines)
    canvas = Image.new("RGB", (width + 2 * MARGIN, image.height + foot + 3 * MARGIN), "white")
    canvas.paste(image, (MARGIN, MARGIN))
    draw = ImageDraw.Draw(canvas)
    for i, line in enumerate(lines):
        draw.text((MARGIN, image.height + 2 * MARGIN + LINE * i), line, fill="black", font=font)
    return canvas


def _broken(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Lines of whole words, none wider than `width` unless a word is."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
