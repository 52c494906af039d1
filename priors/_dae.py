"""The score that a denoising autoencoder knows.

A denoiser r trained by squared error on h + sigma e gives the score of the density smoothed by sigma,

    d log p_sigma(h) / dh = (r(h) - h) / sigma^2        (Tweedie; Alain & Bengio 2014; paper Eq. 6)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ppgn.checks import require_eval


def dae(denoiser: Callable[[Tensor], Tensor], sigma: float) -> DAE:
    """The prior of PPGN-h (and, with images as codes, of PPGN-x) from any denoiser h (B, *latent) -> clean h.

    sigma: standard deviation of the noise it was trained on, in units of h. The paper folds 1/sigma^2 into eps_prior:
    its eps_prior is ours divided by sigma^2. No density is known, only this score, so no sampler on it is exact.
    Raises ValueError for sigma <= 0 or a denoiser in train mode.
    """
    require_eval(denoiser, "denoiser")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    return DAE(denoiser, sigma)


@dataclass(frozen=True)
class DAE:
    """See `dae`."""

    denoiser: Callable[[Tensor], Tensor]
    sigma: float

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """(r(h) - h) / sigma^2, no gradient through r. Raises ValueError if r(h) is not shaped as h."""
        clean = self.denoiser(h)
        if clean.shape != h.shape:
            raise ValueError(f"denoiser must keep the shape {tuple(h.shape)}, got {tuple(clean.shape)}")
        return (clean - h) / self.sigma**2
