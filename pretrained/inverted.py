"""Activation maximisation of ImageNet's classes as DGN-AM does it, by a small generator that was trained here.

The generator turns SqueezeNet 1.0's features (its trunk's output, averaged to 4 x 4) back into pictures of 128 pixels:
Dosovitskiy & Brox 2016, with the loss of Noiseless Joint PPGN-h. A code is climbed from there towards a unit of any
classifier of natural images, kept where real codes are (Nguyen et al., NIPS 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ppgn import files, models, priors, samplers
from ppgn.pipeline import Pipeline
from ppgn.pretrained.catalogue import WEIGHTS, bundle, network
from ppgn.types import Sampler

SPREAD, HIGHEST = 0.5, 1.0  # in deviations of real codes: of the first codes; what a unit may be above its mean
STEP = (4.0, 0.04, 60)  # mean move of a coordinate, falling


def squeezenet_inverter(
    *,
    settings: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
) -> Pipeline:
    """A pipeline for RGB pictures of 128 px whose codes (512, 4, 4) are SqueezeNet's features; no condition yet.

    settings     arguments of `activation_max` in place of the recommended ones
    batch_size   see `ppgn.Pipeline`

    There is no learned prior: the walk is DGN-AM's, within what real codes reach. SqueezeNet itself is not needed and
    does not come with it. Raises DamagedFileError for altered weights.

    >>> squeezenet_inverter().latent_shape
    (512, 4, 4)
    """
    generator = network("squeezenet", "inverter").to(device)
    assert isinstance(generator, models.UpconvGenerator)
    path = WEIGHTS / "squeezenet" / "codes.safetensors"
    codes, _ = files.read_tensors(path, bundle("squeezenet")["sha256"][path.name])
    mean, std = codes["mean"], codes["std"]
    return Pipeline(
        generator=generator,
        prior=priors.none(),
        latent_shape=tuple(mean.shape),
        start=priors.gaussian(tuple(mean.shape), mean, SPREAD * std),
        sampler=_climb((mean + HIGHEST * std).to(device), settings or {}),
        batch_size=batch_size,
        origin={"model": "squeezenet", "variant": "dgn-am"},
    )


def _climb(highest: torch.Tensor, settings: Mapping[str, Any]) -> Callable[[Pipeline], Sampler[Any]]:
    walk = {"step_size": samplers.linear(*STEP), "decay": 0.01, "bounds": (0.0, highest), **settings}
    return lambda pipeline: samplers.activation_max(pipeline, **walk)
