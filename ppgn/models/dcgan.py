"""The generator of DCGAN (Radford et al. 2016) in the two layouts of weights that are passed on.

main.0, main.1, ...      of pytorch/examples: a transposed convolution from 1x1 to 4x4 begins it
fc, bn0, ct1, bn1, ...   of the original, Newmu/dcgan_code: a linear layer begins it, kernels of 5, batch norms of 1e-8
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

SIDE = 4  # pixels, where the widths begin


class DCGANGenerator(nn.Module):
    """z (B, latent), standard normal -> x (B, channels, S, S) in [0, 1], S = 4 * 2 ** len(widths).

    latent     numbers in a code
    channels   of the image
    widths     channels at 4x4, 8x8, ...: (512, 256, 128, 64) makes 64 pixels, three widths 32, five 128
    kernel     of the transposed convolutions, 4 or 5
    linear     whether a linear layer begins it, in the layout of the original
    eps        of the batch norms

    Raises ValueError for another kernel.

    >>> original = DCGANGenerator(100, widths=(256, 128, 64), kernel=5, linear=True, eps=1e-8)
    >>> original.image_shape
    (3, 32, 32)
    """

    def __init__(
        self,
        latent: int = 100,
        channels: int = 3,
        widths: Sequence[int] = (512, 256, 128, 64),
        kernel: int = 4,
        linear: bool = False,
        eps: float = 1e-5,
    ):
        super().__init__()
        if kernel not in (4, 5):
            raise ValueError(f"kernel must be 4 or 5, which double an image exactly, got {kernel}")
        self.config: dict[str, Any] = {
            "latent": latent, "channels": channels, "widths": list(widths), "kernel": kernel, "linear": linear,
            "eps": eps,
        }  # fmt: skip
        side = SIDE * 2 ** len(widths)
        self.image_shape, self.latent_shape = (channels, side, side), (latent,)
        up = [
            nn.ConvTranspose2d(before, after, kernel, 2, kernel // 2 - (kernel == 4), kernel - 4, bias=False)
            for before, after in pairwise((*widths, channels))
        ]
        norms = [nn.BatchNorm2d(width, eps=eps) for width in widths[1:]]
        if linear:
            self._name_as_original(latent, widths[0], up, norms, eps)
        else:
            start = nn.ConvTranspose2d(latent, widths[0], SIDE, bias=False)
            layers = [start, nn.BatchNorm2d(widths[0], eps=eps), nn.ReLU()]
            for convolution, norm in zip(up, norms, strict=False):
                layers += [convolution, norm, nn.ReLU()]
            self.main = nn.Sequential(*layers, up[-1], nn.Tanh())

    def _name_as_original(
        self, latent: int, width: int, up: Sequence[nn.Module], norms: Sequence[nn.Module], eps: float
    ) -> None:
        features = width * SIDE**2
        self.fc, self.bn0 = nn.Linear(latent, features, bias=False), nn.BatchNorm1d(features, eps=eps)
        self.start = nn.Sequential(nn.ReLU(), nn.Unflatten(1, (width, SIDE, SIDE)))
        for i, (convolution, norm) in enumerate(zip(up, norms, strict=False), 1):
            self.add_module(f"ct{i}", convolution)
            self.add_module(f"bn{i}", norm)
            self.add_module(f"relu{i}", nn.ReLU())
        self.add_module(f"ct{len(up)}", up[-1])
        self.end = nn.Tanh()

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, channels, S, S) in [0, 1]."""
        x = z if self.config["linear"] else z[:, :, None, None]
        for layer in self.children():  # in the order they were named
            x = layer(x)
        return (x + 1) / 2
