"""Anybody's generator: a function from codes to images in any range becomes x = G(h) in [0, 1], with its prior.

g = ppgn.pretrained.generator(network, latent_shape=(100,))
samples = ppgn.sample(ppgn.Pipeline(g, condition=...), n=16, steps=1000, seed=0, sampler="mala")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ppgn import priors
from ppgn.checks import require_eval
from ppgn.pretrained.states import frozen, load_weights, unshared
from ppgn.random import streams
from ppgn.records import of_device
from ppgn.types import Density, Prior

PROBES = 4  # codes that a generator is tried on
SLACK = 1e-3  # of the declared range: what resizing or half precision may add


class ImageGenerator(nn.Module):
    """h (B, *latent_shape) -> x (B, C, H, W) in [0, 1]: a network's output in `value_range`, stretched and clipped.

    latent_shape   shape of one code
    prior          what its codes are drawn from; a `Pipeline` takes both from here
    """

    latent_shape: tuple[int, ...]
    prior: Prior

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        latent_shape: tuple[int, ...],
        value_range: tuple[float, float],
        prior: Prior,
    ):
        super().__init__()
        self.network, self.latent_shape, self.value_range = network, latent_shape, value_range
        vars(self)["prior"] = prior  # beside the module tree: a prior that is a network stays as it is
        device, dtype = of_device(network)  # for networks without weights, as functions
        self.register_buffer("place", torch.empty(0, device=device, dtype=dtype), persistent=False)
        self.settings = {"value_range": list(value_range)}

    def forward(self, h: Tensor) -> Tensor:
        """(B, *latent_shape) -> (B, C, H, W) in [0, 1]."""
        low, high = self.value_range
        return ((self.network(h) - low) / (high - low)).clamp(0, 1)


def generator(
    module: Callable[[Tensor], Tensor],
    *,
    latent_shape: tuple[int, ...],
    value_range: tuple[float, float] = (-1.0, 1.0),
    prior: Prior | None = None,
    weights: Path | str | Mapping[str, Tensor] | None = None,
    clip: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> ImageGenerator:
    """A network of anybody's, h (B, *latent_shape) -> (B, C, H, W) with C 1 or 3, as a generator.

    latent_shape   shape of one code
    value_range    (low, high): what black and white are in its output
    prior          of its codes; None: independent standard normals, what most networks were trained with
    weights        a file or tensors by name to fill a copy of the network with first, as `load_weights` does
    clip           whether values outside value_range are to be expected and cut off, as of networks that end without
                   tanh or sigmoid; then nothing is said of the range that they are seen in
    device, dtype  of the codes that a function takes; None: the CPU and float32. A module's are those of its weights

    A module is copied, in eval mode and without gradients for its weights, and the copy shares their memory; it stays
    as it is. Any other function is taken as it is.

    The network is tried on a few draws of the prior, or standard normals for one that only knows a score. Raises
    ValueError for images of another shape, values that are not finite or not in the range declared, networks whose
    images are not a function of their codes row by row, a prior in train mode, or a device for a module with weights;
    TypeError for weights without a module, an output that is no tensor or a latent_shape that is no tuple.

    >>> network = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    >>> g = generator(network, latent_shape=(8,))
    >>> g(torch.zeros(2, 8)).shape, network.training
    (torch.Size([2, 1, 8, 8]), True)
    """
    low, high = value_range
    if not low < high:
        raise ValueError(f"value_range must be (low, high) with low < high, got {value_range}")
    if weights is not None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"weights need a torch module to be filled, got {type(module).__name__}")
        module = load_weights(unshared(module), weights)
    network = frozen(module) if isinstance(module, nn.Module) else module
    return tried(network, latent_shape, (low, high), prior, clip, device, dtype)


def tried(
    network: Callable[[Tensor], Tensor],
    latent_shape: tuple[int, ...],
    value_range: tuple[float, float],
    prior: Prior | None,
    clip: bool,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> ImageGenerator:
    """`generator` of a network that is frozen already, or a function."""
    if not isinstance(latent_shape, tuple | list):
        raise TypeError(f"latent_shape must be a tuple, as ({latent_shape},), got {latent_shape!r}")
    require_eval(prior, "prior")
    shape = tuple(latent_shape)
    made = ImageGenerator(network, shape, value_range, priors.gaussian(shape) if prior is None else prior).eval()
    if device is not None or dtype is not None:
        if any(True for _ in made.parameters()):
            raise ValueError("device and dtype are for functions; a module with weights is moved by its own .to")
        made.to(device=device, dtype=dtype)
    _check(made, clip)
    return made


@torch.no_grad()
def _check(made: ImageGenerator, clip: bool) -> None:
    """Try it on draws of its prior; see `generator`. A network that draws noise of its own does so unseen."""
    rng, (device, dtype) = streams(0, PROBES), of_device(made)
    if isinstance(made.prior, Density):
        h = made.prior.sample(PROBES, rng)
    else:
        h = rng.normal(torch.empty((PROBES, *made.latent_shape)), 0, "prior")
    if h.shape[1:] != made.latent_shape:
        raise ValueError(f"prior must give codes of latent_shape {made.latent_shape}, got {tuple(h.shape[1:])}")
    h = h.to(device, dtype)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        x = made.network(h)
        _check_shape(x)
        alone = made.network(h[:1])
    _check_values(x, made.value_range, clip)
    low, high = made.value_range
    if not torch.allclose(alone, x[:1], atol=SLACK * (high - low), rtol=SLACK):
        raise ValueError(
            "the generator must give the same image for a code at each call and beside any others, but the first of "
            f"{PROBES} codes gave another one alone (noise drawn inside, or statistics of the batch?)"
        )


def _check_shape(x: object) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"the generator must return a tensor of images, got {type(x).__name__}; wrap it in a function")
    if x.ndim != 4 or x.shape[0] != PROBES or x.shape[1] not in (1, 3):
        raise ValueError(
            f"the generator must give images (B, C, H, W) with C 1 or 3, B = {PROBES} codes, got {tuple(x.shape)}"
        )


def _check_values(x: Tensor, value_range: tuple[float, float], clip: bool) -> None:
    low, high = value_range
    if not bool(x.isfinite().all()):
        raise ValueError("the generator must give finite images, got NaN or infinity for draws of the prior")
    least, most = float(x.min()), float(x.max())
    slack = SLACK * (high - low)
    found = f"images of {PROBES} codes lie in [{least:.3g}, {most:.3g}]"
    if clip:
        return
    if least >= 0 and most <= 1 and (low < 0 or high > 1):
        raise ValueError(
            f"value_range ({low:g}, {high:g}) was declared, but {found}; give value_range=(0, 1), or clip=True if "
            "that is its range all the same"
        )
    if least < low - slack or most > high + slack:
        raise ValueError(
            f"value_range ({low:g}, {high:g}) was declared, but {found}; declare theirs, or cut them off by clip=True"
        )
