"""Several processes that train together, as `accelerate launch` and torchrun start them.

Process r of n takes the rows r, r + n, r + 2n, ... of each batch. Noise is drawn for the whole batch in every process,
of which each takes its rows; gradients are averaged before the optimizer's step. So n processes do what one does with
the whole batch, but for the rounding of sums, and for layers that look at a whole batch (batch norm) or draw for
themselves (dropout), which do it in each process by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ppgn.data import Batch

B = TypeVar("B")


def join(device: torch.device | str | None = None) -> torch.device:
    """Meet the other processes, if a launcher has started several, and return the device of this one.

    device: what torch has here; "cuda" means this process's own; None: what accelerate finds. Processes on the CPU talk
    by gloo. To be called before networks are built; once more changes nothing. Raises ValueError for a device that is
    not there.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1 and "LOCAL_RANK" in os.environ
    if device is None or (several and not distributed.is_initialized()):
        from accelerate import PartialState  # slow to import; only a run needs it

        state = PartialState(cpu=device is not None and torch.device(device).type == "cpu")
        if device is None:
            return torch.device("cpu") if state.device.type == "cpu" else torch.device(state.device)
    try:
        found = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be one that torch has here, got {str(device)!r} ({str(error).splitlines()[0]})"
        ) from None
    if several and str(device) == "cuda":
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return found


def count() -> int:
    """How many processes train together; 1 without a launcher."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def index() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def is_main() -> bool:
    """Whether this is the process that writes files, shows progress and speaks."""
    return index() == 0


def own_part(batch: B) -> B:
    """This process's rows of a batch: a tensor (B, ...) or a `ppgn.data.Batch`.

    Raises ValueError if B is no multiple of the processes.
    """
    return batch if count() == 1 else _cut(batch)


def drawn(law: Callable[[int], Tensor], rows: int, dim: int = 0) -> Tensor:
    """This process's rows of what `law` draws for a whole batch; rows: of this process. law: how many rows -> numbers.

    >>> rng = torch.Generator().manual_seed(0)
    >>> drawn(lambda n: torch.randn(n, 8, generator=rng), rows=2).shape
    torch.Size([2, 8])
    """
    n = count()
    whole = law(rows * n)
    if n == 1:
        return whole
    return whole.index_select(dim, torch.arange(index(), rows * n, n, device=whole.device))


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normals of the shape, type and device of x (B, ...), drawn from `rng` for the whole batch."""
    return drawn(lambda n: torch.randn(n, *x.shape[1:], generator=rng, device=x.device, dtype=x.dtype), len(x))


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over the processes, in place; all of a type at once."""
    if count() == 1:
        return
    for kind in dict.fromkeys(tensor.dtype for tensor in tensors):  # in the same order in every process
        same = [tensor for tensor in tensors if tensor.dtype == kind]
        flat = torch.cat([tensor.flatten() for tensor in same])
        distributed.all_reduce(flat)
        flat /= count()
        for tensor, part in zip(same, torch.split(flat, [tensor.numel() for tensor in same]), strict=True):
            tensor.copy_(part.view(tensor.shape))


def mean(value: Tensor) -> Tensor:
    """The mean of a tensor without a gradient over the processes, itself not changed."""
    if count() == 1:
        return value
    copy = value.clone()
    average([copy])
    return copy


def means(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`mean` of every metric."""
    copies = {name: value.detach().clone() for name, value in values.items()}
    average(list(copies.values()))
    return copies


def least(value: Tensor) -> Tensor:
    """The smallest of the processes' numbers, number by number; the value itself is not changed."""
    if count() == 1:
        return value
    copy = value.clone()
    distributed.all_reduce(copy, distributed.ReduceOp.MIN)
    return copy


def main_first(action: Callable[[], int]) -> int:
    """Run `action` in the main process, and give all its result.

    What it raises is raised there as it is, and in the others as RuntimeError with its text: none waits in vain.
    """
    if count() == 1:
        return action()
    told: list[Any] = [None, None]
    try:
        if is_main():
            told[0] = action()
    except BaseException as error:
        told[1] = f"{type(error).__name__}: {error}"
        raise
    finally:
        distributed.broadcast_object_list(told)
    if told[1] is not None:
        raise RuntimeError(f"the main process stopped with {told[1]}")
    return int(told[0])


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if count() > 1:
        distributed.barrier()


def _cut(value: Any) -> Any:
    if isinstance(value, Batch):
        return Batch(_cut(value.images), _cut(value.labels), value.labelled)
    if not isinstance(value, Tensor):
        raise TypeError(f"batches must be tensors or ppgn.data.Batch, got {type(value).__name__}")
    if len(value) % count():
        raise ValueError(f"batch_size must be a multiple of the {count()} processes, got {len(value)}")
    return value[index() :: count()]
