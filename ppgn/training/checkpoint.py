"""A training run's whole state in one safetensors file, replaced atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ppgn import files, records
from ppgn.training.loop import Trainer


def save(path: Path, trainer: Trainer[Any], step: int, config: Mapping[str, Any]) -> None:
    """Write modules, optimizers, the step and the run's arguments."""
    tensors: dict[str, Tensor] = {}
    for name, module in trainer.modules.items():
        tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimizer in trainer.optimizers.items():
        tensors |= {f"optimizer/{name}/{key}": value for key, value in _optimizer_tensors(optimizer).items()}
    files.write_tensors(path, tensors, {"step": step, "config": dict(config)})


def load(path: Path, trainer: Trainer[Any], config: Mapping[str, Any]) -> int:
    """Restore a trainer in place and return the step to go on with.

    Raises ValueError if the checkpoint is of a run with other arguments, naming those that differ, or of other
    networks.
    """
    tensors, header = files.read_tensors(path)
    differing = records.differences(header.get("config", {}), config)
    if differing:
        raise ValueError(f"{path} must be of a run with the same arguments to be resumed ({', '.join(differing)})")
    for name, module in trainer.modules.items():
        try:
            module.load_state_dict(_below(tensors, f"module/{name}/"))
        except RuntimeError as error:
            raise ValueError(f"{path} must be of the same networks: {error}") from None
    for name, optimizer in trainer.optimizers.items():
        _restore_optimizer(optimizer, _below(tensors, f"optimizer/{name}/"))
    return int(header["step"])


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The per-parameter state, `index/name`; the groups' numbers come from the run's arguments."""
    state = optimizer.state_dict()["state"]
    return {f"{i}/{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()}


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
