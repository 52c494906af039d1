"""PixelRNNs: log p(x) as a sum over pixels, by LSTMs that carry what came before across the whole image.

RowLSTM          van den Oord, Kalchbrenner & Kavukcuoglu 2016 (arXiv:1601.06759), section 3.1: from row to row
DiagonalBiLSTM   section 3.2: from diagonal to diagonal, both ways; a single layer sees every pixel before

Both are (Table 1 of the paper): a 7x7 convolution of kind "A", residual LSTM layers of `width` channels on maps of
2 * width, two 1x1 convolutions of kind "B" with rectifiers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ppgn.models.likelihoods import Bernoulli, Likelihood, described
from ppgn.models.masked import MaskedConv2d
from ppgn.models.pixelrnn_layers import DiagonalLayer, FirstWithRowEnds, RowLayer
from ppgn.models.pixels import check_images, head, resolved, scaled

FIRST = 7  # side of the first convolution


class RowLSTM(nn.Module):
    """x (B, C, H, W) in [0, 1] -> the likelihood's parameters (B, maps, H, W), each of pixels before it alone.

    A layer goes from the top down; a pixel's gates see the states of the three pixels above, and the features of its
    left neighbour and its own. So n rows up it sees from n + layers + 3 columns to the left to n + 2 to the right, and
    of its own row layers + 3 pixels: a triangle, not all that came before.

    likelihood   of `ppgn.models.likelihoods`, or its description; whole pixels are seen if it draws whole pixels,
                 otherwise red, green and blue in this order
    width        channels of a state; the maps between layers have twice as many
    classes      number of labels, or None for a model of all images; a label y adds V y to the gates of every layer

    Raises ValueError for no layers, less width than channels, or a sigma shared by all pixels.

    >>> import torch
    >>> network = RowLSTM((1, 4, 4), width=4, layers=2)
    >>> network.log_prob(torch.zeros(2, 1, 4, 4)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        likelihood: Likelihood | Mapping[str, Any] = Bernoulli(),  # noqa: B008  (frozen)
        width: int = 16,
        layers: int = 7,
        classes: int | None = None,
    ):
        super().__init__()
        self.image_shape, self.likelihood, groups = resolved(image_shape, likelihood)
        self.config = _config(image_shape, self.likelihood, width, layers, classes)
        self.classes = classes
        first = MaskedConv2d(image_shape[0], 2 * width, FIRST, "A", groups)
        stack = [RowLayer(width, groups, classes) for _ in range(layers)]
        self.body = Body(first, stack, head(2 * width, 2 * width, self.likelihood.maps(image_shape[0]), groups))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) in [0, 1] and labels (B,) if there are classes -> parameters (B, maps, H, W)."""
        _check(x, label, self.image_shape, self.classes)
        parameters: Tensor = self.body(x, label)
        return parameters

    def log_prob(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B,) nats; given the labels (B,), if there are classes."""
        return self.likelihood.log_prob(self(x, label), x)


class DiagonalBiLSTM(nn.Module):
    """x (B, C, H, W) in [0, 1] -> the likelihood's parameters (B, maps, H, W), each of pixels before it alone.

    A layer goes from the upper left corner to the lower right, and from the upper right to the lower left; a pixel's
    gates see the states of the pixel above and of the one beside it, where the scan comes from, and its own features.
    All that comes before is seen, also the last pixel of the row above, which the paper's network misses
    (`FirstWithRowEnds`). Arguments and errors are those of RowLSTM.

    >>> import torch
    >>> network = DiagonalBiLSTM((1, 4, 4), width=4, layers=2)
    >>> network.log_prob(torch.zeros(2, 1, 4, 4)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        likelihood: Likelihood | Mapping[str, Any] = Bernoulli(),  # noqa: B008  (frozen)
        width: int = 16,
        layers: int = 7,
        classes: int | None = None,
    ):
        super().__init__()
        self.image_shape, self.likelihood, groups = resolved(image_shape, likelihood)
        self.config = _config(image_shape, self.likelihood, width, layers, classes)
        self.classes = classes
        first = FirstWithRowEnds(image_shape[0], 2 * width, FIRST, groups)
        stack = [DiagonalLayer(width, groups, classes) for _ in range(layers)]
        self.body = Body(first, stack, head(2 * width, 2 * width, self.likelihood.maps(image_shape[0]), groups))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) in [0, 1] and labels (B,) if there are classes -> parameters (B, maps, H, W)."""
        _check(x, label, self.image_shape, self.classes)
        parameters: Tensor = self.body(x, label)
        return parameters

    def log_prob(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B,) nats; given the labels (B,), if there are classes."""
        return self.likelihood.log_prob(self(x, label), x)


class Body(nn.Module):
    """x (B, C, H, W) -> (B, maps, H, W): the first convolution, layers on (2 width, H, W, B), the last convolutions."""

    def __init__(self, first: nn.Module, layers: Sequence[nn.Module], head: nn.Module):
        super().__init__()
        self.first, self.layers, self.head = first, nn.ModuleList(layers), head

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) in [0, 1] and labels (B,) if there are classes -> (B, maps, H, W)."""
        h = self.first(scaled(x)).permute(1, 2, 3, 0).contiguous()
        for layer in self.layers:
            h = layer(h, label)
        parameters: Tensor = self.head(h.permute(3, 0, 1, 2).contiguous())
        return parameters


def _config(
    image_shape: tuple[int, int, int], likelihood: Likelihood, width: int, layers: int, classes: int | None
) -> dict[str, Any]:
    """What builds the network again, for a JSON file."""
    if layers < 1:
        raise ValueError(f"layers must be at least 1, got {layers}")
    return {
        "image_shape": list(image_shape), "likelihood": described(likelihood), "width": width, "layers": layers,
        "classes": classes,
    }  # fmt: skip


def _check(x: Tensor, label: Tensor | None, image_shape: tuple[int, int, int], classes: int | None) -> None:
    check_images(x, image_shape)
    if (label is None) != (classes is None):
        needed = "no labels" if classes is None else f"labels (B,) of {classes} classes"
        raise ValueError(f"the network needs {needed}, got {'none' if label is None else tuple(label.shape)}")
