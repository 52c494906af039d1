"""A generator of small images with residual blocks and group norm, which learns against a discriminator from the start.

Without a norm (`UpconvGenerator`) the images of different codes hardly differ at first, and a discriminator that only
sees their mean brightness drives them all to black before they do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ppgn.models.conv_autoencoder import Expansion


class ResidualGenerator(nn.Module):
    """z (B, latent), standard normal -> x (B, C, H, W) in [0, 1].

    latent        numbers in a code
    image_shape   (C, H, W), sides multiples of 4: 28x28 and 32x32
    width         channels at half the image's side; twice as many at a quarter
    depth         residual blocks at each of the two sizes

    Raises ValueError for other sides.

    >>> ResidualGenerator(16, (1, 28, 28), width=8)(torch.zeros(2, 16)).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self, latent: int = 64, image_shape: tuple[int, int, int] = (1, 28, 28), width: int = 32, depth: int = 1
    ):
        super().__init__()
        channels, height, side = image_shape
        self.config: dict[str, Any] = {
            "latent": latent, "image_shape": list(image_shape), "width": width, "depth": depth,
        }  # fmt: skip
        self.latent_shape, self.image_shape = (latent,), (channels, height, side)
        self.layers = Expansion(latent, self.image_shape, width, depth)

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.layers(z))
