"""Networks of images of whole levels, read as models of those images under normal noise (`ppgn.models.smoothed`).

DequantisedVAE      p_sigma(x) = integral of p(z) p_sigma(x | z): exactly p convolved with N(0, sigma^2)
DequantisedPixels   p_sigma(x) = product over sub-pixels of sum_k P(k | what is known of those before) N(x; k, sigma^2)

The networks learned clean images. So they are shown noisy ones with the noise taken off as far as one may: any encoder
gives a bound, and any function of the pixels before gives a normalised density.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ppgn.models.autoregressive import Autoregressive
from ppgn.models.evidence import LatentModel
from ppgn.models.likelihoods import Likelihood
from ppgn.models.smoothed import Smoothed


@dataclass(frozen=True)
class DequantisedVAE:
    """A `LatentModel` of noisy images: the network's decoder and prior, its encoder on softly rounded images.

    Raises ValueError as `Smoothed`.
    """

    network: LatentModel
    sigma: float

    @property
    def likelihood(self) -> Smoothed:
        """The network's, under the noise."""
        return Smoothed(self.network.likelihood, self.sigma)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) of any real numbers -> mean and log-variance (B, latent)."""
        return self.network.encode(self.likelihood.rounded(x))

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> parameters (B, maps, H, W)."""
        return self.network.decode(z)


class DequantisedPixels(nn.Module):
    """An `Autoregressive` model of noisy images: what it is called with is real, and so is what it draws.

    The network is asked twice: about softly rounded pixels, and then about what its answers say that the pixels are,
    given their own values and those before them. It is p convolved with N(0, sigma^2) where the network's answers do
    not depend on the pixels, and tends to it as sigma falls; otherwise it is another density, also normalised, as the
    pixels that come later tell nothing about those before. In the mode that the network is in when it is made. Raises
    ValueError as `Smoothed`.
    """

    def __init__(self, network: Autoregressive, sigma: float):
        super().__init__()
        self.network, self.sigma, self.image_shape = network, sigma, network.image_shape
        self.smoothed = Smoothed(network.likelihood, sigma)
        self.likelihood: Likelihood = self.smoothed
        self.training = network.training

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) of any real numbers -> parameters (B, maps, H, W), each of sub-pixels before it alone."""
        first = self.network(self.smoothed.rounded(x), label)
        return self.network(self.smoothed.expected(first, x), label)
