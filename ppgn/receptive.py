"""Which pixels a unit of a network sees, found by trying: a NaN spreads through convolutions, poolings and ReLUs alike.

No table of kernels and strides is kept: whatever the layers are, a pixel belongs to the field if its being NaN makes
the unit NaN. The first line of the field is where NaNs in all lines up to it first reach the unit, so that it is found
by halving. In double precision on the CPU, where a convolution is its sums and no other algorithm mixes neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import nn

from ppgn.layers import Position, at_position, layer_named, output_of

GREY = 0.5  # of the image without a NaN


class Field(NamedTuple):
    """A rectangle of pixels of the network's input."""

    top: int
    left: int
    height: int
    width: int


def receptive_field(
    network: nn.Module,
    layer: str,
    position: Position,
    size: int | tuple[int, int],
    channels: int = 3,
) -> Field:
    """The smallest rectangle of pixels that holds all that a layer's units at `position` see.

    layer      its name, as `ppgn.layers.layer_named` takes it
    position   (row, column) in the layer's map, or "center", as of `ppgn.conditions.unit`
    size       of the image, a side or (height, width); channels of it

    What lies outside the image is cut off. The network is copied, in double precision, and about forty images are
    shown to the copy; none of its flags, hooks or gradients is changed. Raises ValueError for an unknown layer, a
    position outside its map, a layer without a map, and a unit that no pixel reaches.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3))
    >>> receptive_field(network, "2", (1, 2), 28, channels=1)
    Field(top=2, left=4, height=8, width=8)
    """
    height, width = (size, size) if isinstance(size, int) else size
    layer_named(network, layer)
    copy = deepcopy(network).cpu().double().eval()

    @torch.no_grad()
    def reaches(rows: slice, columns: slice) -> bool:
        """Whether the unit is NaN if those pixels are."""
        x = torch.full((1, channels, height, width), GREY, dtype=torch.float64)
        x[..., rows, columns] = torch.nan
        return bool(at_position(output_of(copy, layer, x), position).isnan().any())

    everything = slice(None)
    if reaches(slice(0, 0), everything) or not reaches(everything, everything):
        raise ValueError(f"the unit at {position} of {layer!r} must be a number that depends on pixels, but is not")
    top = _first(height, lambda n: reaches(slice(0, n), everything))
    bottom = _first(height, lambda n: reaches(slice(height - n, height), everything))
    left = _first(width, lambda n: reaches(everything, slice(0, n)))
    right = _first(width, lambda n: reaches(everything, slice(width - n, width)))
    return Field(top - 1, left - 1, height - bottom - top + 2, width - right - left + 2)


def _first(most: int, enough: Callable[[int], bool]) -> int:
    """The smallest n in 1..most that is enough, where every larger one is."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
