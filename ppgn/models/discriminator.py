"""A discriminator of (image, code) pairs, as PPGN and DeePSiM train with (Dosovitskiy & Brox 2016, Sec. 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConditionalDiscriminator(nn.Module):
    """x (B, C, H, W) and h (B, code), or maps of so many numbers, -> one logit a pair (B,); positive means real."""

    def __init__(self, code: int = 128, image_shape: tuple[int, int, int] = (1, 28, 28), width: int = 24):
        super().__init__()
        self.config = {"code": code, "image_shape": list(image_shape), "width": width}
        channels, height, side = image_shape
        self.image = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(4 * width * _after(height) * _after(side), 128),
            nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.code = nn.Sequential(nn.Linear(code, 128), nn.LeakyReLU(0.2))
        self.head = nn.Sequential(nn.Linear(256, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Logits (B,)."""
        logits: Tensor = self.head(torch.cat([self.image(x), self.code(h.flatten(1))], dim=1))
        return logits.squeeze(1)


def _after(side: int) -> int:
    """The side after two halvings and one rounded up."""
    return (side // 4 + 1) // 2
