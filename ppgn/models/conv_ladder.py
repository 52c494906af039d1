"""A denoiser of latent maps for every noise level: the conditioning of `LadderDenoiser` at each place, a U-Net inside.

    D(z; sigma) as in `ppgn.models.ladder`, with m, V and s those of the channels over all places of real latents

The U-Net (Ronneberger et al. 2015; residual blocks under sigma's embedding as Ho et al. 2020) is convolutional: one
network for latents of any height and width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn.models.ladder import preconditioned, principal_axes


class ConvLadderDenoiser(nn.Module):
    """z + sigma noise (B, channels, H, W) and sigma -> the expected clean z, for any sigma > 0 in units of z.

    widths   of the U-Net's levels, each half as high and wide as the one before; sides that cannot be halved so often
             are filled up by repeating the edge
    blocks   residual blocks a level, on the way down and on the way up
    """

    mean: Tensor
    basis: Tensor
    std: Tensor
    frequencies: Tensor

    def __init__(
        self,
        channels: int = 32,
        widths: Sequence[int] = (80, 112, 144),
        blocks: int = 2,
        embedding: int = 128,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.config = {
            "channels": channels, "widths": list(widths), "blocks": blocks, "embedding": embedding, "dropout": dropout,
        }  # fmt: skip

        def level(inputs: int, width: int) -> nn.ModuleList:
            sizes = [inputs, *[width] * blocks]
            return nn.ModuleList(_Block(before, after, embedding, dropout) for before, after in pairwise(sizes))

        self.embed = nn.Sequential(nn.Linear(embedding, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(level(a, b) for a, b in zip((widths[0], *widths), widths, strict=False))
        self.up = nn.ModuleList(level(a + b, b) for a, b in zip((*widths[1:], widths[-1]), widths, strict=True))
        self.last = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # begins as the best linear denoiser of single places
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("basis", torch.eye(channels))
        self.register_buffer("std", torch.ones(channels))
        self.register_buffer("frequencies", torch.logspace(-0.5, 1.2, embedding // 2))

    @torch.no_grad()
    def measure(self, codes: Tensor) -> None:
        """Set m, V and s from the places of real latents (N, channels)."""
        for own, found in zip((self.mean, self.basis, self.std), principal_axes(codes), strict=True):
            own.copy_(found)

    def forward(self, h: Tensor, sigma: float | Tensor) -> Tensor:
        """(B, channels, H, W), a number or (B,) -> (B, channels, H, W)."""
        level = torch.as_tensor(sigma, dtype=h.dtype, device=h.device).expand(len(h))
        places = h.movedim(1, -1)
        clean = preconditioned(self._network, self.mean, self.basis, self.std, places, level.view(-1, 1, 1, 1))
        return clean.movedim(-1, 1)

    def _network(self, x: Tensor, level: Tensor) -> Tensor:
        """(B, H, W, channels) -> the same."""
        _, height, width, _ = x.shape
        phase = level.flatten()[:, None].log() / 4 * self.frequencies
        embedded = self.embed(torch.cat([phase.cos(), phase.sin()], dim=1))
        multiple = 2 ** (len(self.down) - 1)
        x = functional.pad(x.movedim(-1, 1), (0, -width % multiple, 0, -height % multiple), mode="replicate")
        out = self._through(self.first(x), embedded)
        f: Tensor = self.last(functional.silu(out))
        return f[..., :height, :width].movedim(1, -1)

    def _through(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Down the levels and up again, each level's features handed across."""
        across = []
        for i, level in enumerate(self.down):
            x = _in_turn(level, functional.avg_pool2d(x, 2) if i else x, embedded)
            across.append(x)
        for i in reversed(range(len(self.up))):
            if i < len(self.up) - 1:
                x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = _in_turn(self.up[i], torch.cat([x, across[i]], dim=1), embedded)
        return x


def _in_turn(level: nn.Module, x: Tensor, embedded: Tensor) -> Tensor:
    for block in level.children():
        x = block(x, embedded)
    return x


class _Block(nn.Module):
    """x + conv silu norm conv silu norm (x), the second norm scaled and shifted by sigma's embedding."""

    def __init__(self, inputs: int, width: int, embedding: int, dropout: float):
        super().__init__()
        self.before = nn.GroupNorm(_groups(inputs), inputs)
        self.inner = nn.Conv2d(inputs, width, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * width)
        self.between = nn.GroupNorm(_groups(width), width, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == width else nn.Conv2d(inputs, width, 1)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.modulate(embedded)[:, :, None, None].chunk(2, dim=1)
        inner = self.inner(functional.silu(self.before(x)))
        inner = functional.silu(self.between(inner) * (1 + scale) + shift)
        out: Tensor = self.shortcut(x) + self.outer(self.dropout(inner))
        return out


def _groups(width: int) -> int:
    """The most groups, 8 at most, that divide the width."""
    return next(n for n in (8, 4, 2, 1) if width % n == 0)
