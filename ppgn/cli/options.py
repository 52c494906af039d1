"""Options that several commands share."""

from __future__ import annotations

import torch


def device_of(name: str | None) -> torch.device:
    """The device asked for, or the one that accelerate finds. Raises ValueError for one that is not there."""
    if name is None:
        from accelerate import Accelerator  # slow to import; only a run needs it

        found: torch.device = Accelerator().device
        return found
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be one that torch has here, got {name!r} ({str(error).splitlines()[0]})"
        ) from None
