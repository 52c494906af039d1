"""From a bundle's description to a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import torch
from torch import nn

from ppgn import files, models, priors, samplers
from ppgn.conditions import unconditional
from ppgn.models.autoregressive_generator import AutoregressiveNetwork
from ppgn.pipeline import Pipeline
from ppgn.pretrained.catalogue import WEIGHTS, bundle, network
from ppgn.pretrained.classifiers import classifier
from ppgn.types import Density, Prior, Sampler, Shaped

KERNELS: dict[str, Callable[..., Sampler[Any]]] = {
    "annealed": samplers.annealed,
    "mala_approx": samplers.mala_approx,
    "rejection": samplers.rejection,
}
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
    settings     arguments of the variant's sampler that replace the recommended ones: of `annealed` or of
                 `mala_approx`, where another mode starts from the authors' own
    batch_size   see `ppgn.Pipeline`

    The networks are frozen and in eval mode. Raises ValueError for an unknown name or variant (listing those there
    are) or a setting that the variant's sampler does not take, DamagedFileError for altered weights.

    >>> load("mnist").latent_shape
    (128,)
    """
    described = bundle(name)
    if not described["variants"]:
        raise ValueError(f"{name} is no whole pipeline: {described['needs']}")
    chosen = described["default"] if variant is None else variant
    if chosen not in described["variants"]:
        raise ValueError(f"variant of {name} must be one of {', '.join(described['variants'])}, got {variant!r}")
    parts = described["variants"][chosen]
    recommended = _recommended(described, chosen, settings or {})
    generator = _generator(name, parts["generator"]).to(device)
    return Pipeline(
        generator=generator,
        prior=_prior(name, parts["prior"], generator, device),
        condition=unconditional(),
        classifier=_classifier(name, described).to(device),
        latent_shape=tuple(described["latent_shape"]),
        start=_start(name, described, {**parts["sampler"], **(settings or {})}.get("sigma_max", 0.0)),
        sampler=recommended,
        batch_size=batch_size,
        origin={"model": name, "variant": chosen},
    )


def _generator(name: str, part: str) -> nn.Module:
    """The bundle's network as it is, or as a function of the noise that its images are drawn with."""
    found = network(name, part)
    return models.AutoregressiveGenerator(found).eval() if isinstance(found, AutoregressiveNetwork) else found


def _classifier(name: str, described: Mapping[str, Any]) -> nn.Module:
    """The condition network, the bundle's own or another's, with its classes' names where they are no numbers."""
    found = network(described.get("classifier", name), "classifier")
    names = described.get("class_names", ())
    return classifier(found, class_names=names) if names else found


def _prior(name: str, described: Mapping[str, Any], generator: nn.Module, device: torch.device | str) -> Prior:
    kind = described["kind"]
    if kind == "joint":
        encoder = network(name, described["encoder"])
        assert isinstance(encoder, models.ConvClassifier)
        return priors.joint(models.Encoder(encoder).to(device).eval())
    if kind == "dae":
        denoiser = network(name, described["denoiser"]).to(device)
        return priors.dae(
            denoiser, described["sigma"], isinstance(denoiser, models.LadderDenoiser | models.ConvLadderDenoiser)
        )
    if kind == "discriminator":
        return priors.discriminator(network(name, described["discriminator"]).to(device), generator)
    if kind == "gaussian":
        assert isinstance(generator, Shaped)
        return priors.gaussian(tuple(generator.latent_shape))
    return priors.none()


def _recommended(
    described: Mapping[str, Any], variant: str, others: Mapping[str, Any]
) -> Callable[[Pipeline], Sampler[Any]]:
    """The variant's sampler with `others` for its own settings."""
    walks = {name: parts["sampler"] for name, parts in described["variants"].items()}
    kind = walks[variant]["kind"]
    taken = [name for name in signature(KERNELS[kind]).parameters if name != "pipeline"]
    for name in others:
        if name not in taken:
            fitting = [v for v, walk in walks.items() if name in signature(KERNELS[walk["kind"]]).parameters]
            rather = f"; choose a variant whose sampler takes it: {', '.join(fitting)}" if fitting else ""
            raise ValueError(f"variant {variant} walks by {kind}, which takes {', '.join(taken)}, not {name}{rather}")
    settings = {name: value for name, value in walks[variant].items() if name != "kind"}
    if "mode" in settings and others.get("mode", settings["mode"]) != settings["mode"]:
        settings = RELEASED if others["mode"] == "released" else {**RELEASED, "mode": others["mode"]}
    return lambda pipeline: KERNELS[kind](pipeline, **{**settings, **others})


def _start(name: str, described: Mapping[str, Any], sigma: float) -> Density | None:
    """Independent normals with the mean and spread of real images' codes under noise of standard deviation sigma;
    None where the prior is what codes are drawn from."""
    path = WEIGHTS / name / "codes.safetensors"
    if path.name not in described["sha256"]:
        return None
    codes, _ = files.read_tensors(path, described["sha256"][path.name])
    return priors.gaussian(tuple(described["latent_shape"]), codes["mean"], (codes["std"] ** 2 + sigma**2).sqrt())
