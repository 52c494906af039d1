"""Walks through the codes of a generator, to look at what it has learned: a grid of two-dimensional ones, and paths.

A grid places codes at equal steps of the normal distribution function, z = Phi^-1((i + 1/2) / n), so that each stands
for as much of p(z) = N(0, 1) as any other (Kingma & Welling 2014, Figure 4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ppgn.types import Generator


@torch.no_grad()
def latent_grid(generator: Generator, n: int, like: Tensor | None = None) -> Tensor:
    """Images (n * n, C, H, W) of a generator with codes of 2 numbers, row by row for `ppgn.images.grid(columns=n)`.

    z_1 grows to the right and z_2 upwards.

    like: has the dtype and device of the codes; by default float32 on the CPU.

    Raises ValueError for n below 1.

    >>> latent_grid(lambda z: z[:, :, None, None], 2)[:, :, 0, 0]
    tensor([[-0.6745,  0.6745],
            [ 0.6745,  0.6745],
            [-0.6745, -0.6745],
            [ 0.6745, -0.6745]])
    """
    if n < 1:
        raise ValueError(f"n must be at least 1 code a side, got {n}")
    places = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)
    down, right = torch.meshgrid(places.flip(0), places, indexing="ij")
    codes = torch.stack([right.flatten(), down.flatten()], 1)
    return generator(codes.to(torch.empty(0) if like is None else like))


def interpolate(a: Tensor, b: Tensor, n: int, spherical: bool = False) -> Tensor:
    """n codes from each of a to that of b, ends included: (B, *latent) twice -> (B, n, *latent).

    spherical   along the great circle, (sin((1 - t) w) a + sin(t w) b) / sin w with w the angle between a and b
                (Shoemake 1985): between normal codes of many numbers the middles then are as long as the ends, as codes
                are that a generator was trained on, where straight lines pass too near to 0 (White 2016, 1609.04468)

    Raises ValueError for different shapes, n below 2, and where no great circle is the shortest: codes that are 0 or
    opposite.

    >>> interpolate(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 3, spherical=True)[0, 1]
    tensor([0.7071, 0.7071])
    """
    if a.shape != b.shape or a.ndim < 2:
        raise ValueError(f"codes must be (B, *latent) twice, got {tuple(a.shape)} and {tuple(b.shape)}")
    if n < 2:
        raise ValueError(f"n must be at least 2, the ends, got {n}")
    t = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)
    first, last = _weights(a, b, t) if spherical else (1 - t, t)
    ones = (1,) * (a.ndim - 1)
    return first.reshape(-1, n, *ones) * a[:, None] + last.reshape(-1, n, *ones) * b[:, None]


def _weights(a: Tensor, b: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Those of a and of b at each t, (B, n) twice; straight where the angle is too small to be told."""
    flat_a, flat_b = a.flatten(1).double(), b.flatten(1).double()
    lengths = flat_a.norm(dim=1) * flat_b.norm(dim=1)
    cosine = ((flat_a * flat_b).sum(1) / lengths).clamp(-1, 1)
    if not bool((cosine > -1 + 1e-9).all()):  # NaN for codes that are 0
        raise ValueError(f"codes must not be 0 or opposite for a great circle, got cosines {cosine.tolist()}")
    angle = cosine.acos()[:, None]
    near, t = angle < 1e-4, t.double()
    sine = torch.where(near, torch.ones_like(angle), angle.sin())
    first = torch.where(near, 1 - t, ((1 - t) * angle).sin() / sine)
    last = torch.where(near, t, (t * angle).sin() / sine)
    return first.to(a), last.to(a)
