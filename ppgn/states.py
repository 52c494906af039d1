"""A sampler's state as named tensors and back, so that any kernel's walk can be saved and continued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def pack(state: Any, name: str = "") -> dict[str, Tensor]:
    """NamedTuples of tensors, numbers and NamedTuples -> {"h": ..., "terms.image": ..., "step": ...}.

    Raises TypeError for a state that holds anything else.
    """
    if isinstance(state, Tensor):
        return {name: state}
    if isinstance(state, bool | int | float):
        return {name: torch.tensor(state, dtype=torch.float64 if isinstance(state, float) else None)}
    if isinstance(state, tuple) and (fields := getattr(state, "_fields", None)):
        packed: dict[str, Tensor] = {}
        for field, value in zip(fields, state, strict=True):
            packed |= pack(value, f"{name}.{field}".lstrip("."))
        return packed
    raise TypeError(
        f"a sampler's state must hold tensors, numbers and NamedTuples, but {name} is a {type(state).__name__}"
    )


def unpack(template: T, tensors: Mapping[str, Tensor], name: str = "") -> T:
    """The inverse of `pack`, into the types and devices of `template`, a state of the same sampler.

    Raises ValueError if a tensor is missing or of another shape.
    """
    if isinstance(template, tuple):
        fields = getattr(template, "_fields", ())
        values = [unpack(v, tensors, f"{name}.{f}".lstrip(".")) for f, v in zip(fields, template, strict=True)]
        return type(template)(*values)
    if name not in tensors:
        raise ValueError(f"the saved state must hold {name!r}, it has {sorted(tensors)}")
    if isinstance(template, Tensor):
        if tensors[name].shape != template.shape:
            raise ValueError(f"saved {name} must have shape {tuple(template.shape)}, got {tuple(tensors[name].shape)}")
        return tensors[name].to(template)  # type: ignore[return-value]
    return type(template)(tensors[name].item())  # type: ignore[call-arg]
