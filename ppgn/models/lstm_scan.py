"""LSTMs over the pixels of a map, a line of pixels at a time: rows, or diagonals.

    (o, f, i, g) = input + K h_before,    c = sigmoid(f) c_before + sigmoid(i) tanh(g),    h = sigmoid(o) tanh(c)

van den Oord, Kalchbrenner & Kavukcuoglu 2016 (arXiv:1601.06759), eq. 3. "Before" is the line before: of a row the three
pixels above, of a diagonal the pixel above and the one to the left. So a line takes one matrix product.

Maps lie as (..., channels, pixels, B): the pixels of a line, in all images of the batch, are then one block of memory
for each channel, and so is each gate: on a CPU the scan takes half the time that it takes with channels last (less of a
gain in the gradient).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Line(NamedTuple):
    """Pixels that a scan does at once: how many, and where they lie beside the line before.

    size   pixels
    first  what tap 0 of pixel 0 sees, as a place on the line before; -1 is one before its first pixel
    """

    size: int
    first: int


def rows(height: int, width: int) -> list[Line]:
    """The rows from the top on; taps are the pixels above: to the left, straight, to the right."""
    return [Line(width, -1)] * height


def diagonals(height: int, width: int) -> list[Line]:
    """The diagonals i + j = 0, 1, ..., each from its upper end on; taps are the pixel above and the one to the left.

    >>> [line.size for line in diagonals(2, 3)]
    [1, 2, 2, 1]
    """
    return [
        Line(min(height - 1, d) - max(0, d - width + 1) + 1, -1 if d < width else 0) for d in range(height + width - 1)
    ]


def diagonal_order(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Places in raster order of the pixels in the order of `diagonals`, (height * width,).

    >>> diagonal_order(2, 3)
    tensor([0, 1, 3, 2, 4, 5])
    """
    number = torch.arange(height, device=device)[:, None] + torch.arange(width, device=device)
    return number.flatten().argsort(stable=True)


class Reordered(torch.autograd.Function):
    """x (..., pixels, B) -> its pixels in another order. The gradient is put back in one pass, not pixel by pixel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        """order, inverse: (pixels,), each undoing the other."""
        ctx.save_for_backward(order, inverse)
        return x.index_select(-2, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Itself, the other way."""
        order, inverse = ctx.saved_tensors
        return Reordered.apply(grad, inverse, order), None, None


def scan(inputs: Tensor, weight: Tensor, lines: Sequence[Line]) -> Tensor:
    """States of LSTMs, all directions side by side: (D, 4 width, pixels, B) -> (D, width, pixels, B).

    inputs  what the gates o, f, i, g get from elsewhere, bias included; pixels line after line
    weight  (D, 4 width, taps * width): what the gates get from the states of the line before, tap after tap
    lines   whose sizes sum to the pixels

    The cell is handed on from tap 1. All in the weight's dtype, autocast or not: cells add up over many lines, and the
    time goes into gates, not into products.
    """
    with torch.autocast(inputs.device.type, enabled=False):
        directions, width = weight.shape[0], weight.shape[1] // 4
        taps = weight.shape[2] // width
        h = c = weight.new_zeros(directions, width, lines[0].size, inputs.shape[-1])
        states = []
        for (size, first), line in zip(lines, inputs.to(weight).split([size for size, _ in lines], 2), strict=True):
            before = torch.cat([_from(h, first + tap, size) for tap in range(taps)], 1)
            gates = torch.baddbmm(line.flatten(2), weight, before.flatten(2)).view_as(line)
            o, f, i, g = gates.chunk(4, 1)
            c = torch.addcmul(i.sigmoid() * g.tanh(), f.sigmoid(), _from(c, first + 1, size))
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.cat(states, 2)


def _from(line: Tensor, first: int, size: int) -> Tensor:
    """Places first, ..., first + size - 1 of a line (D, width, n, B), zero beyond its ends: (D, width, size, B)."""
    after = first + size - line.shape[2]
    return functional.pad(line, (0, 0, -first, after)) if first or after else line
