"""Masked convolutions: what a pixel sees in raster order, and what a channel sees of its own pixel.

Full masks    van den Oord, Kalchbrenner & Kavukcuoglu 2016 (arXiv:1601.06759), section 3.4: kinds A and B
Two stacks    van den Oord et al. 2016 (arXiv:1606.05328), section 2.2: vertical and horizontal, no blind spot

Channels of a layer belong to `groups`, in order: of n channels, channel c is of group c * groups // n. With three
(red, green, blue) kind "A" lets a channel see strictly earlier groups of its own pixel, kind "B" its own group too.
A layer with several `parts` (gate and content; the four gates of an LSTM) has that order inside each part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("A", "B")


def channel_mask(out_channels: int, in_channels: int, groups: int, kind: str, parts: int = 1) -> Tensor:
    """(out_channels, in_channels) of 0 and 1: which inputs of its own pixel an output may see.

    Raises ValueError for a kind other than "A" or "B", fewer channels than groups, or outputs that parts do not divide.

    >>> channel_mask(3, 3, groups=3, kind="A").int().tolist()
    [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    """
    if kind not in KINDS:
        raise ValueError(f'kind must be "A" or "B", got {kind!r}')
    if parts < 1 or out_channels % parts:
        raise ValueError(f"out_channels must be a multiple of parts, got {out_channels} channels in {parts} parts")
    if groups < 1 or min(out_channels // parts, in_channels) < groups:
        raise ValueError(
            f"groups must be at least 1 and at most the channels of a part, got {groups} groups, "
            f"{in_channels} channels in and {out_channels // parts} out"
        )
    outputs, inputs = _group(out_channels // parts, groups)[:, None], _group(in_channels, groups)[None]
    seen = inputs < outputs if kind == "A" else inputs <= outputs
    return seen.float().repeat(parts, 1)


def _group(channels: int, groups: int) -> Tensor:
    """The group of each channel, (channels,)."""
    return torch.arange(channels) * groups // channels


class MaskedConv2d(nn.Conv2d):
    """x (B, in, H, W) -> (B, out, H, W): a pixel sees those above, those to its left, and itself by `kind`.

    kernel   odd side, or (rows, columns); (1, 1) with kind "B" mixes channels of a pixel in their order
    kind     "A" for the layer that reads the image, "B" after it
    groups   3 for the order red, green, blue inside a pixel; 1: a pixel is seen whole or not at all
    parts    blocks of outputs, each with its own order of groups

    Raises ValueError for an even kernel and as `channel_mask`.

    >>> layer = MaskedConv2d(1, 1, 3, kind="A", bias=False)
    >>> (layer.mask[0, 0] > 0).int().tolist()
    [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    """

    mask: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        kind: str,
        groups: int = 1,
        parts: int = 1,
        bias: bool = True,
    ):
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        if rows % 2 == 0 or columns % 2 == 0:
            raise ValueError(f"kernel sides must be odd, got {rows}x{columns}")
        own = channel_mask(out_channels, in_channels, groups, kind, parts)
        super().__init__(in_channels, out_channels, (rows, columns), padding=(rows // 2, columns // 2), bias=bias)
        mask = torch.zeros(out_channels, in_channels, rows, columns)
        mask[:, :, : rows // 2] = 1
        mask[:, :, rows // 2, : columns // 2] = 1
        mask[:, :, rows // 2, columns // 2] = own
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W)."""
        return functional.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class VerticalConv2d(nn.Conv2d):
    """x (B, in, H, W) -> (B, out, H, W): row i sees rows i - kernel // 2 to i - 1 (kind "A") or to i ("B").

    All columns within kernel // 2 are seen, so stacked layers see every pixel above. After a layer of kind "A", row i
    of all further layers depends on rows above i alone.

    Raises ValueError for an even kernel, one under 3, or another kind.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, kind: str, bias: bool = True):
        if kind not in KINDS:
            raise ValueError(f'kind must be "A" or "B", got {kind!r}')
        if kernel < 3 or kernel % 2 == 0:
            raise ValueError(f"kernel must be odd and at least 3, got {kernel}")
        self_row = int(kind == "B")
        super().__init__(in_channels, out_channels, (kernel // 2 + self_row, kernel), bias=bias)
        self.above, self.self_row = kernel // 2, self_row

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W)."""
        return self.row(self.padded(x))

    def padded(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> all rows that its rows see, blank above the image: what `row` takes."""
        return functional.pad(x, (0, 0, self.above, self.self_row - 1))

    def row(self, window: Tensor) -> Tensor:
        """The rows that one row sees, (B, in, kernel rows, W), -> that row (B, out, 1, W); taller windows give more."""
        side = self.kernel_size[1] // 2
        return functional.conv2d(functional.pad(window, (side, side, 0, 0)), self.weight, self.bias)


class HorizontalConv2d(nn.Conv2d):
    """x (B, in, H, W) -> (B, out, H, W): a pixel sees `reach` pixels to its left, and itself by `kind`.

    Groups and parts are as those of MaskedConv2d.

    Raises ValueError for a reach under 1 and as `channel_mask`.
    """

    mask: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        reach: int,
        kind: str,
        groups: int = 1,
        parts: int = 1,
        bias: bool = True,
    ):
        if reach < 1:
            raise ValueError(f"reach must be at least 1 pixel, got {reach}")
        own = channel_mask(out_channels, in_channels, groups, kind, parts)
        super().__init__(in_channels, out_channels, (1, reach + 1), bias=bias)
        mask = torch.ones(out_channels, in_channels, 1, reach + 1)
        mask[:, :, 0, reach] = own
        self.register_buffer("mask", mask, persistent=False)

    @property
    def masked_weight(self) -> Tensor:
        """(out, in, 1, reach + 1), zero where nothing may be seen."""
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W)."""
        return functional.conv2d(functional.pad(x, (self.kernel_size[1] - 1, 0)), self.masked_weight, self.bias)
