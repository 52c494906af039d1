"""A convolutional variational autoencoder (Kingma & Welling 2014) with any likelihood of `ppgn.models.likelihoods`.

p(z) = N(0, 1), p(x | z) from the decoder's maps, q(z | x) = N(mean, exp(log_variance)), each unit by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ppgn.models.conv_autoencoder import Contraction, Expansion
from ppgn.models.likelihoods import Bernoulli, Likelihood, described, named


class VAE(nn.Module):
    """z (B, latent), standard normal -> the mean image x (B, C, H, W) in [0, 1]; `encode` goes the other way.

    image_shape   (C, H, W), sides multiples of 4: 28x28 and 32x32
    latent        numbers in a code
    width         channels at half the image's side; twice as many at a quarter
    depth         residual blocks at each of the two sizes, in each half
    likelihood    of an image given the decoder's maps, or its description as in `config`

    As the encoder of a joint prior `encoder` is x -> the mean of q(z | x). Raises ValueError for other sides or an
    unknown likelihood.

    >>> import torch
    >>> network = VAE((1, 28, 28), latent=16, width=8)
    >>> mean, log_variance = network.encode(torch.zeros(2, 1, 28, 28))
    >>> network(mean).shape, network.likelihood
    (torch.Size([2, 1, 28, 28]), Bernoulli())
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        latent: int = 32,
        width: int = 32,
        depth: int = 1,
        likelihood: Likelihood | Mapping[str, Any] = Bernoulli(),  # noqa: B008 (frozen)
    ):
        super().__init__()
        channels, height, side = image_shape
        self.likelihood: Likelihood = named(likelihood) if isinstance(likelihood, Mapping) else likelihood
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape), "latent": latent, "width": width, "depth": depth,
            "likelihood": described(self.likelihood),
        }  # fmt: skip
        self.latent_shape, self.image_shape = (latent,), (channels, height, side)
        self.encoder = _Encoder(self.image_shape, latent, width, depth)
        self.decoder = Expansion(latent, (self.likelihood.maps(channels), height, side), width, depth)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) in [0, 1] -> mean and log-variance of q(z | x), (B, latent) each."""
        return self.encoder.posterior(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> the likelihood's parameters (B, maps, H, W)."""
        parameters: Tensor = self.decoder(z)
        return parameters

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> the mean of p(x | z), (B, C, H, W) in [0, 1]."""
        return self.likelihood.mean(self.decode(z))


class _Encoder(nn.Module):
    """x -> the mean of q(z | x); `posterior` gives the log-variance too."""

    def __init__(self, image_shape: tuple[int, int, int], latent: int, width: int, depth: int):
        super().__init__()
        self.layers = Contraction(image_shape, 2 * latent, width, depth)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) in [0, 1] -> mean and log-variance (B, latent)."""
        mean, log_variance = self.layers(x).chunk(2, dim=1)
        return mean, log_variance

    def forward(self, x: Tensor) -> Tensor:
        """The mean (B, latent)."""
        return self.posterior(x)[0]


class MeanCode(nn.Module):
    """x -> the mean of q(z | x) of a whole VAE, as the encoder of a pipeline whose generator it is.

    network   its `encode` gives (mean, log-variance), as those of `VAE`, `DenseVAE` and `ConvVAE`
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, latent)."""
        encode: Callable[[Tensor], tuple[Tensor, Tensor]] = self.network.encode  # type: ignore[assignment]
        return encode(x)[0]
