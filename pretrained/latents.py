"""Decoders of latent diffusion models as generators: diffusers' AutoencoderKL, in the latents that diffusion scales.

    z = (encoder(2 x - 1) - shift) * scaling,    x = (decoder(z / scaling + shift) + 1) / 2

Needs the extra ppgn[diffusers], which is imported only here and only when asked for.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ppgn.pretrained.generators import ImageGenerator, generator
from ppgn.types import Prior


class LatentAutoencoder(nn.Module):
    """z (B, C, H/f, W/f), scaled to a spread of about 1 -> x (B, 3, H, W) in about [-1, 1]; `encode` goes back."""

    def __init__(self, network: nn.Module, scaling: float, shift: float):
        super().__init__()
        self.network, self.scaling, self.shift = network, scaling, shift
        self.settings = {"scaling": scaling, "shift": shift}

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> the most likely latent, scaled: an encoder for `ppgn.priors.joint`."""
        network: Any = self.network
        mode: Tensor = network.encode(2 * x - 1).latent_dist.mode()
        return (mode - self.shift) * self.scaling

    def forward(self, z: Tensor) -> Tensor:
        """Latents -> images in about [-1, 1]."""
        network: Any = self.network
        x: Tensor = network.decode(z / self.scaling + self.shift).sample
        return x


def latent_decoder(
    autoencoder: nn.Module | str, size: int | tuple[int, int], *, subfolder: str = "", prior: Prior | None = None
) -> ImageGenerator:
    """diffusers' AutoencoderKL as a generator of images of one size; `.network` is its `LatentAutoencoder`.

    autoencoder   the network, or the name of a repository or folder that `AutoencoderKL.from_pretrained` knows
    size          side, or height and width, of the images, multiples of what the autoencoder shrinks by
    subfolder     of the repository, as "vae"
    prior         of the scaled latents; None: standard normals, which decode to texture: diffusion is their real prior

    Raises ImportError without the extra, TypeError for another network, ValueError for a size that does not fit.
    """
    kind = _autoencoder_kl()
    if isinstance(autoencoder, str):
        autoencoder = kind.from_pretrained(autoencoder, subfolder=subfolder, use_safetensors=True)
    if not isinstance(autoencoder, kind):
        raise TypeError(f"autoencoder must be diffusers' AutoencoderKL or a name, got {type(autoencoder).__name__}")
    config: Any = autoencoder.config
    factor = 2 ** (len(config.block_out_channels) - 1)
    height, width = (size, size) if isinstance(size, int) else size
    if height % factor or width % factor:
        raise ValueError(f"size must be a multiple of {factor} on both sides, got {height}x{width}")
    network = LatentAutoencoder(autoencoder, config.scaling_factor, config.shift_factor or 0.0)
    latent_shape = (config.latent_channels, height // factor, width // factor)
    return generator(network, latent_shape=latent_shape, prior=prior, clip=True)


def _autoencoder_kl() -> Any:
    try:
        from diffusers import AutoencoderKL
    except ImportError as error:
        raise ImportError("latent_decoder needs diffusers: pip install 'ppgn[diffusers]'") from error
    return AutoencoderKL
