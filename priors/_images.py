"""What the priors on images share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ppgn.models.likelihoods import Likelihood, Normal


def gradient(log_density: Callable[[Tensor], Tensor], h: Tensor) -> Tensor:
    """d log_density(h) / dh, shaped as h, detached; log_density gives (B,), row i from row i of h alone."""
    with torch.enable_grad():
        leaf = h.detach().requires_grad_()
        (found,) = torch.autograd.grad(log_density(leaf).sum(), leaf)
    return found


def check_sigma(likelihood: Likelihood, sigma: float | None, needed: bool) -> None:
    """Raise ValueError for a sigma that is not positive, one for a Normal, or none where it is `needed`."""
    if isinstance(likelihood, Normal):
        if sigma is not None:
            raise ValueError(f"sigma must be None, as {likelihood} is a density of real numbers already, got {sigma}")
    elif sigma is None and needed:
        raise ValueError(f"sigma must be given, as {likelihood} knows whole levels only, which have no score")
    elif sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive and finite, got {sigma}")
