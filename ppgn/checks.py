"""What builders ask of the parts they are given, in one wording."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

MISFIT = re.compile("shape|size|channel|dimension")  # in what torch says of images that a network cannot take


def require_eval(part: object, role: str) -> None:
    """Raise ValueError if `part` is a network with any layer in train mode: dropout and batch norm would act."""
    if isinstance(part, nn.Module) and any(module.training for module in part.modules()):
        raise ValueError(f"{role} must be in eval mode, but {type(part).__name__} is in train mode; call .eval() on it")


def require_shape(what: str, got: tuple[int, ...], needed: tuple[int, ...], hint: str = "") -> None:
    """Raise ValueError naming both shapes if they differ."""
    if tuple(got) != tuple(needed):
        raise ValueError(f"{what} must have shape {tuple(needed)}, got {tuple(got)}{hint and '; ' + hint}")


def shown(network: Callable[[Tensor], Tensor], x: Tensor, role: str) -> Tensor:
    """network(x). Raises ValueError naming the images' shape where the network cannot take images of that shape."""
    if torch.compiler.is_compiling():
        return network(x)
    try:
        return network(x)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or not MISFIT.search(str(error)):
            raise
        kind = type(network).__name__
        raise ValueError(f"{role} must take images of shape {tuple(x.shape[1:])}, but {kind} says: {error}") from error
