"""Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003), at as many scales as an image has.

prod_s cs_s^beta_s times the luminance term at the last scale; 11-tap Gaussian windows of 1.5 pixels, images halved from
scale to scale. The five betas of the paper are for 176 pixels and more; for fewer scales the first ones are taken, made
to sum to 1: a value means something only beside another of as many scales.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ppgn.evaluation.figures import LEVEL, Figure, mean

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA, PART = 11, 1.5, 500
C1, C2 = 0.01**2, 0.03**2  # of images in [0, 1]


def scales(height: int, width: int) -> int:
    """How many scales, at most 5, an image has: each must hold a window. Raises ValueError for less than one.

    >>> scales(28, 28), scales(256, 256)
    (2, 5)
    """
    side = min(height, width)
    if side < WINDOW:
        raise ValueError(f"structural similarity needs sides of at least {WINDOW} pixels, got {height} x {width}")
    return min(len(BETAS), 1 + int(math.log2(side / WINDOW)))


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """(B,) of images (B, C, H, W) in [0, 1], pair by pair: 1 for equal ones, about 0 for unrelated ones.

    Terms below 0 count as 0. Raises ValueError for images smaller than the window.
    """
    count = scales(*a.shape[2:])
    betas = torch.tensor(BETAS[:count], dtype=a.dtype, device=a.device)
    result = torch.ones(len(a), dtype=a.dtype, device=a.device)
    for scale, beta in enumerate(betas / betas.sum(), 1):
        whole, contrast = _terms(a, b)
        result = result * (whole if scale == count else contrast).clamp_min(0).pow(beta)
        a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
    return result


def similarity_in_classes(images: Tensor, labels: Tensor, seed: int = 0, level: float = LEVEL) -> Figure:
    """Mean MS-SSIM of two images of one class, over disjoint pairs drawn at random: lower is more diverse.

    images (N, C, H, W) in [0, 1], or uint8; labels (N,). Raises ValueError for fewer than 2 pairs, or too small images.
    """
    rng, pairs = np.random.default_rng([seed, 3]), []
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        rows = rows[torch.from_numpy(rng.permutation(len(rows)))]
        pairs.append(rows[: len(rows) // 2 * 2].view(-1, 2))
    chosen = torch.cat(pairs)
    parts = [ms_ssim(_real(images[part[:, 0]]), _real(images[part[:, 1]])) for part in chosen.split(PART) if len(part)]
    return mean(torch.cat(parts) if parts else torch.empty(0), level)


def _real(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _terms(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) structural similarity and its contrast term."""
    channels = a.shape[1]
    taps = torch.exp(-(torch.arange(WINDOW, dtype=a.dtype, device=a.device) - WINDOW // 2).square() / (2 * SIGMA**2))
    taps = taps / taps.sum()
    kernel = (taps[:, None] * taps).expand(channels, 1, WINDOW, WINDOW)
    edge = WINDOW // 2  # mirrored, and left out of the contrast term, as torchmetrics does
    a, b = (functional.pad(x, (edge,) * 4, mode="reflect") for x in (a, b))
    stacked = torch.cat([a, b, a * a, b * b, a * b])
    ma, mb, aa, bb, ab = functional.conv2d(stacked, kernel, groups=channels).chunk(5)
    contrast = (2 * (ab - ma * mb) + C2) / ((aa - ma * ma).clamp_min(0) + (bb - mb * mb).clamp_min(0) + C2)
    luminance = (2 * ma * mb + C1) / (ma * ma + mb * mb + C1)
    inner = contrast[..., edge:-edge, edge:-edge]
    return (luminance * contrast).flatten(1).mean(1), inner.flatten(1).mean(1)
