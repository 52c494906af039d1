"""A network as an entry of a saved pipeline and back, from a description and tensors alone: nothing is downloaded.

ours              {"architecture": "UpconvGenerator", "config": {...}}
anybody's own     {"class": "package.module.Net"}: only its weights are kept, the caller brings the network
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ppgn import files, models
from ppgn.pretrained.classifiers import LIBRARIES
from ppgn.pretrained.states import load_weights, unshared


def describe(network: nn.Module) -> dict[str, Any]:
    """How to make the network again, without its weights."""
    if type(network) in models.ARCHITECTURES.values():
        return {"architecture": type(network).__name__, "config": network.config}
    return {"class": f"{type(network).__module__}.{type(network).__qualname__}"}


def write(network: nn.Module, name: str, path: Path, source: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write the network's weights as safetensors, its description in the header; returns its entry.

    source: how a library makes the network by name, if one does.

    Raises TypeError for a network whose state is more than tensors.
    """
    described, state = dict(source or describe(network)), network.state_dict()
    other = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if other:
        raise TypeError(f"{name} must have a state of tensors alone to be saved, but has {', '.join(other)}")
    files.write_tensors(path, state, described)
    return {"file": path.name, **described}


def read(entry: Mapping[str, Any], name: str, tensors: Mapping[str, Tensor], given: nn.Module | None) -> nn.Module:
    """The network of an entry with those weights, in their precision: frozen and in eval mode.

    given   the caller's, for an entry that names only a class; a copy of it takes the weights. Raises ValueError if it
            is missing or the weights do not fit, DamagedFileError for an architecture that nobody knows.
    """
    if given is not None:
        network = unshared(given)
    elif "architecture" in entry:
        network = _built(entry, tensors)
    elif "source" in entry:
        network = _by_name(entry)
    else:
        raise ValueError(
            f"{name} must be given, modules={{{name!r}: network}}: only its weights are kept, for a "
            f"{entry.get('class', 'network of unknown class')}"
        )
    load_weights(network, tensors)  # says what does not fit
    network.load_state_dict(dict(tensors), assign=True)  # keeps the precision they were saved in
    return network.eval().requires_grad_(False)


def _built(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    known: dict[str, Callable[..., nn.Module]] = dict(models.ARCHITECTURES)
    name, config = entry["architecture"], entry.get("config")
    if not isinstance(name, str) or name not in known or not isinstance(config, Mapping):
        raise files.DamagedFileError(
            f"architecture must be one of {', '.join(sorted(known))}, with a config, got {name!r} and {config!r}"
        )
    try:
        with torch.device("meta"):  # takes no memory: an altered config may ask for any width
            known[name](**config).load_state_dict(dict(tensors), assign=True)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise files.DamagedFileError(f"config must be that of {name} with its weights, but {error}") from None
    with torch.random.fork_rng(devices=[]):  # first weights are drawn and then replaced
        return known[name](**config)


def _by_name(entry: Mapping[str, Any]) -> nn.Module:
    library, _, name = str(entry["source"]).partition("/")
    if library not in LIBRARIES or not isinstance(entry.get("classes"), int):
        raise files.DamagedFileError(
            f"source must be of {' or '.join(LIBRARIES)}, with a number of classes, got {entry['source']!r} and "
            f"{entry.get('classes')!r}"
        )
    try:
        return LIBRARIES[library](name, None, entry["classes"], 0).network  # random weights, to be replaced
    except (RuntimeError, TypeError) as error:  # more classes than there is memory
        raise files.DamagedFileError(
            f"{entry['source']} must have a number of classes that it takes: {error}"
        ) from None
