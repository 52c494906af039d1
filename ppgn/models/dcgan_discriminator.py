"""The discriminator of DCGAN (Radford et al. 2016), plain, with batch norm, or spectrally normalised.

With batch norm the weights are in the layout of pytorch/examples (main.0, main.2, main.3, ...) for images of 64 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["none", "batch", "spectral"]


class DCGANDiscriminator(nn.Module):
    """x (B, C, H, W) in [0, 1] -> one logit an image (B,); positive means real.

    image_shape   (C, H, W), any sides that are left with a pixel after len(widths) halvings
    widths        channels after each halving; `DCGANGenerator` has the same, the other way round
    norm          "none": each image is judged by itself, as R1, R2 and the relativistic loss need it
                  "batch": of all layers but the first and the last, as published
                  "spectral": every layer's largest singular value is 1 (Miyato et al. 2018)

    Raises ValueError for another norm and for images that are too small.

    >>> import torch
    >>> network = DCGANDiscriminator((1, 28, 28), widths=(8, 16, 32))
    >>> network.features(torch.zeros(2, 1, 28, 28)).shape, network(torch.zeros(2, 1, 28, 28)).shape
    (torch.Size([2, 32, 3, 3]), torch.Size([2]))
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        widths: Sequence[int] = (64, 128, 256, 512),
        norm: Norm = "none",
    ):
        super().__init__()
        channels, height, side = image_shape
        last = height >> len(widths), side >> len(widths)
        if min(last) < 1:
            raise ValueError(
                f"image sides must be at least {1 << len(widths)} for {len(widths)} widths, got {height}x{side}"
            )
        if norm not in ("none", "batch", "spectral"):
            raise ValueError(f"norm must be none, batch or spectral, got {norm!r}")
        self.config: dict[str, Any] = {"image_shape": list(image_shape), "widths": list(widths), "norm": norm}
        layers: list[nn.Module] = []
        for before, after in pairwise((channels, *widths)):
            layers.append(_convolution(before, after, (4, 4), norm, stride=2, padding=1))
            if norm == "batch" and len(layers) > 1:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
        self.main = nn.Sequential(*layers, _convolution(widths[-1], 1, last, norm))

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> the last maps (B, widths[-1], h, w), in which a VAE-GAN measures likeness."""
        maps: Tensor = self.main[:-1](2 * x - 1)
        return maps

    def judge(self, features: Tensor) -> Tensor:
        """The last maps -> logits (B,)."""
        logits: Tensor = self.main[-1](features)
        return logits.flatten()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> logits (B,)."""
        return self.judge(self.features(x))


def _convolution(
    before: int, after: int, kernel: tuple[int, int], norm: Norm, stride: int = 1, padding: int = 0
) -> nn.Module:
    layer = nn.Conv2d(before, after, kernel, stride, padding, bias=norm != "batch")
    return spectral_norm(layer) if norm == "spectral" else layer
