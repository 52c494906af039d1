"""The denoising autoencoder on codes: PPGN-h's prior."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class CodeDenoiser(nn.Module):
    """h + noise (B, code) -> the expected clean h (B, code).

    Seven fully connected layers of units, as the paper's 4096-2048-1024-500-1024-2048-4096: input, `widths`, output.
    Codes are standardised inside by `mean` and `std`, which the trainer measures on real codes.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, code: int = 128, widths: Sequence[int] = (512, 256, 128, 256, 512)):
        super().__init__()
        self.config = {"code": code, "widths": list(widths)}
        sizes = [code, *widths, code]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("std", torch.ones(code))

    def forward(self, h: Tensor) -> Tensor:
        """(B, code) -> (B, code)."""
        clean: Tensor = self.layers((h - self.mean) / self.std)
        return clean * self.std + self.mean
