"""The baseline networks of a folder, NAME/model.safetensors as `ppgn train` writes them, and draws of their images.

The bundles' folder is such a folder too, BUNDLE/NAME.safetensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ppgn import evaluation, files, models
from ppgn.random import streams

PIXELS = ("GatedPixelCNN", "PixelCNN", "RowLSTM", "DiagonalBiLSTM")  # they know log p(x) and draw pixel after pixel
CODED = ("DenseVAE", "VAE")
TOGETHER = 100  # images drawn pixel after pixel at a time


@dataclass(frozen=True)
class Found:
    """A network, what its file tells of its training, and its folder."""

    name: str
    network: nn.Module
    trained: Mapping[str, Any]
    folder: Path

    @property
    def kind(self) -> str:
        """Its architecture, as a class of `ppgn.models`; VAEGAN for a VAE that was trained as one."""
        name = type(self.network).__name__
        return "VAEGAN" if name in CODED and self.trained.get("family") == "vaegan" else name


def networks(folder: Path, kinds: Sequence[str], only: Sequence[str] | None = None) -> list[Found]:
    """Those of these kinds, in this order; of runs, or of the bundles in `WEIGHTS`. FileNotFoundError without any."""
    found = []
    for path in sorted([*folder.glob("*/model.safetensors"), *folder.glob("mnist-*/*.safetensors")]):
        _, header = files.read_tensors(path)
        if (only is None or path.parent.name in only) and header.get("architecture") in models.ARCHITECTURES:
            found.append(Found(path.parent.name, models.load(path), header.get("trained", {}), path.parent))
    chosen = [one for one in found if one.kind in kinds]
    if not chosen:
        raise FileNotFoundError(f"{folder} must hold NAME/model.safetensors of {', '.join(kinds)}, but has none")
    return sorted(chosen, key=lambda one: list(kinds).index(one.kind))


def black_and_white(x: Tensor, seed: int) -> Tensor:
    """Greys (N, C, H, W) as chances of white: what `training.nats(..., binarise_seed=seed)` makes of them."""
    return (streams(seed, len(x)).uniform(x, 0, "binarise") < x).to(x)


def codes(network: nn.Module, n: int, seed: int) -> Tensor:
    """Draws of N(0, 1), (n, *latent), the same first ones for every n."""
    return streams(seed, n).normal(torch.empty(n, *network.latent_shape), 0, "start")


def images_of(network: nn.Module, n: int, seed: int, first: int = 0) -> Tensor:
    """Draws first, first + 1, ... of a network: pixel after pixel, or the (mean) image of a code, (n, C, H, W)."""
    if type(network).__name__ not in PIXELS:
        return evaluation.in_parts(network, codes(network, first + n, seed)[first:])
    way = "cached" if isinstance(network, models.GatedPixelCNN) else "fixed_point"
    classes, parts = network.config.get("classes"), []
    for at in range(first, first + n, TOGETHER):
        size = min(TOGETHER, first + n - at)
        noise = network.likelihood.noise(torch.empty(size, *network.image_shape), streams(seed, size, at))
        label = None if classes is None else torch.arange(at, at + size) % classes
        parts.append(models.draw(network, noise, label, way=way).images)
    return torch.cat(parts)


def kept(path: Path, made_of: Mapping[str, Any], rows: int, more: Callable[[int, int], Tensor], each: int) -> Tensor:
    """`rows` rows of more(first, n), `each` at a time; those that lie in `path` already are not made again.

    A file that is made of something else is written anew.
    """
    done = None
    if path.exists():
        tensors, header = files.read_tensors(path)
        done = tensors["rows"][:rows] if header == made_of else None
    while done is None or len(done) < rows:
        first = 0 if done is None else len(done)
        new = more(first, min(each, rows - first))
        done = new if done is None else torch.cat([done, new])
        files.write_tensors(path, {"rows": done}, made_of)
        print(f"{path}: {len(done)} of {rows}", flush=True)
    return done


def draws(found: Found, n: int, seed: int) -> Tensor:
    """`images_of`; what is drawn pixel after pixel is kept beside the network, for it takes minutes."""
    if found.kind not in PIXELS:
        return images_of(found.network, n, seed)
    made_of = {"weights": files.fingerprint(found.network), "seed": seed}
    path = found.folder / f"drawn-{seed}.safetensors"
    return kept(path, made_of, n, lambda first, rows: images_of(found.network, rows, seed, first), TOGETHER)
