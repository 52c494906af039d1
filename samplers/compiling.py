"""Functions of tensors as one compiled kernel: traced through automatic differentiation, then compiled by Inductor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from torch import Tensor

Function = Callable[..., Sequence[Tensor]]


def compiled(function: Function) -> Function:
    """The same function of tensors, traced and compiled when it is first called with tensors of a shape and place.

    What it closes over is taken as constant; its values may differ from the function's by rounding. The first call
    takes seconds. Raises RuntimeError if the function cannot be traced (control flow that looks at values) or there is
    no compiler.
    """
    known: dict[Hashable, Any] = {}

    def call(*tensors: Tensor) -> Sequence[Tensor]:
        first = tensors[0]
        key = (first.shape, first.dtype, first.device)
        if key not in known:
            known[key] = _built(function, tensors)
        found: Sequence[Tensor] = known[key](*tensors)
        return found

    return call


def _built(function: Function, tensors: tuple[Tensor, ...]) -> Any:
    # imported here: it takes a second
    import torch._inductor
    from torch.fx.experimental.proxy_tensor import make_fx

    try:
        graph = make_fx(function)(*tensors)
        return torch._inductor.compile(graph, list(tensors))
    except Exception as error:  # whatever the tracer, Inductor or the system's compiler say
        raise RuntimeError(
            "compiled=True needs networks whose control flow does not look at values, and a C++ compiler that torch "
            f"finds: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error
