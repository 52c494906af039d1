"""From a bundle's description to a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from ppgn import files, models, priors, samplers
from ppgn.conditions import unconditional
from ppgn.models.autoregressive_generator import AutoregressiveNetwork
from ppgn.pipeline import Pipeline
from ppgn.pretrained.catalogue import WEIGHTS, bundle, network
from ppgn.pretrained.classifiers import classifier
from ppgn.types import Density, Prior, Sampler, Schedule, Shaped

KERNELS: dict[str, Callable[..., Sampler[Any]]] = {
    "activation_max": samplers.activation_max,
    "annealed": samplers.annealed,
    "mala_approx": samplers.mala_approx,
    "rejection": samplers.rejection,
}
SCHEDULES: dict[str, type[samplers.linear | samplers.geometric | samplers.redrawn]] = {
    "linear": samplers.linear,
    "geometric": samplers.geometric,
    "redrawn": samplers.redrawn,
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
    settings     arguments of the variant's sampler that replace the recommended ones: of `annealed`, `activation_max`
                 or `mala_approx`, where another mode starts from the authors' own; or as a run's record tells them:
                 {"is": "linear", "start": 4.0, "end": 0.0, "steps": 200}, a tensor as a list
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
    latent_shape = tuple(parts.get("latent_shape", described["latent_shape"]))
    codes = _moments(name, described, "codes.safetensors")
    recommended = _recommended(described, chosen, settings or {}, codes, device)
    generator = _generator(name, parts["generator"], latent_shape).to(device)
    encoder = _encoder(name, described, generator, device)
    return Pipeline(
        generator=generator,
        prior=_prior(name, parts["prior"], generator, encoder, device),
        condition=unconditional(),
        classifier=_classifier(name, described).to(device),
        latent_shape=latent_shape,
        start=_start(
            _moments(name, described, parts["start"]) if "start" in parts else codes,
            latent_shape,
            {**parts["sampler"], **(settings or {})}.get("sigma_max", 0.0),
        ),
        sampler=recommended,
        batch_size=batch_size,
        origin={"model": name, "variant": chosen},
        encoder=encoder,
    )


def fitted(
    described: Mapping[str, Any], variant: str | None, settings: Mapping[str, Any], steps: int
) -> dict[str, Any]:
    """The settings, with a ladder and schedules of the variant's own that end within so many steps; None: its default.

    >>> fitted(bundle("mnist"), "annealed", {"gamma": 2.0}, 50)
    {'levels': 50, 'gamma': 2.0}
    """
    walk = described["variants"].get(variant or described["default"], {"sampler": {}})["sampler"]
    shorter: dict[str, Any] = {}
    if "mode" not in settings:  # another mode brings its own numbers
        for name, value in walk.items():
            if isinstance(value, Mapping) and value.get("steps", 0) > steps:
                shorter[name] = {**value, "steps": max(1, steps)}
    if walk.get("levels", 0) > steps:
        shorter["levels"] = max(1, steps)
    return {**shorter, **settings}


def _generator(name: str, part: str | Mapping[str, Any], latent_shape: tuple[int, ...]) -> nn.Module:
    """The bundle's network as it is, or as a function of the noise that its images are drawn with; {"kind": "pixels"}:
    images as their own codes."""
    if not isinstance(part, str):
        assert part == {"kind": "pixels"}
        channels, height, width = latent_shape
        return models.PixelSpace((channels, height, width)).eval()
    found = network(name, part)
    return models.AutoregressiveGenerator(found).eval() if isinstance(found, AutoregressiveNetwork) else found


def _classifier(name: str, described: Mapping[str, Any]) -> nn.Module:
    """The condition network, the bundle's own or another's, with its classes' names where they are no numbers."""
    found = network(described.get("classifier", name), "classifier")
    names = described.get("class_names", ())
    return classifier(found, class_names=names) if names else found


def _encoder(
    name: str, described: Mapping[str, Any], generator: nn.Module, device: torch.device | str
) -> nn.Module | None:
    """x -> h: the network whose codes the generator inverts, or its own other half; None for a GAN's."""
    if isinstance(generator, models.PixelSpace):
        return generator  # images are their own codes
    if isinstance(generator, models.DenseVAE | models.VAE):
        return models.MeanCode(generator).eval()
    if "encoder" not in described["networks"]:
        return None
    encoder = network(name, "encoder")
    assert isinstance(encoder, models.ConvClassifier)
    return models.Encoder(encoder).to(device).eval()


def _prior(
    name: str, described: Mapping[str, Any], generator: nn.Module, encoder: nn.Module | None, device: torch.device | str
) -> Prior:
    kind = described["kind"]
    if kind == "joint":
        assert encoder is not None
        return priors.joint(encoder)
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
    described: Mapping[str, Any], variant: str, others: Mapping[str, Any], codes: Mapping[str, Tensor] | None,
    device: torch.device | str,
) -> Callable[[Pipeline], Sampler[Any]]:  # fmt: skip
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
    made = {name: _setting(name, value, codes, device) for name, value in {**settings, **others}.items()}
    return lambda pipeline: KERNELS[kind](pipeline, **made)


def _setting(name: str, value: Any, codes: Mapping[str, Tensor] | None, device: torch.device | str) -> Any:
    """A setting as bundles and records tell it, as the sampler takes it: schedules by name, bounds as a pair."""
    if isinstance(value, Mapping):
        return _schedule(name, value)
    if name != "bounds" or not isinstance(value, list | tuple):
        return value
    bounds = [_bound(one, codes) for one in value]
    return tuple(one.to(device) if isinstance(one, Tensor) else one for one in bounds)


def _schedule(name: str, described: Mapping[str, Any]) -> Schedule:
    """{"is": "linear", "start": ..., ...}, as `records.describe` tells it. Raises ValueError for anything else."""
    made = SCHEDULES.get(described.get("is", ""))
    arguments = {argument: value for argument, value in described.items() if argument != "is"}
    if made is None or arguments.keys() != {field.name for field in fields(made)}:
        raise ValueError(
            f'{name} must be a number or a schedule, as {{"is": "linear", "start": 1.0, "end": 0.0, "steps": 200}}, '
            f"geometric or redrawn, got {dict(described)}"
        )
    return made(**arguments)


def _bound(value: Any, codes: Mapping[str, Tensor] | None) -> float | Tensor:
    """A number, one for each of a code's, or {"deviations": 3}: so many above the mean of the unit's real codes."""
    if isinstance(value, Mapping) and codes is not None and value.keys() == {"deviations"}:
        highest: Tensor = codes["mean"] + value["deviations"] * codes["std"]
        return highest
    if isinstance(value, list):
        return torch.tensor(value)
    if isinstance(value, int | float | Tensor):
        return value
    raise ValueError(f'bounds must be numbers, one or one a unit, or {{"deviations": 3}} of real codes, got {value!r}')


def _moments(name: str, described: Mapping[str, Any], of: str | Mapping[str, float]) -> Mapping[str, Any] | None:
    """A mean and a spread: numbers as they are, or what a file holds of real images or of their codes; None where the
    bundle has no such file, since its codes are what the prior is a density of."""
    if not isinstance(of, str):
        return of
    if of not in described["sha256"]:
        return None
    return files.read_tensors(WEIGHTS / name / of, described["sha256"][of])[0]


def _start(moments: Mapping[str, Any] | None, latent_shape: tuple[int, ...], sigma: float) -> Density | None:
    """Independent normals of that mean and spread, the variant's own or those of real images' codes, under noise of
    standard deviation sigma; None where the prior is what codes are drawn from."""
    if moments is None:
        return None
    return priors.gaussian(latent_shape, moments["mean"], (moments["std"] ** 2 + sigma**2) ** 0.5)
