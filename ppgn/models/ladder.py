"""One denoiser of codes for every noise level, preconditioned as EDM (Karras et al., NeurIPS 2022, Sec. 5).

    D(h; sigma) = m + V (c_skip u + c_out F(c_in u; ln(sigma) / 4)),      u = V^T (h - m)
    c_skip = s^2 / (s^2 + sigma^2)     c_out = s sigma / (s^2 + sigma^2)^(1/2)     c_in = (s^2 + sigma^2)^(-1/2)

Theirs has one standard deviation for all data; here m, V and s are the mean, principal axes and standard deviations of
real codes. Then F = 0 is the best linear denoiser, exact for normal codes, and the network learns only the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class LadderDenoiser(nn.Module):
    """h + sigma noise (B, code) and sigma -> the expected clean h (B, code), for any sigma > 0 in units of h.

    F is a residual MLP of `width`, every block scaled and shifted by an embedding of sigma. `measure` sets m, V and s;
    an axis along which real codes do not vary (s = 0, as that of a dead unit) is left out: D is m there.
    """

    mean: Tensor
    basis: Tensor
    std: Tensor
    frequencies: Tensor

    def __init__(self, code: int = 128, width: int = 384, blocks: int = 4, embedding: int = 64, dropout: float = 0.1):
        super().__init__()
        self.config = {"code": code, "width": width, "blocks": blocks, "embedding": embedding, "dropout": dropout}
        self.first = nn.Linear(code, width)
        self.embed = nn.Sequential(nn.Linear(embedding, embedding), nn.SiLU())
        self.blocks = nn.ModuleList(_Block(width, embedding, dropout) for _ in range(blocks))
        self.last = nn.Linear(width, code)
        nn.init.zeros_(self.last.weight)  # begins as the best linear denoiser
        nn.init.zeros_(self.last.bias)
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("basis", torch.eye(code))
        self.register_buffer("std", torch.ones(code))
        self.register_buffer("frequencies", torch.logspace(-0.5, 1.2, embedding // 2))

    @torch.no_grad()
    def measure(self, codes: Tensor) -> None:
        """Set m, V and s from real codes (N, code)."""
        for own, found in zip((self.mean, self.basis, self.std), principal_axes(codes), strict=True):
            own.copy_(found)

    def forward(self, h: Tensor, sigma: float | Tensor) -> Tensor:
        """(B, code), a number or (B,) -> (B, code)."""
        level = torch.as_tensor(sigma, dtype=h.dtype, device=h.device).expand(len(h))[:, None]
        return preconditioned(self._network, self.mean, self.basis, self.std, h, level)

    def _network(self, x: Tensor, level: Tensor) -> Tensor:
        phase = level.log() / 4 * self.frequencies
        embedded = self.embed(torch.cat([phase.cos(), phase.sin()], dim=1))
        x = self.first(x)
        for block in self.blocks:
            x = block(x, embedded)
        out: Tensor = self.last(x)
        return out


def principal_axes(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (d,), axes (d, d) in columns and the standard deviations along them (d,) of codes (N, d), in float64.

    Axes along which codes hardly vary (a thousandth of the widest) get 0.
    """
    variance, axes = torch.linalg.eigh(torch.atleast_2d(torch.cov(codes.double().T)))
    std = variance.clamp(min=0).sqrt()
    std[std < 1e-3 * std.max()] = 0
    return codes.double().mean(0), axes, std


def preconditioned(
    network: Callable[[Tensor, Tensor], Tensor], mean: Tensor, basis: Tensor, std: Tensor, h: Tensor, level: Tensor
) -> Tensor:
    """D(h; sigma) from F: codes (..., d) and `level` (..., 1), the sigma of each; F sees codes along the axes.

    All but F is computed in h's own precision, also under autocast: at small sigma D is h but for a little.
    """
    with torch.autocast(h.device.type, enabled=False):
        total = std**2 + level**2
        u = (h - mean) @ basis
        scaled = torch.where(std > 0, u / total.sqrt(), 0.0)
    f = network(scaled, level).to(h.dtype)
    with torch.autocast(h.device.type, enabled=False):
        clean = std**2 / total * u + std * level / total.sqrt() * f
        return clean @ basis.T + mean


class _Block(nn.Module):
    """x + W_2 silu(W_1 norm(x)), the norm scaled and shifted by sigma's embedding."""

    def __init__(self, width: int, embedding: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(embedding, 2 * width)
        self.inner = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.modulate(embedded).chunk(2, dim=1)
        inner = self.inner(self.norm(x) * (1 + scale) + shift)
        out: Tensor = x + self.outer(self.dropout(nn.functional.silu(inner)))
        return out
