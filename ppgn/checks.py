"""What builders ask of the parts they are given, in one wording."""

from __future__ import annotations

from torch import nn


def require_eval(part: object, role: str) -> None:
    """Raise ValueError if `part` is a network with any layer in train mode: dropout and batch norm would act."""
    if isinstance(part, nn.Module) and any(module.training for module in part.modules()):
        raise ValueError(f"{role} must be in eval mode, but {type(part).__name__} is in train mode; call .eval() on it")


def require_shape(what: str, got: tuple[int, ...], needed: tuple[int, ...], hint: str = "") -> None:
    """Raise ValueError naming both shapes if they differ."""
    if tuple(got) != tuple(needed):
        raise ValueError(f"{what} must have shape {tuple(needed)}, got {tuple(got)}{hint and '; ' + hint}")
