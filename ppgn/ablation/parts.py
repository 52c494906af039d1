"""From a setting to the pipeline that it walks: networks by name, file or brought along, and the step's rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ppgn import data, files, models, pretrained, priors, records, samplers
from ppgn.ablation.axes import Value
from ppgn.pipeline import Pipeline
from ppgn.pretrained.bundled import fitted

TOGETHER = 100  # chains evaluated at a time: faster than all on one core
EPSILONS = ("eps_prior", "eps_condition", "eps_noise")
NUMBERS = ("mode", *EPSILONS, "step_size", "gamma", "sigma_max", "sigma_min", "corrector")
LADDERS = (models.LadderDenoiser, models.ConvLadderDenoiser)


@dataclass(frozen=True)
class Given:
    """What the caller brings to the names of a design.

    parts    pipelines and networks by the names that the axes call them
    images   labelled real ones, where chains with start = "real" begin
    """

    parts: Mapping[str, Pipeline | nn.Module] = field(default_factory=dict)
    images: data.ImageSet | None = None
    device: torch.device | str = "cpu"


def built(settings: Mapping[str, Value], given: Given) -> Pipeline:
    """The pipeline of a setting, under no condition yet, with its sampler for its own.

    Raises ValueError, TypeError or OSError for names, files and numbers that do not fit.
    """
    numbers = {name: settings[name] for name in NUMBERS if name in settings}
    sampler = settings.get("sampler", "own")
    if sampler != "own" and numbers:
        raise ValueError(f"sampler {sampler} walks with numbers of its own; leave out {', '.join(numbers)}")
    calibrated = numbers.get("mode") == "calibrated"
    if calibrated:
        _require_calibrated(numbers)
    pipeline = _loaded(settings, {} if calibrated else numbers, given)
    if calibrated:
        step_size, gamma = float(numbers["step_size"]), float(numbers.get("gamma", 1.0))
        pipeline = replace(pipeline, sampler=lambda target: samplers.ula(target, step_size, gamma))
    return _swapped(pipeline, settings, given)


def network(name: str, model: str, given: Given) -> nn.Module:
    """A network brought along, of a file that `ppgn train` wrote, or of a bundle: the model's, or as BUNDLE/NETWORK.

    Raises ValueError naming the bundle's, FileNotFoundError, or DamagedFileError.
    """
    found = given.parts.get(name)
    if isinstance(found, nn.Module):
        return pretrained.frozen(found).to(given.device)
    bundle, slash, own = name.rpartition("/")
    bundle = bundle if slash else model
    if bundle not in pretrained.names() or Path(name).is_file() or own.endswith(".safetensors"):
        return models.load(Path(name)).to(given.device)
    return pretrained.network(bundle, own).to(given.device)


def _require_calibrated(numbers: Mapping[str, Value]) -> None:
    if "step_size" not in numbers or not numbers.keys() <= {"mode", "step_size", "gamma"}:
        raise ValueError(
            "mode = calibrated ties the three epsilons to one step_size: it needs that, perhaps gamma, no epsilons; "
            f"got {', '.join(numbers)}"
        )


def _loaded(settings: Mapping[str, Value], numbers: Mapping[str, Value], given: Given) -> Pipeline:
    """The model under its numbers: those of a bundled variant's own walk, or, where a mode is told, of MALA-approx."""
    name, variant = str(settings["model"]), settings.get("variant")
    own = given.parts.get(name)
    if not (isinstance(own, Pipeline) or (name not in pretrained.names() and ("/" in name or Path(name).is_dir()))):
        told = None if variant is None else str(variant)
        described = pretrained.describe(name)
        another = "mode" in numbers and _kind(described, told) != "mala_approx"
        fitting = fitted(described, told, {} if another else numbers, int(settings["steps"]))
        pipeline = pretrained.load(name, told, device=given.device, settings=fitting, batch_size=TOGETHER)
        return _free(pipeline, f"variant {told}", numbers) if another else pipeline
    if variant is not None:
        raise ValueError(f"variants are of bundled models; {name} has none, got variant = {variant}")
    pipeline = own if isinstance(own, Pipeline) else pretrained.from_pretrained(name, device=given.device)
    return _free(pipeline, name, numbers) if numbers else pipeline


def _kind(described: Mapping[str, Any], variant: str | None) -> str | None:
    """The sampler of a bundle's variant by name; None for a variant that there is not, which loading tells."""
    found = described["variants"].get(variant or described["default"])
    return None if found is None else str(found["sampler"]["kind"])


def _free(pipeline: Pipeline, name: str, numbers: Mapping[str, Value]) -> Pipeline:
    """The pipeline walked by MALA-approx. Raises ValueError unless the numbers are all of its epsilons."""
    if not set(EPSILONS) <= numbers.keys() <= {"mode", *EPSILONS, "step_size"}:
        raise ValueError(
            f"{name} walks by MALA-approx if numbers are given: it needs all three epsilons, perhaps a step_size, and "
            f"no gamma, which is of mode = calibrated; got {', '.join(numbers)}"
        )
    rule: Any = dict(numbers)
    return replace(pipeline, sampler=lambda target: samplers.mala_approx(target, **rule))


def _swapped(pipeline: Pipeline, settings: Mapping[str, Value], given: Given) -> Pipeline:
    """The pipeline with the setting's networks in place of its own."""
    model = str(settings["model"])
    chosen = {role: _filled(settings, role) for role in ("classifier", "generator", "denoiser")}
    if chosen["classifier"] != "own":
        pipeline = replace(pipeline, classifier=_classifier(chosen["classifier"], model, given))
    if chosen["generator"] != "own":
        if any(one is pipeline.generator for _, one in records.networks(pipeline.prior)):
            kind = type(pipeline.prior).__name__
            raise ValueError(f"generator can be swapped where the prior is not made of it, which {kind} is")
        pipeline = replace(pipeline, generator=network(chosen["generator"], model, given))
    if chosen["denoiser"] != "own":
        pipeline = replace(pipeline, prior=_denoising(pipeline, chosen["denoiser"], model, given))
    return pipeline


def _filled(settings: Mapping[str, Value], role: str) -> str:
    """The name of the network in a role, with the noise that it was trained under in place of {noise}."""
    name, noise = str(settings.get(role, "own")), settings.get(f"{role}_noise")
    if (noise is None) == ("{noise}" in name):
        raise ValueError(f"{role} = {name} goes with {role}_noise if it has {{noise}} in it, which got {noise}")
    return name if noise is None else name.replace("{noise}", f"{noise:g}")


def _classifier(name: str, model: str, given: Given) -> nn.Module:
    if name.startswith(("torchvision/", "timm/")) and name not in given.parts:
        return pretrained.classifier(name).to(given.device)
    return network(name, model, given)


def _denoising(pipeline: Pipeline, told: str, model: str, given: Given) -> priors.DAE:
    """The prior of another denoiser, at the noise that is told, that its file tells, or that of the pipeline's own."""
    if not isinstance(pipeline.prior, priors.DAE):
        kind = type(pipeline.prior).__name__
        raise ValueError(f"denoiser needs a denoising autoencoder for the prior, as variant ppgn-h has, not {kind}")
    name, _, level = told.partition("@")
    denoiser = network(name, model, given)
    sigma = pipeline.prior.sigma
    if level:
        try:
            sigma = float(level)
        except ValueError:
            raise ValueError(f"denoiser must be NAME or NAME@SIGMA, with a number, got {told!r}") from None
    elif name not in given.parts and Path(name).is_file():
        _, header = files.read_tensors(Path(name))
        sigma = float(header.get("trained", {}).get("sigma", sigma))
    return priors.dae(denoiser, sigma, isinstance(denoiser, LADDERS))
