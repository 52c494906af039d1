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

SHOWN = 3  # tensors that an error names


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
        saved = _below(tensors, f"module/{name}/")
        others = _mismatches(saved, module.state_dict())
        if others:
            more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            raise ValueError(f"{path} must be of the same networks; of {name} differ {', '.join(others[:SHOWN])}{more}")
        module.load_state_dict(saved)
    for name, optimizer in trainer.optimizers.items():
        _restore_optimizer(optimizer, _below(tensors, f"optimizer/{name}/"))
    return int(header["step"])


def _mismatches(saved: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> list[str]:
    """What tells a checkpoint's network from the one that it is to be loaded into, a tensor an entry."""
    found = [f"{key} (not in the checkpoint)" for key in needed if key not in saved]
    found += [f"{key} (only in the checkpoint)" for key in saved if key not in needed]
    return found + [
        f"{key} (saved {tuple(saved[key].shape)}, needed {tuple(value.shape)})"
        for key, value in needed.items()
        if key in saved and saved[key].shape != value.shape
    ]


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The per-parameter state, `index/name`; the groups' numbers come from the run's arguments."""
    state = optimizer.state_dict()["state"]
    return {f"{i}/{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()}


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Numbers of a parameter are laid out in memory as it is itself, which fused steps take for granted."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        like = parameters[int(index)]
        if value.shape == like.shape:
            value = torch.empty_like(like, dtype=value.dtype, requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
