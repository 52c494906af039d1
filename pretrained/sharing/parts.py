"""The parts of a pipeline as JSON and back: records of ours by name and arguments, networks and tensors by reference.

    a prior, condition, schedule   {"is": "dae", "denoiser": ..., "sigma": 0.3, "conditional": true}
    a network                      {"network": "prior.denoiser"}, whose weights are a file of their own
    numbers, text, none, lists     themselves; whole numbers in a tensor {"integers": [7, 7, 3]}
    other tensors                  {"tensor": "start.mean"}, in tensors.safetensors

Nothing but the builders listed here is ever called by what a file says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from numbers import Integral, Real
from operator import attrgetter
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ppgn import conditions, models, priors, samplers
from ppgn.files import DamagedFileError
from ppgn.pipeline import Pipeline
from ppgn.pretrained.classifiers import ImageClassifier
from ppgn.pretrained.encoders import TrunkEncoder
from ppgn.pretrained.ensembles import Ensemble
from ppgn.pretrained.generators import ImageGenerator
from ppgn.pretrained.latents import LatentAutoencoder
from ppgn.pretrained.natural_images import Encoding
from ppgn.pretrained.preprocessing import Preprocessing
from ppgn.pretrained.sharing import kinds
from ppgn.types import Density, Sampler


class Known(NamedTuple):
    """A record that can be saved: by the arguments of its builder, which are fields of it, or lie `elsewhere` in it."""

    made: type[Any]
    builder: Callable[..., Any]
    elsewhere: Mapping[str, str] = {}


RECORDS: dict[str, Known] = {
    "all_of": Known(conditions.AllOf, conditions.all_of),
    "any_of": Known(conditions.AnyOf, conditions.any_of),
    "caption": Known(conditions.Caption, conditions.caption),
    "class_label": Known(conditions.ClassLabel, conditions.class_label),
    "complement": Known(conditions.Complement, conditions.complement),
    "composited": Known(priors.Composited, priors.composited),
    "dae": Known(priors.DAE, priors.dae),
    "discriminator": Known(
        priors.DiscriminatorPrior,
        priors.discriminator,
        {"discriminator": "realism.discriminator", "ceiling": "realism.ceiling"},
    ),
    "gaussian": Known(priors.Gaussian, priors.gaussian),
    "geometric": Known(samplers.geometric, samplers.geometric),
    "in_turn": Known(conditions.InTurn, conditions.in_turn),
    "inpaint": Known(conditions.Inpaint, conditions.inpaint),
    "joint": Known(priors.Joint, priors.joint),
    "linear": Known(samplers.linear, samplers.linear),
    "mixture": Known(conditions.Mixture, conditions.mixture),
    "none": Known(priors.NoPrior, priors.none),
    "pixelcnn": Known(priors.PixelDensity, priors.pixelcnn),
    "preprocessing": Known(Preprocessing, Preprocessing),
    "realism": Known(conditions.Realism, conditions.realism),
    "redrawn": Known(samplers.redrawn, samplers.redrawn),
    "region": Known(conditions.Region, conditions.region),
    "regression": Known(conditions.Regression, conditions.regression),
    "segmentation": Known(conditions.Segmentation, conditions.segmentation),
    "soft_label": Known(conditions.SoftLabel, conditions.soft_label),
    "text": Known(conditions.Text, conditions.text),
    "truncated_gaussian": Known(
        priors.TruncatedGaussian, priors.truncated_gaussian, {"mean": "normal.mean", "std": "normal.std"}
    ),
    "unconditional": Known(conditions.Unconditional, conditions.unconditional),
    "unit": Known(conditions.Unit, conditions.unit),
    "vae": Known(priors.EvidenceBound, priors.vae),
    "views": Known(conditions.Views, conditions.views),
}
# networks around a network: made again by their arguments, and only what is inside has a file
ADAPTERS: dict[str, type[nn.Module]] = {
    cls.__name__: cls
    for cls in (
        Encoding, Ensemble, ImageClassifier, ImageGenerator, LatentAutoencoder, TrunkEncoder, models.Encoder,
        models.AutoregressiveGenerator, models.MeanCode, models.PixelSpace,
    )
}  # fmt: skip
KERNELS: dict[str, Callable[..., Sampler[Any]]] = {
    "activation_max": samplers.activation_max,
    "annealed": samplers.annealed,
    "best_of_n": samplers.best_of_n,
    "isir": samplers.isir,
    "mala": samplers.mala,
    "mala_approx": samplers.mala_approx,
    "rejection": samplers.rejection,
    "smc": samplers.smc,
    "ula": samplers.ula,
}


@dataclass(frozen=True)
class Kept:
    """What a description refers to, by name: networks and tensors. `encode` fills it, `decode` reads it.

    sources   of the networks that a library makes by name: {"source": "torchvision/resnet18", "classes": 1000}
    """

    networks: dict[str, nn.Module] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


def encode(value: Any, name: str, kept: Kept) -> Any:
    """`value`, called `name` in what is told, as JSON; its networks and tensors are put into `kept`.

    Raises TypeError naming what cannot be saved.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Real):  # numpy's numbers too
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Tensor):
        return _encode_tensor(value, name, kept)
    if isinstance(value, list | tuple | nn.ModuleList):
        return [encode(one, f"{name}.{i}", kept) for i, one in enumerate(value)]
    for kind, known in RECORDS.items():
        if type(value) is known.made:
            return {"is": kind} | {
                argument: encode(_field(value, known, argument), f"{name}.{argument}", kept)
                for argument in signature(known.builder).parameters
            }
    for kind, adapter in ADAPTERS.items():
        if type(value) is adapter:
            described = {
                argument: encode(getattr(value, argument), name, kept) for argument in signature(adapter).parameters
            }
            if isinstance(value, ImageClassifier) and value.source:
                kept.sources[described["network"]["network"]] = {"source": value.source, "classes": value.classes}
            return {"is": kind, **described}
    if isinstance(value, nn.Module):
        called = next((other for other, network in kept.networks.items() if network is value), name)
        kept.networks[called] = value
        return {"network": called}
    raise TypeError(
        f"{name} must be a network (an nn.Module), a number, a tensor or one of {', '.join(RECORDS)} to be saved, "
        f"got {_called(value)}"
    )


def decode(described: Any, kept: Kept) -> Any:
    """The inverse of `encode`. Raises DamagedFileError for what `encode` never wrote."""
    if isinstance(described, list):
        return tuple(decode(one, kept) for one in described)
    if not isinstance(described, Mapping):
        return described
    if "is" in described:
        builders = {kind: known.builder for kind, known in RECORDS.items()} | ADAPTERS
        builder = _of(builders, described["is"], "part")
        made = builder(**arguments(described, builder, kept))
        return made.eval().requires_grad_(False) if isinstance(made, nn.Module) else made
    if "integers" in described:
        return torch.tensor(described["integers"], dtype=torch.int64)
    if "tensor" in described:
        return _of(kept.tensors, described["tensor"], "tensor")
    return _of(kept.networks, described.get("network"), "network")


def encode_sampler(pipeline: Pipeline, kept: Kept) -> Any:
    """The sampler that the pipeline recommends, built once to be asked for its name and settings; None for none."""
    return None if pipeline.sampler is None else _encode_kernel(pipeline.sampler(pipeline), pipeline, kept)


def decode_sampler(described: Any, kept: Kept) -> Callable[[Pipeline], Sampler[Any]] | None:
    """The inverse of `encode_sampler`. Raises DamagedFileError for another sampler or other arguments than it takes."""
    if described is None:
        return None
    if not isinstance(described, Mapping):
        raise DamagedFileError(f"sampler must be described by its name and settings, got {described!r}")
    if described.get("is") == "cycle":
        inner = [decode_sampler(one, kept) for one in described["samplers"]]
        return lambda pipeline: samplers.cycle(*(build(pipeline) for build in inner if build is not None))
    if described.get("is") == "restarting":
        lap, every, start = (described[name] for name in ("sampler", "every", "start"))
        each, beginning = decode_sampler(lap, kept), decode(start, kept)
        if each is None:
            raise DamagedFileError("restarting must have a sampler for its laps, got none")
        kinds.require(every, int, "every of restarting")
        kinds.require(beginning, Density, "start of restarting")
        return lambda pipeline: samplers.restarting(each(pipeline), every, beginning)
    builder = _of(KERNELS, described.get("is"), "sampler")
    settings = arguments(described, builder, kept)
    return lambda pipeline: builder(pipeline, **settings)


def arguments(described: Mapping[str, Any], builder: Callable[..., Any], kept: Kept) -> dict[str, Any]:
    """What a builder is called with: all it needs, and nothing that it does not take, `pipeline` aside."""
    taken = {name: one for name, one in signature(builder).parameters.items() if name != "pipeline"}
    given = {name: value for name, value in described.items() if name != "is"}
    needed = {name for name, one in taken.items() if one.default is Parameter.empty}
    if given.keys() - taken.keys() or needed - given.keys():
        raise DamagedFileError(
            f"{described['is']} must be described by {', '.join(taken) or 'nothing'}, got {', '.join(given)}"
        )
    made = {name: decode(value, kept) for name, value in given.items()}
    for name, value in made.items():
        kinds.require(value, kinds.asked(builder)[name], f"{name} of {described['is']}")
    return made


def _encode_kernel(kernel: Sampler[Any], pipeline: Pipeline, kept: Kept) -> Any:
    described = _walk(kernel.name, kernel.settings, kept)
    rebuilt = decode_sampler(described, kept)
    if rebuilt is None or rebuilt(pipeline).exact != kernel.exact:
        raise TypeError(f"sampler must be the {kernel.name} of ppgn.samplers to be saved, got another of that name")
    return described


def _walk(name: str, settings: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """A sampler by its name and settings, those inside it too."""
    if name == "cycle":
        inner = [one for key, one in settings.items() if key != "name"]
        return {"is": name, "samplers": [_walk(one["name"], one, kept) for one in inner]}
    if name == "restarting":
        if settings["laps"] is not None:
            raise TypeError("restarting must have one sampler for all laps to be saved, not a function of the lap")
        lap, start = settings["sampler"], encode(settings["start"], "the sampler's start", kept)
        return {"is": name, "sampler": _walk(lap["name"], lap, kept), "every": settings["every"], "start": start}
    if name not in KERNELS:
        known = f"{', '.join(KERNELS)}, or a cycle or restarts of them"
        raise TypeError(f"sampler must be one of {known}, to be saved, got {name!r}")
    return {"is": name, **_settings(settings, kept)}


def _settings(settings: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    return {name: encode(value, f"the sampler's {name}", kept) for name, value in settings.items() if name != "name"}


def _field(value: Any, known: Known, argument: str) -> Any:
    return attrgetter(known.elsewhere.get(argument, argument))(value)


def _encode_tensor(value: Tensor, name: str, kept: Kept) -> dict[str, Any]:
    if value.dtype == torch.int64 and value.ndim <= 1:  # labels, to be read by people
        return {"integers": value.tolist()}
    kept.tensors[name] = value
    return {"tensor": name}


def _of(known: Mapping[str, Any], name: Any, what: str) -> Any:
    if not isinstance(name, str) or name not in known:
        raise DamagedFileError(f"{what} must be one of {', '.join(known)}, got {name!r}")
    return known[name]


def _called(value: Any) -> str:
    """A function by its name, anything else by its class."""
    if isinstance(value, MethodType):
        return f"the method {value.__qualname__}; give a module whose forward calls it"
    return f"the function {value.__qualname__}" if isinstance(value, FunctionType) else f"a {type(value).__name__}"
