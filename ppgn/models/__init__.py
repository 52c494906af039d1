"""Networks only. Each says in `config` how to build it again, so that a weights file needs nothing beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ppgn import files
from ppgn.models.autoencoder import TinyAutoencoder
from ppgn.models.autoregressive import draw
from ppgn.models.autoregressive_generator import AutoregressiveGenerator
from ppgn.models.biggan import BigGANDeep
from ppgn.models.bounded import Bounded
from ppgn.models.caffe_layouts import caffenet, deepsim, places205
from ppgn.models.caffe_networks import CaffeGenerator, CaffeNetwork
from ppgn.models.captioner import Captioner
from ppgn.models.classifier import ConvClassifier, Encoder, ResidualClassifier
from ppgn.models.conv_autoencoder import Autoencoder, ImageDenoiser
from ppgn.models.conv_ladder import ConvLadderDenoiser
from ppgn.models.dae import CodeDenoiser
from ppgn.models.dcgan import DCGANGenerator
from ppgn.models.dcgan_discriminator import DCGANDiscriminator
from ppgn.models.dense_vae import DenseVAE
from ppgn.models.discriminator import ConditionalDiscriminator
from ppgn.models.gaussian_vae import VAE, MeanCode
from ppgn.models.ladder import LadderDenoiser
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.pixel_space import PixelSpace
from ppgn.models.pixelcnn import GatedPixelCNN, PixelCNN
from ppgn.models.pixelrnn import DiagonalBiLSTM, RowLSTM
from ppgn.models.residual_generator import ResidualGenerator
from ppgn.models.smoothed import Smoothed
from ppgn.models.upconv import UpconvGenerator
from ppgn.models.vae import ConvVAE, JointVAE

__all__ = [
    "VAE", "Autoencoder", "AutoregressiveGenerator", "Bernoulli", "BigGANDeep", "CaffeGenerator", "CaffeNetwork",
    "Captioner", "Categorical", "CodeDenoiser", "ConditionalDiscriminator", "ConvClassifier", "ConvLadderDenoiser",
    "ConvVAE", "DCGANDiscriminator", "DCGANGenerator", "DenseVAE", "DiagonalBiLSTM", "Encoder", "GatedPixelCNN",
    "ImageDenoiser", "JointVAE", "LadderDenoiser", "LogisticMixture", "MeanCode", "Normal", "PixelCNN", "PixelSpace",
    "ResidualClassifier", "ResidualGenerator", "RowLSTM", "Smoothed", "TinyAutoencoder", "UpconvGenerator", "build",
    "caffenet", "deepsim", "draw", "load", "places205", "save",
]  # fmt: skip

M = TypeVar("M", bound=nn.Module)
SPARE = 2**20  # numbers that a network may need beside those in its file: constants that are not saved

ARCHITECTURES: dict[str, type[nn.Module]] = {
    cls.__name__: cls
    for cls in (
        Autoencoder, BigGANDeep, CaffeGenerator, CaffeNetwork, Captioner, CodeDenoiser, ConditionalDiscriminator,
        ConvClassifier, ConvLadderDenoiser, ConvVAE, DCGANDiscriminator, DCGANGenerator, DenseVAE, DiagonalBiLSTM,
        GatedPixelCNN, ImageDenoiser, JointVAE, LadderDenoiser, PixelCNN, ResidualClassifier, ResidualGenerator,
        RowLSTM, TinyAutoencoder, UpconvGenerator, VAE,
    )
}  # fmt: skip


def build(make: Callable[[], M], seed: int) -> M:
    """Make a network with weights drawn from `seed`, leaving the global generator as it was.

    >>> a, b = (build(lambda: UpconvGenerator(code=8), seed=1) for _ in range(2))
    >>> bool((a.linear.weight == b.linear.weight).all())
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def save(module: nn.Module, path: Path, header: Mapping[str, Any] | None = None) -> None:
    """Write one of our networks as safetensors, its architecture and configuration in the header."""
    described = {"architecture": type(module).__name__, "config": module.config}
    files.write_tensors(path, module.state_dict(), {**described, **(header or {})})


def load(path: Path, checksum: str | None = None, architecture: str | None = None) -> nn.Module:
    """Read a network that `save` wrote: frozen and in eval mode.

    architecture: for a file of other makers, whose header names none: a class of ours, with its default configuration.

    Raises FileNotFoundError; DamagedFileError for a wrong sha256, an unknown architecture or other weights than it
    needs.
    """
    tensors, header = files.read_tensors(path, checksum)
    name = header.get("architecture", architecture)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise files.DamagedFileError(f"{path} must name an architecture of {sorted(ARCHITECTURES)}, got {name!r}")
    try:
        with torch.random.fork_rng(devices=[]), Bounded(sum(t.numel() for t in tensors.values()) + SPARE):
            module = ARCHITECTURES[name](**header.get("config", {}))
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise files.DamagedFileError(f"{path} must have a configuration that {name} takes: {error}") from None
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise files.DamagedFileError(f"{path} must hold the weights of {name}: {error}") from None
    return module.eval().requires_grad_(False)
