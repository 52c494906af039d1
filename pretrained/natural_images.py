"""Natural images of any size: another's autoencoder as generator and encoder, and a prior on its latents trained here.

    p(z | y) ~ p(z) p(y | G(z)),      G the decoder of TAEF2 (madebyollin/taesd, MIT), z (32, H/8, W/8)

The prior is one convolutional denoiser for all levels of noise (`ppgn.models.ConvLadderDenoiser`), trained on the
latents of CIFAR-10 and ImageNet pictures; or the autoencoder itself is, as E(G(z)) - z: Joint PPGN-h's (Nguyen et al.
2017, Sec. 3.4), which stays near where it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ppgn import models, priors, samplers
from ppgn.pipeline import Pipeline
from ppgn.pretrained.catalogue import network
from ppgn.pretrained.states import frozen, load_weights
from ppgn.types import Sampler

Variant = Literal["annealed", "joint"]
SIGMA_MAX, SIGMA_MIN, LEVELS = 10.0, 0.1, 100  # where a walk begins and ends; not tuned yet
LIMIT = 3.0  # latents of real images lie within
STEP = (0.06, 0.01, 80)  # mean move of a coordinate, falling, of the joint prior's walk


def natural(
    autoencoder: models.TinyAutoencoder | Path | str,
    size: int | tuple[int, int] = 64,
    *,
    variant: Variant = "annealed",
    settings: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
) -> Pipeline:
    """A pipeline for RGB images of `size` (a side, or height and width, multiples of 8); no condition yet.

    autoencoder   TAEF2: a network, or the file of its weights with keys encoder.* and decoder.*
    variant       "annealed": the prior trained here, walked from much noise to little: new images
                  "joint": E(G(z)) - z, walked by the released rule: start at `pipeline.encode` of a real image
    settings      arguments of the variant's sampler (`annealed`, `mala_approx`) in place of the recommended ones

    `pipeline.encode(x)` gives the latents of images. Raises ValueError for sides that are no multiples of 8
    or an unknown variant; FileNotFoundError or DamagedFileError for the file.
    """
    if variant not in get_args(Variant):
        raise ValueError(f"variant must be one of {', '.join(get_args(Variant))}, got {variant!r}")
    if not isinstance(autoencoder, models.TinyAutoencoder):
        autoencoder = load_weights(models.TinyAutoencoder(), autoencoder)
    coder = frozen(autoencoder).to(device)
    shape = coder.code_shape((size, size) if isinstance(size, int) else size)
    denoiser = network("natural", "prior").to(device)
    assert isinstance(denoiser, models.ConvLadderDenoiser)
    start = SIGMA_MAX if variant == "annealed" else 0.0
    encoder = Encoding(coder).eval()
    return Pipeline(
        generator=coder,
        prior=priors.dae(denoiser, SIGMA_MIN, True) if variant == "annealed" else priors.joint(encoder),
        latent_shape=shape,
        start=_latents(denoiser, shape, {"sigma_max": start, **(settings or {})}["sigma_max"]),
        sampler=_walk(variant, settings or {}),
        batch_size=batch_size,
        origin={"model": "natural", "variant": variant},
        encoder=encoder,
    )


class Encoding(nn.Module):
    """x -> z of an autoencoder, as the joint prior asks for it."""

    def __init__(self, autoencoder: models.TinyAutoencoder):
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 32, H/8, W/8)."""
        return self.autoencoder.encode(x)


def _walk(variant: str, settings: Mapping[str, Any]) -> Callable[[Pipeline], Sampler[Any]]:
    if variant == "annealed":
        walk = {"sigma_max": SIGMA_MAX, "sigma_min": SIGMA_MIN, "levels": LEVELS, **settings}
        return lambda pipeline: samplers.annealed(pipeline, **walk)
    released = {
        "eps_prior": 1e-2, "eps_condition": 1.0, "eps_noise": 0.0, "mode": "released",
        "step_size": samplers.linear(*STEP), "bounds": (-LIMIT, LIMIT), **settings,
    }  # fmt: skip
    return lambda pipeline: samplers.mala_approx(pipeline, **released)


def _latents(denoiser: models.ConvLadderDenoiser, shape: tuple[int, ...], sigma: float) -> priors.Gaussian:
    """Independent normals with the mean and spread of real latents' channels under noise of deviation sigma."""
    variance = denoiser.basis.square() @ denoiser.std.square() + sigma**2
    mean, std = (value.view(-1, 1, 1).expand(shape) for value in (denoiser.mean, variance.sqrt()))
    return priors.gaussian(shape, mean, std)
