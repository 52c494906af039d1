"""Other people's weights and networks, taken in safely.

A file is never a bare pickle, a mismatch is told in a few lines, and a network handed in is left as it was.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ppgn import files

M = TypeVar("M", bound=nn.Module)
SHOWN = 5  # names of a kind in an error


def read_state(path: Path | str, checksum: str | None = None) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a torch file (.pt, .pth, ...) that holds nothing but tensors.

    A leading `module.` (DataParallel) and one level of `state_dict` or `model` around the tensors are taken away.
    Raises FileNotFoundError, or DamagedFileError for another sha256 or a file that needs more than tensors.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        tensors, _ = files.read_tensors(path, checksum)
        return _plain(tensors)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    files.check_sha256(path, checksum)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise files.DamagedFileError(f"{path} must be a torch file of tensors alone: {reason}") from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise files.DamagedFileError(f"{path} must hold tensors by name, got {type(content).__name__}")
    return _plain(dict(content))


def load_weights(network: M, weights: Path | str | Mapping[str, Tensor], checksum: str | None = None) -> M:
    """Put weights, a file of them or tensors by name, into a network, all of them and no others; returns it.

    Raises as `read_state`, and ValueError naming the first names that are missing, unknown or of another shape.
    """
    source = "the weights" if isinstance(weights, Mapping) else str(weights)
    state = dict(weights) if isinstance(weights, Mapping) else read_state(weights, checksum)
    needed = network.state_dict()
    # batch normalisation's counter of training steps: files of before it, and pruned ones, do without
    state = {name: value for name, value in needed.items() if name.endswith("num_batches_tracked")} | state
    shapes = [
        f"{name} {tuple(state[name].shape)} for {tuple(needed[name].shape)}"
        for name in needed
        if name in state and state[name].shape != needed[name].shape
    ]
    parts = {
        "missing": [name for name in needed if name not in state],
        "unknown": [name for name in state if name not in needed],
        "of another shape": shapes,
    }
    if any(parts.values()):
        told = "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in parts.items() if names)
        raise ValueError(f"{source} must hold the {len(needed)} tensors of {type(network).__name__}: {told}")
    network.load_state_dict(state)
    return network


def frozen(network: M) -> M:
    """A copy in eval mode whose weights ask for no gradient; they are the same memory, so that it costs none.

    The network itself keeps its mode, flags and gradients. What it learns later, in place, the copy knows too; moving
    one of them to another device leaves the other where it is. Hooks are kept: they may be part of what it computes.
    A TorchScript module's copy has memory of its own. Raises TypeError for a network that copy.deepcopy cannot copy.

    >>> network = nn.Linear(2, 3)
    >>> copy = frozen(network)
    >>> copy.training, copy.weight.requires_grad, copy.weight.data_ptr() == network.weight.data_ptr()
    (False, False, True)
    """
    return _copied(network, Tensor.detach)


def unshared(network: M) -> M:
    """As `frozen`, but with memory of its own, to be filled with other weights. Raises TypeError as `frozen`."""
    return _copied(network, lambda tensor: tensor.detach().clone())


def _copied(network: M, taken: Callable[[Tensor], Tensor]) -> M:
    """The copy, with what `taken` makes of each tensor of the network."""
    memo: dict[int, object] = {id(p): nn.Parameter(taken(p), requires_grad=False) for p in network.parameters()}
    memo |= {id(buffer): taken(buffer) for buffer in network.buffers()}
    for module in network.modules():  # a weight computed in a forward pass, as by spectral_norm: no leaf, not copied
        memo |= {id(value): taken(value) for value in vars(module).values() if isinstance(value, Tensor)}
        hooks = [dict(value) for name, value in vars(module).items() if name.endswith("_hooks")]
        memo |= {id(hook): hook for named in hooks for hook in named.values()}  # with whatever they hold on to
    try:
        copy = deepcopy(network, memo).eval()
    except Exception as error:  # whatever something in the network says to being copied
        raise TypeError(
            "the network must be one that copy.deepcopy can copy, so that yours stays as it is, but "
            f"{type(network).__name__} is not: {type(error).__name__}: {error}"
        ) from error
    for parameter in copy.parameters():  # TorchScript's go by no memo, and are no leaves
        parameter.detach_()
    return copy


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    wrapped = bool(tensors) and all(name.startswith("module.") for name in tensors)
    return {name.removeprefix("module.") if wrapped else name: value for name, value in tensors.items()}


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
