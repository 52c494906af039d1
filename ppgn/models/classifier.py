"""Small image classifiers: the encoder and condition of a bundle, and a judge of another architecture.

All take images (B, C, H, W) in [0, 1] and give logits (B, classes).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class ConvClassifier(nn.Module):
    """Two convolutions and two linear layers, with the two codes that PPGN's generator inverts.

    x -> h1 (the last pooling, as pool5) -> h (the first linear layer after its ReLU, as fc6) -> logits;
    the roles follow the paper's CaffeNet (Nguyen et al. 2017, Sec. 3.4). Sides must be multiples of 4.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        width: int = 16,
        code: int = 128,
    ):
        super().__init__()
        channels, height, side = image_shape
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape),
            "classes": classes,
            "width": width,
            "code": code,
        }
        self.classes, self.latent_shape = classes, (code,)
        self.lower = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.upper = nn.Sequential(nn.Flatten(), nn.Linear(2 * width * (height // 4) * (side // 4), code), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(code, code), nn.ReLU(), nn.Linear(code, classes))

    def x_to_h1(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 width, H/4, W/4)."""
        h1: Tensor = self.lower(x)
        return h1

    def h1_to_h(self, h1: Tensor) -> Tensor:
        """(B, 2 width, H/4, W/4) -> (B, code), not negative."""
        h: Tensor = self.upper(h1)
        return h

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> h (B, code)."""
        return self.h1_to_h(self.x_to_h1(x))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


class Encoder(nn.Module):
    """x -> h of a classifier, as the joint prior and the joint trainer use it."""

    def __init__(self, network: ConvClassifier):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, code)."""
        return self.network.features(x)


class ResidualClassifier(nn.Module):
    """A residual network with batch norm (He et al. 2016) and global average pooling."""

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10, width: int = 16):
        super().__init__()
        self.config = {"image_shape": list(image_shape), "classes": classes, "width": width}
        self.classes, self.latent_shape = classes, (4 * width,)
        self.body = nn.Sequential(
            nn.Conv2d(image_shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            ResidualBlock(width, 2 * width), ResidualBlock(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(4 * width, classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 4 width), the features in which distances are measured."""
        pooled: Tensor = self.body(x)
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a strided 1x1 shortcut; halves the side."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H/2, W/2)."""
        return nn.functional.relu(self.main(x) + self.shortcut(x))
