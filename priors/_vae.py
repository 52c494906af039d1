"""The score that a variational autoencoder gives to images: that of its evidence lower bound.

bound(x) = 1/K sum_k log p(x | z_k) - KL(q(z | x) || N(0, 1)),      z_k = mean(x) + std(x) e_k

(Kingma & Welling 2014). The e_k are K fixed points, the same for every image and at every step: so the score is the
gradient of one function, not a noisy estimate of another's. They are scrambled Sobol points through the normal's
quantiles: over seeds the mean of `bound` is the ELBO, and one set of them is nearer to it than as many independent
draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from ppgn.checks import require_eval
from ppgn.models.dequantised import DequantisedVAE
from ppgn.models.evidence import LatentModel, evidence_terms
from ppgn.models.likelihoods import Bernoulli
from ppgn.priors._images import check_sigma, gradient

LEAST = 2.0**-54  # half the grid of uniform numbers: none is 0, whose quantile is infinite


def vae(network: LatentModel, sigma: float | None = None, *, draws: int = 8, seed: int = 0) -> EvidenceBound:
    """The prior of images as codes, h = x (B, C, H, W), by a VAE's bound on log p(x).

    network   encode(x), decode(z) and likelihood, as `ppgn.models.VAE`; in eval mode
    sigma     standard deviation, in units of x, of the noise that its images are thought under: the bound is then on
              the log of its density convolved with N(0, sigma^2), which has a score everywhere, and sigma^2 * score
              takes noise of sigma off. None: the likelihood as it is; a Normal's, or a Bernoulli's, which is linear in
              x between black and white and no density there
    draws     K, points at which log p(x | z) is averaged; the decoder is asked for so many images per row
    seed      of the points' scrambling

    `at` gives the same at other noise levels, for `ppgn.samplers.annealed`. It bounds a density and is none itself, so
    no sampler on it is exact. Raises ValueError for a network in train mode, a sigma that is not positive, that a
    likelihood of grey levels lacks or a Normal has no use for, or draws below 1.

    >>> from ppgn import models
    >>> network = models.VAE((1, 8, 8), latent=2, width=4).eval()
    >>> prior, x = vae(network, sigma=0.3), torch.zeros(5, 1, 8, 8)
    >>> prior.score(x, x).shape, prior.bound(x).shape
    (torch.Size([5, 1, 8, 8]), torch.Size([5]))
    """
    require_eval(network, "network")
    check_sigma(network.likelihood, sigma, needed=not isinstance(network.likelihood, Bernoulli))
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    return EvidenceBound(network, sigma, draws, seed)


@dataclass(frozen=True)
class EvidenceBound:
    """See `vae`."""

    network: LatentModel
    sigma: float | None = None
    draws: int = 8
    seed: int = 0
    _placed: dict[tuple[object, ...], Tensor] = field(default_factory=dict, repr=False, compare=False)

    def at(self, sigma: float) -> EvidenceBound:
        """The same network's bound under other noise. Raises ValueError as `vae`."""
        check_sigma(self.network.likelihood, sigma, needed=True)
        return replace(self, sigma=sigma)

    def bound(self, h: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,) nats, differentiable: the function whose gradient `score` is."""
        model = self.network if self.sigma is None else DequantisedVAE(self.network, self.sigma)
        log_likelihood, kl = evidence_terms(model, h, self._noise)
        return log_likelihood.mean(0) - kl.sum(1)

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """d bound(h) / dh; x is not looked at."""
        return gradient(self.bound, h)

    def _noise(self, mean: Tensor) -> Tensor:
        """The points (K, 1, latent), on the device and of the type of the means (B, latent), drawn and moved once."""
        place = (mean.shape[1], mean.device, mean.dtype)
        if place not in self._placed:
            points = SobolEngine(mean.shape[1], scramble=True, seed=self.seed).draw(self.draws, dtype=torch.float64)
            normals = torch.special.ndtri(points.clamp(LEAST, 1 - 2 * LEAST))
            self._placed[place] = normals[:, None].to(mean)
        return self._placed[place]
