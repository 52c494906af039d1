"""An autoregressive network as a generator: an image is a function of the noise that it is drawn with.

x = draw(network, Phi(h)), h standard normal, Phi the normal distribution function: so p(h) is a density, and all that
works on codes without a gradient (rejection, isir, populations) samples p(x | y) of an explicit p(x).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.special import ndtr

from ppgn.models.autoregressive import draw
from ppgn.models.likelihoods import Normal
from ppgn.models.pixelcnn import GatedPixelCNN, PixelCNN
from ppgn.models.pixelrnn import DiagonalBiLSTM, RowLSTM
from ppgn.random import streams

AutoregressiveNetwork = GatedPixelCNN | PixelCNN | RowLSTM | DiagonalBiLSTM


class AutoregressiveGenerator(nn.Module):
    """h (B, *latent_shape), standard normal -> x (B, C, H, W) in [0, 1], a draw of the network's p(x).

    network   used as it is; in eval mode where it draws
    label     the class drawn, for a network of labelled images
    way       of `ppgn.models.draw`; None: cached for a gated PixelCNN, else fixed_point

    The image is piecewise constant in h, so its gradient is 0, and is given as 0: walks by gradients gain nothing here.
    Raises ValueError for a label that the network does not have, or needs and lacks, and for a Normal likelihood, whose
    images are no step functions.

    >>> network = GatedPixelCNN((1, 4, 4), width=4, layers=2, kernel=3).eval()
    >>> generator = AutoregressiveGenerator(network).eval()
    >>> generator.latent_shape, generator(torch.zeros(2, 1, 4, 4)).shape
    ((1, 4, 4), torch.Size([2, 1, 4, 4]))
    """

    def __init__(self, network: AutoregressiveNetwork, label: int | None = None, way: str | None = None):
        super().__init__()
        classes = network.config.get("classes")
        if (label is None) != (classes is None) or not 0 <= (label or 0) < (classes or 1):
            needed = "None, since the network has no classes" if classes is None else f"one of 0..{classes - 1}"
            raise ValueError(f"label must be {needed}, got {label}")
        if isinstance(network.likelihood, Normal):
            raise ValueError(f"likelihood must be one of whole levels, got {network.likelihood}")
        self.network, self.label = network, label
        self.way = way or ("cached" if isinstance(network, GatedPixelCNN) else "fixed_point")
        probe = torch.empty(1, *network.image_shape)
        self.latent_shape = tuple(network.likelihood.noise(probe, streams(0, 1)).shape[1:])
        self.image_shape = network.image_shape

    def forward(self, h: Tensor) -> Tensor:
        """(B, *latent_shape) -> (B, C, H, W)."""
        like = h.detach().new_empty(len(h), *self.image_shape)
        noise = self.network.likelihood.noise(like, _Given(h.detach()))
        label = None if self.label is None else torch.full((len(h),), self.label, device=h.device)
        x = draw(self.network, noise, label, self.way).images
        return x + 0 * h.flatten(1).sum(1)[:, None, None, None]


@dataclass(frozen=True)
class _Given:
    """Random numbers that are codes already."""

    h: Tensor

    def normal(self, like: Tensor, step: int, purpose: str = "move") -> Tensor:
        """The codes as they are."""
        return self.h

    def rows(self, index: Tensor) -> _Given:
        """Those of some chains."""
        return _Given(self.h[index])

    def uniform(self, like: Tensor, step: int, purpose: str = "accept") -> Tensor:
        """The codes through their distribution function."""
        # below 1 and not 0, as all uniforms here: rounding must not choose a level beyond the last
        edge = torch.finfo(self.h.dtype).eps
        uniform: Tensor = ndtr(self.h).clamp(edge, 1 - edge)
        return uniform
