"""Images as their own codes: the generator of PPGN-x (Nguyen et al. 2017, Sec. 3.1), for priors on images."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ppgn.checks import require_shape


class PixelSpace(nn.Module):
    """h (B, C, H, W) -> x = h, cut to [0, 1]: the identity on images, and the image of a code that has left the range.

    Beyond the range a condition, which sees x, has no gradient, and a prior, which sees h, leads back; walks with
    `bounds=(0.0, 1.0)` never leave it.

    image_shape   (C, H, W), which is also the shape of a code

    Raises ValueError for images of another shape.

    >>> import torch
    >>> PixelSpace((1, 1, 2))(torch.tensor([[[[0.25, 1.5]]]]))
    tensor([[[[0.2500, 1.0000]]]])
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28)):
        super().__init__()
        channels, height, width = image_shape
        self.config: dict[str, Any] = {"image_shape": list(image_shape)}
        self.latent_shape = self.image_shape = (channels, height, width)

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W) in [0, 1]."""
        require_shape("images", h.shape[1:], self.image_shape, "one image per row")
        return h.clamp(0, 1)
