"""The up-convolutional generator that inverts a code (Dosovitskiy & Brox 2016; DGN-AM and PPGN use it at 256 px)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class UpconvGenerator(nn.Module):
    """h (B, code), or maps (B, *code), -> x (B, C, H, W) in [0, 1].

    A linear layer (3x3 and convolutional on maps), then per width one 4x4 transposed convolution of stride 2 and one
    3x3 of stride 1, leaky ReLU 0.3, no batch norm, as the authors' prototxt; a sigmoid keeps the image in range where
    the original is linear. The image's sides must be multiples of 2 ** (number of widths - 1): a map's, so often
    doubled. Raises ValueError for others.

    code   units of a flat code, or (channels, height, width) of a map
    """

    def __init__(
        self,
        code: int | Sequence[int] = 128,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: Sequence[int] = (48, 32, 16),
    ):
        super().__init__()
        channels, height, width = image_shape
        scale = 2 ** (len(widths) - 1)
        if height % scale or width % scale:
            raise ValueError(f"image sides must be multiples of {scale} for {len(widths)} widths, got {height}x{width}")
        latent = (code,) if isinstance(code, int) else tuple(code)
        units = code if isinstance(code, int) else list(code)
        self.config = {"code": units, "image_shape": list(image_shape), "widths": list(widths)}
        self.base = (widths[0], height // scale, width // scale)
        self.latent_shape = latent
        self.linear: nn.Module
        if len(latent) == 1:
            outputs = widths[0] * self.base[1] * self.base[2]
            self.linear = nn.Linear(latent[0], outputs)
        elif latent[1:] == self.base[1:]:
            self.linear = nn.Conv2d(latent[0], widths[0], 3, padding=1)
        else:
            raise ValueError(
                f"a code must be units or a map of (channels, {self.base[1]}, {self.base[2]}) to grow to "
                f"{height}x{width} by {len(widths)} widths, got {latent}"
            )
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.3)]
            layers += [nn.ConvTranspose2d(after, after, 3, padding=1), nn.LeakyReLU(0.3)]
        self.up = nn.Sequential(nn.LeakyReLU(0.3), *layers, nn.ConvTranspose2d(widths[-1], channels, 3, padding=1))

    def forward(self, h: Tensor) -> Tensor:
        """(B, code) -> (B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.up(self.linear(h).reshape(-1, *self.base)))
