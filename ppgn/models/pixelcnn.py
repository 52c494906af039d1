"""PixelCNNs: log p(x) is a sum over pixels of log p(pixel | pixels above and to the left), in one pass of convolutions.

GatedPixelCNN   van den Oord et al. 2016b (arXiv:1606.05328): two stacks, gated units, labels
PixelCNN        van den Oord et al. 2016a (arXiv:1601.06759), section 3.3: masked convolutions in residual blocks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ppgn.models.likelihoods import Bernoulli, Likelihood, described
from ppgn.models.masked import HorizontalConv2d, MaskedConv2d, VerticalConv2d
from ppgn.models.pixels import check_images, head, resolved, scaled


class GatedPixelCNN(nn.Module):
    """x (B, C, H, W) in [0, 1] -> the likelihood's parameters (B, maps, H, W), each of pixels before it alone.

    A vertical stack carries all rows above, a horizontal stack the row so far; both are gated, tanh(a) sigmoid(b) (eq.
    2 of the paper), the second is residual, and a label y adds V y to every a and b (eq. 4). The vertical stack never
    looks at the row it serves, so that a sampler may run it once a row (`ppgn.models.autoregressive`).

    likelihood   of `ppgn.models.likelihoods`, or its description; whole pixels are seen if it draws whole pixels,
                 otherwise red, green and blue in this order
    width        channels of both stacks
    kernel       odd side of what a layer sees
    classes      number of labels, or None for a model of all images
    dropout      of the horizontal stack's gated units

    Raises ValueError for an even kernel, no layers, less width than channels, or a sigma shared by all pixels.

    >>> import torch
    >>> network = GatedPixelCNN((1, 4, 4), width=4, layers=2, kernel=3)
    >>> network.log_prob(torch.zeros(2, 1, 4, 4)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        likelihood: Likelihood | Mapping[str, Any] = Bernoulli(),  # noqa: B008  (frozen)
        width: int = 32,
        layers: int = 10,
        kernel: int = 5,
        classes: int | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.image_shape, self.likelihood, groups = resolved(image_shape, likelihood)
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}")
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape), "likelihood": described(self.likelihood), "width": width,
            "layers": layers, "kernel": kernel, "classes": classes, "dropout": dropout,
        }  # fmt: skip
        self.classes, self.groups = classes, groups
        channels = image_shape[0]
        self.layers = nn.ModuleList(
            GatedLayer(width if i else channels, width, kernel, "B" if i else "A", groups, classes, dropout)
            for i in range(layers)
        )
        self.head = head(width, 2 * width, self.likelihood.maps(channels), groups)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) in [0, 1] and labels (B,) if there are classes -> parameters (B, maps, H, W)."""
        check_images(x, self.image_shape)
        return self.beside(x, self.above(x, label))

    def log_prob(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B,) nats; given the labels (B,), if there are classes."""
        return self.likelihood.log_prob(self(x, label), x)

    def above(self, x: Tensor, label: Tensor | None = None) -> list[Tensor]:
        """What the vertical stack and the label tell each layer of the horizontal one: (B, 2 width, H, W) per layer."""
        v, told = scaled(x), []
        for layer, bias in zip(self.gated(), self.label_biases(label), strict=True):
            v, link = layer.above(layer.vertical.padded(v), bias)
            told.append(link)
        return told

    def beside(self, x: Tensor, told: list[Tensor]) -> Tensor:
        """The horizontal stack on whole rows (B, C, rows, W), told of those above -> parameters (B, maps, rows, W)."""
        h = scaled(x)
        for layer, link in zip(self.gated(), told, strict=True):
            h = layer.beside(h, link)
        parameters: Tensor = self.head(h)
        return parameters

    def gated(self) -> list[GatedLayer]:
        """The layers, from the image on."""
        return [layer for layer in self.layers if isinstance(layer, GatedLayer)]

    def label_biases(self, label: Tensor | None) -> list[Tensor | None]:
        """Per layer (B, 4 width, 1, 1), for both stacks, or None without classes. Raises ValueError if either lacks."""
        if (label is None) != (self.classes is None):
            needed = "no labels" if self.classes is None else f"labels (B,) of {self.classes} classes"
            raise ValueError(f"the network needs {needed}, got {'none' if label is None else tuple(label.shape)}")
        return [None if label is None else layer.label(label)[:, :, None, None] for layer in self.gated()]


class GatedLayer(nn.Module):
    """One layer of both stacks (Figure 2 of the paper)."""

    def __init__(
        self, inputs: int, width: int, kernel: int, kind: str, groups: int, classes: int | None, dropout: float
    ):
        super().__init__()
        self.vertical = VerticalConv2d(inputs, 2 * width, kernel, kind)
        self.horizontal = HorizontalConv2d(inputs, 2 * width, kernel // 2, kind, groups, parts=2, bias=False)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.mix = MaskedConv2d(width, width, 1, "B", groups, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.residual = kind == "B"
        if classes is not None:
            self.label = nn.Embedding(classes, 4 * width)
            nn.init.zeros_(self.label.weight)

    def above(self, window: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """The vertical stack on rows and those they see -> gated rows, and what the horizontal stack is told."""
        v = self.vertical.row(window)
        if bias is None:
            return gate(v), self.link(v)
        vertical, horizontal = bias.chunk(2, 1)
        v = v + vertical
        return gate(v), self.link(v) + horizontal

    def beside(self, h: Tensor, link: Tensor) -> Tensor:
        """The horizontal stack on whole rows."""
        mixed: Tensor = self.mix(self.dropout(gate(self.horizontal(h) + link)))
        return h + mixed if self.residual else mixed


class PixelCNN(nn.Module):
    """x (B, C, H, W) in [0, 1] -> the likelihood's parameters (B, maps, H, W): masked convolutions, as of 2016a.

    One convolution of kind "A", `layers` residual blocks of kind "B" at half the width, two 1x1. Stacked, they do not
    see a wedge to the upper right of a pixel, which is what the gated network's two stacks are for. Arguments and
    errors are those of GatedPixelCNN; there are no labels.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        likelihood: Likelihood | Mapping[str, Any] = Bernoulli(),  # noqa: B008  (frozen)
        width: int = 64,
        layers: int = 7,
        kernel: int = 3,
    ):
        super().__init__()
        self.image_shape, self.likelihood, groups = resolved(image_shape, likelihood)
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape), "likelihood": described(self.likelihood), "width": width,
            "layers": layers, "kernel": kernel,
        }  # fmt: skip
        self.first = MaskedConv2d(image_shape[0], width, 7, "A", groups)
        self.blocks = nn.ModuleList(_block(width, kernel, groups) for _ in range(layers))
        self.head = head(width, width, self.likelihood.maps(image_shape[0]), groups)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) in [0, 1] -> parameters (B, maps, H, W). Raises ValueError if there is a label."""
        check_images(x, self.image_shape)
        if label is not None:
            raise ValueError(f"the network needs no labels, got {tuple(label.shape)}")
        h = self.first(scaled(x))
        for block in self.blocks:
            h = h + block(h)
        parameters: Tensor = self.head(h)
        return parameters

    def log_prob(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B,) nats."""
        return self.likelihood.log_prob(self(x, label), x)


def gate(x: Tensor) -> Tensor:
    """(B, 2 n, ...) -> tanh(first half) * sigmoid(second half), (B, n, ...)."""
    content, open_ = x.chunk(2, 1)
    return content.tanh() * open_.sigmoid()


def _block(width: int, kernel: int, groups: int) -> nn.Sequential:
    half = width // 2
    return nn.Sequential(
        nn.ReLU(), MaskedConv2d(width, half, 1, "B", groups),
        nn.ReLU(), MaskedConv2d(half, half, kernel, "B", groups),
        nn.ReLU(), MaskedConv2d(half, width, 1, "B", groups),
    )  # fmt: skip
