"""Two families of GAN whose codes have more to them than standard normals: BigGAN-deep and StyleGAN, with truncation.

g = ppgn.pretrained.biggan("biggan-deep-256.safetensors", truncation=0.5)
g = ppgn.pretrained.stylegan(mapping, synthesis, latent_shape=(512,), psi=0.7, space="w")
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ppgn import models, priors
from ppgn.models.biggan import BLOCKS
from ppgn.pretrained.generators import ImageGenerator, generator, tried
from ppgn.pretrained.states import frozen, load_weights, read_state
from ppgn.priors import TruncatedGaussian
from ppgn.random import streams
from ppgn.records import of_device
from ppgn.types import Density

PART = 256  # codes mapped at a time


def biggan(weights: Path | str | Mapping[str, Tensor], *, truncation: float = 1.0) -> ImageGenerator:
    """BigGAN-deep from weights in the layout of pytorch-pretrained-biggan: codes of z and a class's embedding, one.

    truncation   t in (0, 1]: less variety for better images; the batch norms use what was measured there

    Its size is seen from the weights. The prior is `biggan_codes`; `g.network.embedding(7)` is a class's part of a
    code. Raises as `load_weights`, and ValueError for weights of no known size.
    """
    state = without_spectral_norms(dict(weights) if isinstance(weights, Mapping) else read_state(weights))
    sizes = {len(listed): size for size, listed in BLOCKS.items()}
    blocks = sum(name.endswith("conv_0.bias") for name in state)
    needed = "embeddings.weight", "generator.bn.running_means"
    if blocks not in sizes or any(name not in state for name in needed):
        raise ValueError(
            f"weights must hold {' and '.join(needed)} and {', '.join(map(str, sizes))} blocks for "
            f"{', '.join(map(str, sizes.values()))} pixels, as pytorch-pretrained-biggan's do, got {blocks} blocks"
        )
    (latent, classes), (steps, width) = (state[name].shape for name in needed)
    with torch.device("meta"):
        empty = models.BigGANDeep(sizes[blocks], truncation, latent, width, classes, steps)
    network = load_weights(empty.to_empty(device="cpu"), state)
    return generator(
        network, latent_shape=network.latent_shape, value_range=(0.0, 1.0), prior=biggan_codes(network)
    )  # fmt: skip


def biggan_codes(network: nn.Module, label: int | None = None, spread: float = 1.0) -> TruncatedGaussian:
    """What codes (2 latent,) of a `BigGANDeep` are drawn from: a normal cut off for z, one fitted to the embeddings.

    label    a class that the embeddings lie around, in place of their mean: where a walk to that class may start
    spread   of the embeddings' normal, in units of their own standard deviation

    Raises TypeError for another network, ValueError for a label that is none.
    """
    if not isinstance(network, models.BigGANDeep):
        raise TypeError(f"biggan_codes needs a BigGANDeep, got {type(network).__name__}")
    table = network.embeddings.weight.detach().T
    if label is not None and not 0 <= label < len(table):
        raise ValueError(f"label must lie in 0..{len(table) - 1}, the network has {len(table)} classes, got {label}")
    zeros = torch.zeros_like(table[0])
    return priors.truncated_gaussian(
        network.latent_shape,
        torch.cat([zeros + 2, zeros + math.inf]),
        torch.cat([zeros, table.mean(0) if label is None else table[label]]),
        torch.cat([zeros + network.config["truncation"], spread * table.std(0)]),
    )


def without_spectral_norms(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """NAME.weight_orig, weight_u and weight_v as NAME.weight, divided by the norm u W v that they had in eval mode."""
    plain = {name: value for name, value in state.items() if name.rpartition(".")[2] not in ("weight_u", "weight_v")}
    for name in [name for name in plain if name.endswith(".weight_orig") and f"{name[:-5]}_v" in state]:
        weight, stem = plain.pop(name), name.removesuffix("_orig")
        norm = state[f"{stem}_u"] @ (weight.flatten(1) @ state[f"{stem}_v"])
        plain[stem] = weight / norm
    return plain


def stylegan(
    mapping: Callable[[Tensor], Tensor],
    synthesis: Callable[[Tensor], Tensor],
    *,
    latent_shape: tuple[int, ...],
    psi: float = 1.0,
    space: Literal["z", "w"] = "z",
    value_range: tuple[float, float] = (-1.0, 1.0),
    draws: int = 4096,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> ImageGenerator:
    """A StyleGAN's two networks as one generator: z -> w -> mean w + psi (w - mean w) -> x.

    mapping        z (B, *latent_shape) -> w (B, D), or (B, layers, D) where a w is repeated for each layer
    synthesis      w as the mapping gives it -> images in value_range; what lies outside is cut off
    psi            truncation towards the mean of w, 1 for none
    space          what a code is: "z", standard normal, or "w" itself, one for all layers if they are repeated, with a
                   normal fitted to it as the prior
    draws, seed    of the z that the mean, and the normal, are measured by
    device, dtype  of the codes, where both networks are functions; None: the CPU and float32

    In NVIDIA's networks: `lambda z: G.mapping(z, None)` and `lambda w: G.synthesis(w, noise_mode="const")`, G in eval
    mode, with device="cuda" if it is there. Raises as `generator`, and ValueError for another space, a psi that is not
    positive or, in w, units that do not vary.
    """
    if space not in ("z", "w"):
        raise ValueError(f"space must be 'z' or 'w', got {space!r}")
    if not psi > 0:
        raise ValueError(f"psi must be positive, got {psi}")
    mapping, synthesis = (frozen(one) if isinstance(one, nn.Module) else one for one in (mapping, synthesis))
    place = of_device(synthesis) if not isinstance(mapping, nn.Module) else of_device(mapping)
    place = (torch.device(device) if device is not None else place[0], dtype or place[1])
    prior: Density = priors.gaussian(tuple(latent_shape))
    w = _mapped(mapping, prior, draws, seed, place)
    if space == "z":
        styled = _Style(mapping, synthesis, w.mean(0), psi)
        return tried(styled.eval(), latent_shape, value_range, prior, True, None, None)
    layers = w.shape[1] if w.ndim == 3 and bool((w == w[:, :1]).all()) else None
    w = w if layers is None else w[:, 0]
    styled = _Style(None, synthesis, w.mean(0), psi, layers)
    dead = int((~(w.std(0) > 0)).sum())
    if dead:
        raise ValueError(
            f"every unit of w must vary to have a normal fitted, but {dead} of {w[0].numel()} do not; use space='z'"
        )
    fitted, shape = priors.gaussian(tuple(w.shape[1:]), w.mean(0), w.std(0)), tuple(w.shape[1:])
    return tried(styled.eval(), shape, value_range, fitted, True, None, None)


@torch.no_grad()
def _mapped(
    mapping: Callable[[Tensor], Tensor], prior: Density, draws: int, seed: int, place: tuple[torch.device, torch.dtype]
) -> Tensor:
    """w (draws, ...) of draws of z."""
    z = prior.sample(draws, streams(seed, draws)).to(*place)
    return torch.cat([mapping(part) for part in z.split(PART)])


class _Style(nn.Module):
    """Codes -> w -> truncated -> images."""

    mean: Tensor

    def __init__(
        self,
        mapping: Callable[[Tensor], Tensor] | None,
        synthesis: Callable[[Tensor], Tensor],
        mean: Tensor,
        psi: float,
        layers: int | None = None,
    ):
        super().__init__()
        self.mapping, self.synthesis, self.psi, self.layers = mapping, synthesis, psi, layers
        self.settings = {"psi": psi, "layers": layers}
        self.register_buffer("mean", mean)

    def forward(self, h: Tensor) -> Tensor:
        """(B, *latent) -> images in the synthesis network's range."""
        w = h if self.mapping is None else self.mapping(h)
        w = self.mean + self.psi * (w - self.mean)
        return self.synthesis(w if self.layers is None else w[:, None].expand(-1, self.layers, -1))
