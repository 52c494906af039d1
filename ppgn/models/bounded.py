"""Networks built within an allowance of numbers, so that a damaged description cannot ask for all memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

SIZED = (torch.empty, torch.ones, torch.rand, torch.randn, torch.zeros)
RANGES = (torch.linspace, torch.logspace)


class Bounded(TorchFunctionMode):
    """While in use, tensors of `numbers` in all may be made; ValueError before one that goes beyond."""

    def __init__(self, numbers: int):
        super().__init__()
        self.numbers, self.left = numbers, numbers

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        self.left -= _count(func, args, kwargs)
        if self.left < 0:
            raise ValueError(f"it may not take more than {self.numbers} numbers")
        return func(*args, **kwargs)


def _count(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Numbers that a call makes; 0 for calls that only use others."""
    if func in SIZED:
        size = args[0] if args and not isinstance(args[0], int) else args or kwargs.get("size", ())
        return math.prod(size)
    if func in RANGES:
        return int(args[2] if len(args) > 2 else kwargs.get("steps", 0))
    if func is torch.full:
        return math.prod(args[0] if args else kwargs.get("size", ()))
    if func is torch.eye:
        return int(args[0] if args else kwargs["n"]) ** 2
    return 0
