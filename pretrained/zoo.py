"""Classifiers of torchvision and timm by name: the network, its preprocessing and what its classes are called.

Weights are looked for in the libraries' own caches first, then in ours (see `ppgn.pretrained.hub`), where they are
downloaded to.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import torch
from torch import Tensor, nn

from ppgn.pretrained import hub
from ppgn.pretrained.preprocessing import Preprocessing, of_timm, of_torchvision
from ppgn.pretrained.states import load_weights, read_state

PRETRAINED = "pretrained"
Weights = Path | str | None
# what torchvision sets together with its own weights: heads of training left out, inputs normalised once more inside
PARTICULAR = {
    "googlenet": {"aux_logits": False, "transform_input": True},
    "inception_v3": {"transform_input": True},
}
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # those heads: files have them or not
HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class Found(NamedTuple):
    """A classifier as its library makes it."""

    network: nn.Module
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    classes: int


def torchvision_classifier(name: str, weights: Weights, classes: int | None, seed: int) -> Found:
    """`name` as "resnet50", or with one of its weights as "resnet50.IMAGENET1K_V1"; see `classifier`."""
    from torchvision import models  # imported here: it takes seconds

    architecture, _, entry = name.partition(".")
    known = models.list_models(module=models)
    if architecture not in known:
        raise _unknown("torchvision", architecture, known)
    entries = models.get_model_weights(architecture)
    named = [one.name for one in entries]
    if entry and entry not in named:
        raise ValueError(f"weights of torchvision/{architecture} must be one of {', '.join(named)}, got {entry!r}")
    chosen = entries[entry] if entry else entries.DEFAULT
    categories = tuple(chosen.meta["categories"])
    _require_classes(weights, classes, len(categories), f"torchvision/{name}")
    options: dict[str, Any] = dict(PARTICULAR.get(architecture, {}))
    if options:
        options["init_weights"] = weights is None
    count = classes or len(categories)
    with _seeded(seed):
        network = models.get_model(architecture, weights=None, num_classes=count, **options)
    if weights == PRETRAINED:
        _fill(network, _downloaded(chosen, f"torchvision/{architecture}.{chosen.name}"))
    elif weights is not None and options:
        _fill(network, read_state(weights))
    elif weights is not None:
        load_weights(network, weights)
    return Found(network, of_torchvision(chosen.transforms()), categories if count == len(categories) else (), count)


def timm_classifier(name: str, weights: Weights, classes: int | None, seed: int) -> Found:
    """`name` as "resnet18" or "resnet18.a1_in1k"; see `classifier`."""
    import timm  # imported here: it takes seconds
    from timm.data.config import resolve_model_data_config

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise _unknown("timm", architecture, timm.list_models())
    tagged = [
        one for one in timm.list_models(f"{architecture}.*", pretrained=True) if one.startswith(f"{architecture}.")
    ]
    if tag and name not in tagged:
        raise ValueError(f"timm/{architecture} has the weights {', '.join(tagged) or 'of none'}, got {name!r}")
    config = timm.get_pretrained_cfg(name)
    if weights == PRETRAINED and (config is None or not config.has_weights):
        raise ValueError(f"timm has no weights for {name}: give a file, weights=PATH, or weights=None for random ones")
    own = config.num_classes if config is not None else 1000
    _require_classes(weights, classes, own, f"timm/{name}")
    count = classes or own
    if count == 0:
        raise ValueError(
            f"timm/{name} is no classifier: its weights end in features; give classes, and weights=PATH or None"
        )
    source = _timm_source(config, f"timm/{name}") if weights == PRETRAINED else {}
    with _seeded(seed):
        try:
            network: Any = timm.create_model(name, pretrained=weights == PRETRAINED, num_classes=count, **source)
        except OSError as error:
            raise hub.unreachable(f"timm/{name}", error) from error
    if weights is not None and weights != PRETRAINED:
        load_weights(network, weights)
    names = timm_names(network.pretrained_cfg) if count == own else ()
    return Found(network, of_timm(resolve_model_data_config(network)), names, count)


def timm_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the classes of a timm network are called: its own names, or those of the ImageNet set of that many."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    names = config.get("label_names")
    if names:
        told = config.get("label_descriptions") or {}
        return tuple(told.get(one, one) for one in names)
    subset = infer_imagenet_subset(dict(config))
    return () if subset is None else tuple(ImageNetInfo(subset).label_descriptions())


def _timm_source(config: Any, what: str) -> dict[str, Any]:
    """Arguments of `timm.create_model` that say where the weights are: a file, or the folder to download to."""
    if not config.hf_hub_id:
        folder = hub.home() / "timm"
        cached = folder / Path(str(config.url)).name
        if hub.offline() and not cached.is_file():
            raise hub.unreachable(f"{what} ({config.url})", FileNotFoundError(f"there is no {cached}"))
        return {"cache_dir": str(folder)}
    repo, _, revision = config.hf_hub_id.partition("@")
    candidates = (config.hf_hub_filename,) if config.hf_hub_filename else HUB_FILES
    path = _fetched(repo, candidates, revision or None)
    return {"pretrained_cfg_overlay": {"file": str(path), "custom_load": False}}


def _fetched(repo: str, candidates: Sequence[str], revision: str | None) -> Path:
    """The first of the files that the repository has, from the cache that other tools fill or from ours."""
    for file in candidates:
        found = huggingface_hub.try_to_load_from_cache(repo, file, revision=revision)
        if isinstance(found, str):
            return Path(found)
    for file in candidates[:-1]:
        try:
            return hub.fetch(repo, file, revision)
        except FileNotFoundError:
            continue
    return hub.fetch(repo, candidates[-1], revision)


def _downloaded(entry: Any, what: str) -> dict[str, Tensor]:
    """torchvision's own weights, from torch.hub's cache or ours; their sha256 begins as their name ends."""
    file = Path(entry.url).name
    theirs = Path(torch.hub.get_dir()) / "checkpoints"
    folder = theirs if (theirs / file).is_file() else hub.home() / "torchvision"
    wanted = f"{what} ({file}, not in {theirs} either)"
    if hub.offline() and not (folder / file).is_file():
        raise hub.unreachable(wanted, FileNotFoundError(f"there is no {folder / file}"))
    try:
        state: dict[str, Tensor] = entry.get_state_dict(
            model_dir=str(folder), progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except OSError as error:
        raise hub.unreachable(wanted, error) from error
    return state


def _fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load the state, but for heads of training that the network does without."""
    own = network.state_dict()
    load_weights(network, {key: v for key, v in state.items() if key in own or not key.startswith(AUXILIARY)})


def _require_classes(weights: Weights, classes: int | None, own: int, what: str) -> None:
    if classes is not None and classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    if weights == PRETRAINED and classes not in (None, own):
        raise ValueError(
            f"the weights of {what} have {own} classes, got {classes=}; give your own, weights=PATH, or weights=None"
        )


def _unknown(library: str, name: str, known: Sequence[str]) -> ValueError:
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    near += [one for one in known if name and name in one and one not in near][: 5 - len(near)]
    told = f"; the closest are {', '.join(near)}" if near else ""
    return ValueError(f"{library} must know the network, but has none called {name!r} among its {len(known)}{told}")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random weights from a seed; the caller's generator stays where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
