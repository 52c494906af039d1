"""What a GatedPixelCNN already knows of an image while it is drawn: nothing is computed twice.

Ramachandran et al. 2017 (arXiv:1704.06001), on two stacks: the vertical stack runs once a row, on the few rows above
that each layer sees; the horizontal stack once a pixel, on the few pixels to the left. Both are for torch.no_grad().
"""

from __future__ import annotations

import torch
from torch import Tensor

from ppgn.models.masked import MaskedConv2d
from ppgn.models.pixelcnn import GatedPixelCNN
from ppgn.models.pixels import scaled


class Rows:
    """The vertical stack, row by row from the top."""

    def __init__(self, network: GatedPixelCNN, label: Tensor | None):
        self.layers, self.biases = network.gated(), network.label_biases(label)
        self.windows: list[Tensor | None] = [None] * len(self.layers)

    def told(self, above: Tensor) -> list[Tensor]:
        """What the next row's pixels are told, (B, 2 width, 1, W) per layer.

        above: the row drawn last, (B, C, 1, W) in [0, 1]; ahead of the first row anything of that shape, unread.
        """
        first = self.windows[0] is None
        v, told = torch.zeros_like(above) if first else scaled(above), []
        for i, (layer, bias) in enumerate(zip(self.layers, self.biases, strict=True)):
            window = self._window(i, v, layer.vertical.kernel_size[0])
            v, link = layer.above(window, bias)
            told.append(link)
        return told

    def _window(self, i: int, row: Tensor, rows: int) -> Tensor:
        """The rows that layer i sees, the newest last; blank ones above the image."""
        before = self.windows[i]
        older = row.new_zeros(*row.shape[:2], rows - 1, row.shape[3]) if before is None else before[:, :, 1:]
        self.windows[i] = window = torch.cat([older, row], 2)
        return window


class Pixels:
    """The horizontal stack, pixel by pixel along a row, as products of small matrices.

    Per layer it holds a row of inputs (B, reach + W, channels); the windows of all pixels are views that are made once.
    """

    def __init__(self, network: GatedPixelCNN, like: Tensor):
        b, channels, _, width = like.shape
        layers = network.gated()
        inputs = [channels, *(layer.mix.weight.shape[0] for layer in layers)]
        reaches = [layer.horizontal.kernel_size[1] - 1 for layer in layers]
        rows = [like.new_zeros(b, reach + width, n) for reach, n in zip([*reaches, 0], inputs, strict=True)]
        columns = range(width)
        self.windows = [
            [row[:, j : j + reach + 1].view(b, -1) for j in columns] for row, reach in zip(rows, reaches, strict=False)
        ]
        self.slots = [[row[:, reach + j] for j in columns] for row, reach in zip(rows, [*reaches, 0], strict=True)]
        outputs = 2 * layers[0].mix.weight.shape[0]
        self.links = like.new_empty(len(layers), width, b, outputs)
        self.weights = [layer.horizontal.masked_weight.permute(3, 1, 0, 2).reshape(-1, outputs) for layer in layers]
        self.mixes = [_matrix(layer.mix) for layer in layers]
        self.residual = [layer.residual for layer in layers]
        self.head = [(_matrix(m), m.bias) for m in network.head if isinstance(m, MaskedConv2d) and m.bias is not None]

    def begin(self, told: list[Tensor]) -> None:
        """Start a row that is told so by the rows above, (B, 2 width, 1, W) per layer."""
        for link, told_layer in zip(self.links, told, strict=True):
            link.copy_(told_layer[:, :, 0].permute(2, 0, 1))

    def parameters(self, j: int) -> Tensor:
        """Parameters (B, maps, 1, 1) of pixel j, of all to its left and of its own channels that were put."""
        for i, weight in enumerate(self.weights):
            content, open_ = torch.addmm(self.links[i, j], self.windows[i][j], weight).chunk(2, 1)
            gated = content.tanh_().mul_(open_.sigmoid_())
            if self.residual[i]:
                torch.addmm(self.slots[i][j], gated, self.mixes[i], out=self.slots[i + 1][j])
            else:
                torch.mm(gated, self.mixes[i], out=self.slots[i + 1][j])
        h = self.slots[-1][j]
        for matrix, bias in self.head:
            h = torch.addmm(bias, h.relu(), matrix)
        return h[:, :, None, None]

    def put(self, j: int, value: Tensor) -> None:
        """Pixel j's channels, (B, C) in [0, 1], as far as they are drawn."""
        self.slots[0][j].copy_(scaled(value))


def _matrix(layer: MaskedConv2d) -> Tensor:
    """The weights of a masked 1x1 convolution as (in, out)."""
    return (layer.weight * layer.mask)[:, :, 0, 0].t().contiguous()
