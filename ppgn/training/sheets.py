"""Contact sheets: a few images that show, while a network is trained, how far it is.

The codes and the noise come from a generator of numbers with one seed for all epochs, so that one sheet can be laid
beside the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ppgn.data import Batch
from ppgn.images import grid
from ppgn.models.autoregressive import draw
from ppgn.models.pixelcnn import GatedPixelCNN
from ppgn.random import streams
from ppgn.training.loop import Trainer, global_seed

CODES, PAIRS, PIXELS = 64, 32, 16  # images drawn from codes, pairs of a picture and its copy, images pixel by pixel


def contact_sheet(trainer: Trainer[Any], batch: Any, rng: torch.Generator) -> Image.Image:
    """The picture of `trainer.sheet`, networks in eval mode for as long as it takes; nothing else is changed.

    Raises ValueError for a trainer that has none.
    """
    if trainer.sheet is None:
        raise ValueError("the trainer must have a sheet, but this one has none")
    networks = [*trainer.modules.values(), *trainer.results.values()]
    with torch.no_grad(), global_seed(rng), _evaluated(networks):
        return grid(trainer.sheet(batch, rng).float())


def of_codes(generator: Any, batch: Batch, rng: torch.Generator) -> Tensor:
    """Images of standard normal codes, (64, C, H, W); the generator says its `latent_shape`."""
    shape = tuple(generator.latent_shape)
    x: Tensor = generator(
        torch.randn(CODES, *shape, generator=rng, device=batch.images.device, dtype=batch.images.dtype)
    )
    return x


def drawn_pixels(network: Any, batch: Batch, rng: torch.Generator) -> Tensor:
    """Images of an autoregressive network (16, C, H, W), of the batch's labels if it has classes."""
    n = min(PIXELS, len(batch.images))
    noise = network.likelihood.noise(batch.images[:n], streams(rng.initial_seed(), n))
    label = None if network.config.get("classes") is None else batch.labels[:n]
    way = "cached" if isinstance(network, GatedPixelCNN) else "fixed_point"
    return draw(network, noise, label, way).images


def some(images: Tensor) -> Tensor:
    """The first 32."""
    return images[:PAIRS]


def beside(images: Tensor, copies: Tensor) -> Tensor:
    """Each image (N, C, H, W) with its copy after it, (2N, C, H, W)."""
    return torch.stack([images, copies.to(images)], 1).flatten(0, 1)


@contextmanager
def _evaluated(networks: Iterable[nn.Module]) -> Iterator[None]:
    """All in eval mode; afterwards each layer in the mode it was in."""
    flags = [(module, module.training) for network in networks for module in network.modules()]
    try:
        for module, _ in flags:
            module.training = False
        yield
    finally:
        for module, flag in flags:
            module.training = flag
