"""A tiny convolutional autoencoder of natural images (madebyollin/taesd, MIT), in its own layout of weights.

    image (B, 3, H, W) in [0, 1]  <->  latent (B, channels, H/8, W/8)

TAESD and TAESDXL (4 channels), TAEF1 and TAESD3 (16) have plain blocks; TAEF2 (32) has pooled ones beside the latent.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

STRIDE = 8  # pixels to a position of the latent
LIMIT = 3.0  # latents lie within about [-3, 3]; the decoder bends what does not


class TinyAutoencoder(nn.Module):
    """A latent z (B, channels, H/8, W/8) -> x (B, 3, H, W) in [0, 1]; `encode` goes the other way.

    As a generator it is called, as the encoder of a joint prior `encoder` is: both take images of any size that is a
    multiple of 8 on both sides, and `code_shape` says what a latent of one size is shaped as. It knows no density:
    normal latents decode to texture.

    channels   of the latent
    width      of every layer between
    pooled     whether the three blocks beside the latent add a normalised 1x1 branch, as in TAEF2

    >>> tiny = TinyAutoencoder(channels=4, width=8)
    >>> tiny.code_shape((64, 48))
    (4, 8, 6)
    >>> tiny(torch.zeros(1, 4, 8, 6)).shape
    torch.Size([1, 3, 64, 48])
    """

    def __init__(self, channels: int = 32, width: int = 64, pooled: bool = True):
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "width": width, "pooled": pooled}

        def blocks(n: int, pool: bool = False) -> list[nn.Module]:
            return [_Block(width, pool) for _ in range(n)]

        def smaller(n: int, pool: bool = False) -> list[nn.Module]:
            return [nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False), *blocks(n, pool)]

        def larger(n: int) -> list[nn.Module]:
            return [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False), *blocks(n)]

        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), *blocks(1), *smaller(3), *smaller(3), *smaller(3, pooled),
            nn.Conv2d(width, channels, 3, padding=1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            _Bend(), nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), *blocks(3, pooled),
            *larger(3), *larger(3), *larger(1), nn.Conv2d(width, 3, 3, padding=1),
        )  # fmt: skip

    def code_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """The shape of the latent of an image of that height and width. Raises ValueError for no multiples of 8."""
        height, width = size
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"image sides must be multiples of {STRIDE}, got {height}x{width}")
        return self.config["channels"], height // STRIDE, width // STRIDE

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, channels, H/8, W/8). Raises ValueError for sides no multiples of 8."""
        self.code_shape((x.shape[-2], x.shape[-1]))
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """(B, channels, H/8, W/8) -> (B, 3, H, W), clipped to [0, 1]; `decoder` gives it unclipped."""
        x: Tensor = self.decoder(z)
        return x.clamp(0, 1)

    def forward(self, z: Tensor) -> Tensor:
        """As `decode`."""
        return self.decode(z)


class _Bend(nn.Module):
    """Bends values smoothly into (-3, 3)."""

    def forward(self, z: Tensor) -> Tensor:
        """Shape kept."""
        return torch.tanh(z / LIMIT) * LIMIT


class _Block(nn.Module):
    """Three convolutions and a shortcut, before them, if pooled, a branch that mixes channels alone."""

    def __init__(self, width: int, pooled: bool):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip
        self.pool: nn.Sequential | None = None
        if pooled:
            self.pool = nn.Sequential(
                nn.Conv2d(width, 4 * width, 1, bias=False), nn.GroupNorm(4, 4 * width), nn.ReLU(),
                nn.Conv2d(4 * width, width, 1, bias=False),
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W), shape kept."""
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)
