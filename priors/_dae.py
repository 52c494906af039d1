"""The score that a denoising autoencoder knows.

A denoiser r trained by squared error on h + sigma e gives the score of the density smoothed by sigma,

    d log p_sigma(h) / dh = (r(h) - h) / sigma^2        (Tweedie; Alain & Bengio 2014; paper Eq. 6)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor

from ppgn.checks import require_eval

Denoiser = Callable[[Tensor], Tensor]
LevelDenoiser = Callable[[Tensor, float], Tensor]


def dae(denoiser: Denoiser | LevelDenoiser, sigma: float, conditional: bool = False) -> DAE:
    """The prior of PPGN-h (and, with images as codes, of PPGN-x) from any denoiser h (B, *latent) -> clean h.

    sigma         standard deviation of the noise it was trained on, in units of h. The paper folds 1/sigma^2 into
                  eps_prior: its eps_prior is ours divided by sigma^2
    conditional   whether the denoiser takes (h, sigma) and knows many levels; `at` then gives the others

    No density is known, only this score, so no sampler on it is exact. Raises ValueError for sigma <= 0 or a denoiser
    in train mode.
    """
    require_eval(denoiser, "denoiser")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    return DAE(denoiser, sigma, conditional)


@dataclass(frozen=True)
class DAE:
    """See `dae`."""

    denoiser: Denoiser | LevelDenoiser
    sigma: float
    conditional: bool = False

    def at(self, sigma: float) -> DAE:
        """The same network at another noise level. Raises ValueError if it knows only one, or for sigma <= 0."""
        if not self.conditional:
            raise ValueError(
                f"the denoiser must know many noise levels, as of dae(..., conditional=True), not only {self.sigma}"
            )
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        return replace(self, sigma=sigma)

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """(r(h) - h) / sigma^2; x is not looked at. Raises ValueError if r(h) is not shaped as h."""
        if self.conditional:
            clean = cast(LevelDenoiser, self.denoiser)(h, self.sigma)
        else:
            clean = cast(Denoiser, self.denoiser)(h)
        if clean.shape != h.shape:
            raise ValueError(f"denoiser must keep the shape {tuple(h.shape)}, got {tuple(clean.shape)}")
        return (clean - h) / self.sigma**2
