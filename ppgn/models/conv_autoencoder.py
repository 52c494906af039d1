"""A convolutional autoencoder of small images, a denoiser made of it, and the two halves that the VAE shares with it.

Strided 4x4 convolutions halve the image twice; between them residual blocks with group norm and SiLU, so that each
image goes through by itself and training and evaluation are the same function.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

GROUPS = 8  # of a group norm, at most


class Autoencoder(nn.Module):
    """z (B, latent) -> x (B, C, H, W) in [0, 1] as a generator; `encode` goes the other way.

    image_shape   (C, H, W), sides multiples of 4: 28x28 and 32x32
    latent        numbers in a code
    width         channels at half the image's side; twice as many at a quarter
    depth         residual blocks at each of the two sizes, in each half

    As the encoder of a joint prior `encoder` is x -> z. Nothing is known of the density of its codes: a prior has to
    be fitted to them. Raises ValueError for other sides.

    >>> network = Autoencoder((1, 28, 28), latent=16, width=8)
    >>> network(network.encode(torch.zeros(2, 1, 28, 28))).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (1, 28, 28), latent: int = 32, width: int = 32, depth: int = 1
    ):
        super().__init__()
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape), "latent": latent, "width": width, "depth": depth,
        }  # fmt: skip
        channels, height, side = image_shape
        self.latent_shape, self.image_shape = (latent,), (channels, height, side)
        self.encoder = Contraction(self.image_shape, latent, width, depth)
        self.decoder = Expansion(latent, self.image_shape, width, depth)

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, latent)."""
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.decoder(z))

    def forward(self, z: Tensor) -> Tensor:
        """As `decode`."""
        return self.decode(z)


class ImageDenoiser(nn.Module):
    """x + noise (B, C, H, W) -> the expected clean x, by an `Autoencoder` of those numbers: the r(x) of an image prior.

    >>> ImageDenoiser((3, 32, 32), latent=16, width=8)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (1, 28, 28), latent: int = 128, width: int = 32, depth: int = 1
    ):
        super().__init__()
        self.network = Autoencoder(image_shape, latent, width, depth)
        self.config, self.latent_shape = self.network.config, self.network.image_shape

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W) in [0, 1]."""
        return self.network.decode(self.network.encode(x))


class Contraction(nn.Module):
    """x (B, C, H, W) in [0, 1] -> (B, outputs). Raises ValueError for sides that are no multiples of 4."""

    def __init__(self, image_shape: tuple[int, int, int], outputs: int, width: int, depth: int):
        super().__init__()
        channels, height, side = image_shape
        require_quarters(height, side)
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), *blocks(width, depth),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), *blocks(2 * width, depth),
            *active(2 * width),
        )  # fmt: skip
        self.head = nn.Linear(2 * width * (height // 4) * (side // 4), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, outputs)."""
        outputs: Tensor = self.head(self.body(2 * x - 1).flatten(1))
        return outputs


class Expansion(nn.Module):
    """z (B, latent) -> (B, maps, H, W), of any range. Raises ValueError for sides that are no multiples of 4."""

    def __init__(self, latent: int, maps_shape: tuple[int, int, int], width: int, depth: int):
        super().__init__()
        maps, height, side = maps_shape
        require_quarters(height, side)
        self.base = (2 * width, height // 4, side // 4)
        self.head = nn.Linear(latent, math.prod(self.base))
        self.body = nn.Sequential(
            *blocks(2 * width, depth), *active(2 * width),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), *blocks(width, depth), *active(width),
            nn.ConvTranspose2d(width, maps, 4, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, maps, H, W)."""
        maps: Tensor = self.body(self.head(z).unflatten(1, self.base))
        return maps


class NormedBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), 3x3 kernels (He et al. 2016, pre-activation)."""

    def __init__(self, width: int):
        super().__init__()
        self.main = nn.Sequential(
            *active(width), nn.Conv2d(width, width, 3, padding=1),
            *active(width), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W), shape kept."""
        changed: Tensor = x + self.main(x)
        return changed


def blocks(width: int, depth: int) -> list[nn.Module]:
    """`depth` residual blocks."""
    return [NormedBlock(width) for _ in range(depth)]


def active(width: int) -> list[nn.Module]:
    """Group norm, in as many groups as divide the width, and SiLU."""
    return [nn.GroupNorm(math.gcd(GROUPS, width), width), nn.SiLU()]


def require_quarters(height: int, side: int) -> None:
    """Raise ValueError unless both sides are multiples of 4."""
    if height % 4 or side % 4:
        raise ValueError(f"image sides must be multiples of 4, got {height}x{side}")
