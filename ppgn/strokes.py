"""What a handwritten digit looks like, measured, and the one sentence that says it.

    thickness   2 area / boundary, in pixels             a long bar of width w has about w
    slant       atan(-mu11 / mu02), in degrees           0: upright; above 0: the top leans right
    width       sqrt((mu20 - mu11^2 / mu02) / mu02)      spread across over spread along, the slant taken away

area is the sum of the ink, boundary its total variation (by the coarea formula the mean length of all its contours),
mu the central second moments of the ink, y downwards; a pixel is a square, which adds 1/12 to mu20 and mu02. None
depends on contrast or place; thickness alone is in pixels. Slant as LeCun et al. 1998 deslanted MNIST, by shear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
THICKNESS = ("thin", "", "thick")
WIDTH = ("narrow", "", "wide")
SLANT = ("leaning left", "upright", "leaning right")
PIXEL = 1 / 12  # variance of a point in a pixel, along each axis


class Strokes(NamedTuple):
    """Measures of images, (B,) each."""

    thickness: Tensor  # pixels
    width: Tensor  # a ratio
    slant: Tensor  # degrees


@dataclass(frozen=True)
class Thirds:
    """Where the words change: two thresholds a measure, the lower and upper third of the images they were made from.

    Thickness and slant are compared with all digits; slant's thresholds lie near 0 and 12 degrees for MNIST, so that
    "leaning left" truly leans left, and "upright" is as upright as people write. Width is compared with the same
    digit: a wide one is wide for a one.
    """

    thickness: tuple[float, float]
    width: tuple[tuple[float, float], ...]  # for each digit
    slant: tuple[float, float]


def sentence(digit: int, thickness: int, width: int, slant: int) -> str:
    """The sentence of a digit 0..9 and three levels 0..2 (the first third, the middle, the last).

    a [thin | thick] [narrow | wide] DIGIT leaning left | upright | leaning right

    What is neither thin nor thick, narrow nor wide, is not said to be.

    >>> sentence(7, 2, 2, 2), sentence(8, 1, 1, 1)
    ('a thick wide seven leaning right', 'an eight upright')
    """
    words = [THICKNESS[thickness], WIDTH[width], DIGITS[digit], SLANT[slant]]
    said = " ".join(word for word in words if word)
    return f"an {said}" if said.startswith("eight") else f"a {said}"


SENTENCES = tuple(sentence(*levels) for levels in product(range(10), range(3), range(3), range(3)))
VOCABULARY = tuple(dict.fromkeys(word for text in SENTENCES for word in text.split()))


def measure(images: Tensor) -> Strokes:
    """Grey images (B, 1, H, W) in [0, 1], light on dark -> their measures; a blank image's are 0.

    Raises ValueError for another shape.

    >>> bar = torch.zeros(1, 1, 28, 28)
    >>> bar[..., 4:24, 12:16] = 1
    >>> thickness, width, slant = measure(bar)
    >>> round(float(thickness), 1), round(float(width), 1), round(float(slant), 1)
    (3.4, 0.2, 0.0)
    """
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"images must be grey (B, 1, H, W), got {tuple(images.shape)}")
    ink = images[:, 0]
    area = ink.sum((1, 2))
    mass = area.clamp(min=torch.finfo(ink.dtype).tiny)
    y, x = (torch.arange(n, device=ink.device, dtype=ink.dtype) for n in ink.shape[1:])
    across, down = ink.sum(1), ink.sum(2)
    x = x - (across @ x / mass)[:, None]
    y = y - (down @ y / mass)[:, None]
    mu20, mu02 = ((rows * place.square()).sum(1) / mass + PIXEL for rows, place in ((across, x), (down, y)))
    mu11 = (ink * y[:, :, None] * x[:, None, :]).sum((1, 2)) / mass
    boundary = _total_variation(ink)
    thickness = torch.where(boundary > 0, 2 * area / boundary.clamp(min=torch.finfo(ink.dtype).tiny), 0.0)
    width = ((mu20 - mu11.square() / mu02) / mu02).sqrt()
    slant = torch.rad2deg(torch.atan((0.0 - mu11) / mu02))
    return Strokes(thickness, *(torch.where(area > 0, value, 0.0) for value in (width, slant)))


def thirds(strokes: Strokes, digits: Tensor) -> Thirds:
    """Thresholds of images that show `digits` (B,): terciles. Raises ValueError unless every digit 0..9 is there."""
    found = digits.unique().tolist()
    if found != list(range(10)):
        raise ValueError(f"labels must be the digits 0..9, each at least once, got {found}")
    by_digit = tuple(_terciles(strokes.width[digits == digit]) for digit in range(10))
    return Thirds(_terciles(strokes.thickness), by_digit, _terciles(strokes.slant))


def levels(strokes: Strokes, digits: Tensor, limits: Thirds) -> Tensor:
    """(B, 3): 0, 1 or 2 for thickness, width (as that of `digits` (B,)) and slant."""
    thickness, slant = (
        torch.bucketize(value, value.new_tensor(limit))
        for value, limit in ((strokes.thickness, limits.thickness), (strokes.slant, limits.slant))
    )
    width = (strokes.width[:, None] > strokes.width.new_tensor(limits.width)[digits]).sum(1)
    return torch.stack([thickness, width, slant], 1)


def numbers(found: Tensor, digits: Tensor) -> Tensor:
    """The place (B,) in SENTENCES of levels (B, 3) and digits (B,)."""
    return ((digits * 3 + found[:, 0]) * 3 + found[:, 1]) * 3 + found[:, 2]


def from_json(record: Mapping[str, Any]) -> Thirds:
    """The thresholds of a file's header, as `dataclasses.asdict` makes them."""
    return Thirds(_pair(record["thickness"]), tuple(map(_pair, record["width"])), _pair(record["slant"]))


def _pair(values: Sequence[float]) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)


def _terciles(values: Tensor) -> tuple[float, float]:
    return _pair(values.double().quantile(values.new_tensor([1 / 3, 2 / 3], dtype=torch.float64)).tolist())


def _total_variation(ink: Tensor) -> Tensor:
    """(B, H, W) -> (B,): of the gradients between each four pixels, which find lines of all directions about as long.

    Within 2 % for strokes of 3 pixels and more, whatever their direction; strokes of 2 come out up to 9 % shorter.
    """
    padded = functional.pad(ink, (1, 1, 1, 1))
    rows, columns = padded[:, 1:] + padded[:, :-1], padded[:, :, 1:] + padded[:, :, :-1]
    across, down = rows.diff(dim=2) / 2, columns.diff(dim=1) / 2
    return (across.square() + down.square()).sqrt().sum((1, 2))
