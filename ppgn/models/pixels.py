"""What networks that read pixels in order share: their range, their check, their likelihood and their last layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ppgn.models.likelihoods import Likelihood, Normal, named
from ppgn.models.masked import MaskedConv2d


def scaled(x: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1], so that black is not what lies outside the image."""
    return 2 * x - 1


def resolved(
    image_shape: tuple[int, int, int], likelihood: Likelihood | Mapping[str, Any]
) -> tuple[tuple[int, int, int], Likelihood, int]:
    """The shape as a tuple, the likelihood itself, and the groups of channels."""
    channels, height, width = image_shape
    made = named(likelihood) if isinstance(likelihood, Mapping) else likelihood
    if isinstance(made, Normal) and made.shared:
        raise ValueError("likelihood must give each pixel its own parameters, got a Normal whose sigma is shared")
    return (channels, height, width), made, made.groups(channels)


def head(width: int, hidden: int, maps: int, groups: int) -> nn.Sequential:
    """The last two layers, 1x1 and masked: (B, width, H, W) -> parameters (B, maps, H, W)."""
    return nn.Sequential(
        nn.ReLU(), MaskedConv2d(width, hidden, 1, "B", groups), nn.ReLU(), MaskedConv2d(hidden, maps, 1, "B", groups)
    )


def check_images(x: Tensor, image_shape: tuple[int, int, int]) -> None:
    """Raise ValueError for images (B, C, H, W) of another shape than the network's."""
    if x.shape[1:] != torch.Size(image_shape):
        raise ValueError(f"images must have shape (B, {', '.join(map(str, image_shape))}), got {tuple(x.shape)}")
