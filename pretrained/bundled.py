"""From a bundle's description to a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ppgn import files, models, priors, samplers
from ppgn.conditions import unconditional
from ppgn.pipeline import Pipeline
from ppgn.pretrained.catalogue import WEIGHTS, bundle, network
from ppgn.types import Density, Prior, Sampler

RELEASED = {"mode": "released", "eps_prior": 1e-5, "eps_condition": 1.0, "eps_noise": 1e-17, "step_size": 1.0}


def load(
    name: str,
    variant: str | None = None,
    *,
    device: torch.device | str = "cpu",
    settings: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
) -> Pipeline:
    """A bundled pipeline, offline: generator, prior, classifier, start and recommended sampler; no condition yet.

    variant      one of the bundle's (`ppgn models` lists them), None for its default
    settings     arguments of `mala_approx` that replace the recommended ones; another mode starts from the authors' own
    batch_size   see `ppgn.Pipeline`

    The networks are frozen and in eval mode. Raises ValueError for an unknown name or variant (listing those there
    are), DamagedFileError for altered weights.

    >>> load("mnist").latent_shape
    (128,)
    """
    described = bundle(name)
    chosen = described["default"] if variant is None else variant
    if chosen not in described["variants"]:
        raise ValueError(f"variant of {name} must be one of {', '.join(described['variants'])}, got {variant!r}")
    parts = described["variants"][chosen]
    return Pipeline(
        generator=network(name, parts["generator"]).to(device),
        prior=_prior(name, parts["prior"], device),
        condition=unconditional(),
        classifier=network(name, "classifier").to(device),
        latent_shape=tuple(described["latent_shape"]),
        start=_start(name, described),
        sampler=_recommended(parts["sampler"], settings or {}),
        batch_size=batch_size,
        origin={"model": name, "variant": chosen},
    )


def _prior(name: str, described: Mapping[str, Any], device: torch.device | str) -> Prior:
    if described["kind"] == "joint":
        encoder = network(name, described["encoder"])
        assert isinstance(encoder, models.ConvClassifier)
        return priors.joint(models.Encoder(encoder).to(device).eval())
    if described["kind"] == "dae":
        return priors.dae(network(name, described["denoiser"]).to(device), described["sigma"])
    return priors.none()


def _recommended(settings: Mapping[str, Any], others: Mapping[str, Any]) -> Callable[[Pipeline], Sampler[Any]]:
    if others.get("mode", settings["mode"]) != settings["mode"]:
        settings = RELEASED if others["mode"] == "released" else {**RELEASED, "mode": others["mode"]}
    return lambda pipeline: samplers.mala_approx(pipeline, **{**settings, **others})


def _start(name: str, described: Mapping[str, Any]) -> Density:
    """Independent normals with the mean and spread of real images' codes."""
    path = WEIGHTS / name / "codes.safetensors"
    codes, _ = files.read_tensors(path, described["sha256"][path.name])
    return priors.gaussian(tuple(described["latent_shape"]), codes["mean"], codes["std"])
