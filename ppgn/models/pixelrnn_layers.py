"""Layers of PixelRNNs: residual, on maps that lie as (channels, H, W, B), which spares the scans all copying.

van den Oord, Kalchbrenner & Kavukcuoglu 2016 (arXiv:1601.06759), sections 3.1, 3.2 and 3.5: what the gates get from the
features is computed for the whole map at once, at `width` channels a gate; what they get from the states, line by line
(`ppgn.models.lstm_scan`); a 1x1 convolution brings the states back to the 2 * width channels of the map.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn.models.lstm_scan import Reordered, diagonal_order, diagonals, rows, scan
from ppgn.models.masked import HorizontalConv2d, MaskedConv2d

GATES = 4  # output, forget, input, content; red, green and blue have their order inside each


class FirstWithRowEnds(nn.Module):
    """x (B, C, H, W) -> (B, out, H, W): a convolution of kind "A", and what the last pixel of a row tells the next row.

    Diagonal layers alone miss that pixel, however many: a feature of kind "A" knows what came before its pixel, not the
    pixel itself, and what the LSTM from the right carries down are features of the row above, up to its last. Only
    where the first convolution's kernel covers it, it would be seen.
    """

    def __init__(self, channels: int, out: int, kernel: int, groups: int):
        super().__init__()
        self.near = MaskedConv2d(channels, out, kernel, "A", groups)
        self.end = nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H, W)."""
        above = functional.pad(x[..., -1:], (0, 0, 1, -1))
        mapped: Tensor = self.near(x) + self.end(above)
        return mapped


class RowLayer(nn.Module):
    """x (2 width, H, W, B) -> x plus what an LSTM found from row to row.

    Its input-to-state convolution is the paper's 3x1 of kind "B", without the column that this mask leaves blank.
    """

    def __init__(self, width: int, groups: int, classes: int | None):
        super().__init__()
        self.input = HorizontalConv2d(2 * width, GATES * width, 1, "B", groups, parts=GATES)
        self.state = _state_weight(1, width, taps=3)
        self.mix = MaskedConv2d(width, 2 * width, 1, "B", groups)
        self.label = _label_weight(1, width, classes)
        _open_forget_gates(self.input, directions=1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """x and labels (B,), if there are classes, -> (2 width, H, W, B)."""
        height, width = x.shape[1:3]
        seen = torch.cat([functional.pad(x, (0, 0, 1, -1)), x])  # the left neighbour, and the pixel itself
        kernel = self.input.masked_weight[:, :, 0].transpose(1, 2).flatten(1)
        inputs = _product(kernel[None], self.input.bias, seen.flatten(1, 2)[None])
        states = scan(_told(inputs, self.label, label), self.state, rows(height, width))
        return x + _mixed(self.mix, _split(states[0], 1, height, width))


class DiagonalLayer(nn.Module):
    """x (2 width, H, W, B) -> x plus what two LSTMs found from diagonal to diagonal, one from either side.

    The one from the right sees pixels further right on its row, which come later: its map is shifted down by one row
    before the two are added.
    """

    def __init__(self, width: int, groups: int, classes: int | None):
        super().__init__()
        self.input = MaskedConv2d(2 * width, 2 * GATES * width, 1, "B", groups, parts=2 * GATES)
        self.state = _state_weight(2, width, taps=2)
        self.mix = MaskedConv2d(width, 2 * width, 1, "B", groups)
        self.label = _label_weight(2, width, classes)
        _open_forget_gates(self.input, directions=2)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """x and labels (B,), if there are classes, -> (2 width, H, W, B)."""
        height, width = x.shape[1:3]
        seen = skew(torch.stack([x, x.flip(2)]))
        kernel = _split((self.input.weight * self.input.mask)[:, :, 0, 0], 0, 2, -1)
        inputs = _product(kernel, self.input.bias, seen)
        states = scan(_told(inputs, self.label, label), self.state, diagonals(height, width))
        from_left, from_right = unskew(states, height, width)
        return x + _mixed(self.mix, from_left + shifted_down(from_right.flip(2)))


def skew(x: Tensor) -> Tensor:
    """(D, channels, H, W, B) -> (D, channels, H * W, B): diagonal after diagonal, without the blanks of a skewed map.

    >>> skew(torch.arange(6).view(1, 1, 2, 3, 1)).flatten()
    tensor([0, 1, 3, 2, 4, 5])
    """
    order = diagonal_order(x.shape[2], x.shape[3], x.device)
    skewed: Tensor = Reordered.apply(x.flatten(2, 3), order, order.argsort())
    return skewed


def unskew(x: Tensor, height: int, width: int) -> Tensor:
    """(D, channels, H * W, B) -> (D, channels, H, W, B), which undoes `skew`."""
    order = diagonal_order(height, width, x.device)
    raster: Tensor = Reordered.apply(x, order.argsort(), order)
    return _split(raster, 2, height, width)


def shifted_down(x: Tensor) -> Tensor:
    """(channels, H, W, B): each row gets what was found on the row above it, the first nothing."""
    return functional.pad(x, (0, 0, 0, 0, 1, -1))


def _product(kernel: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """D matrices (D, out, in) and one bias (D * out,) on (D, in, pixels, B): (D, out, pixels, B)."""
    start = kernel.new_zeros(1) if bias is None else bias.view(kernel.shape[0], -1, 1)
    return _split(torch.baddbmm(start, kernel, x.flatten(2)), 2, *x.shape[2:])


def _mixed(layer: MaskedConv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution of (in, H, W, B): (out, H, W, B)."""
    kernel = (layer.weight * layer.mask)[None, :, :, 0, 0]
    return _split(_product(kernel, layer.bias, x.flatten(1, 2)[None])[0], 1, *x.shape[1:3])


def _told(inputs: Tensor, weight: nn.Embedding | None, label: Tensor | None) -> Tensor:
    """Inputs of the gates (D, 4 width, pixels, B), with what the labels (B,) add to them, if there are any."""
    if weight is None or label is None:
        return inputs
    added = _split(weight(label).T, 0, *inputs.shape[:2])
    return inputs + added[:, :, None]


def _split(x: Tensor, axis: int, *sizes: int) -> Tensor:
    """One axis as several."""
    parts: Tensor = x.unflatten(axis, sizes)
    return parts


def _state_weight(directions: int, width: int, taps: int) -> nn.Parameter:
    """(D, 4 width, taps * width), drawn as torch draws those of a convolution."""
    bound = 1 / math.sqrt(taps * width)
    return nn.Parameter(torch.empty(directions, GATES * width, taps * width).uniform_(-bound, bound))


def _label_weight(directions: int, width: int, classes: int | None) -> nn.Embedding | None:
    """Without effect to begin with."""
    if classes is None:
        return None
    weight = nn.Embedding(classes, directions * GATES * width)
    nn.init.zeros_(weight.weight)
    return weight


def _open_forget_gates(layer: nn.Conv2d, directions: int) -> None:
    """Cells begin by keeping most of what they hold (Jozefowicz, Zaremba & Sutskever 2015)."""
    if layer.bias is not None:
        with torch.no_grad():
            layer.bias.view(directions, GATES, -1)[:, 1] += 1
