"""A likelihood of whole levels made a density of real numbers: each sub-pixel x = level + sigma e, e normal.

log p(x | parameters) = sum over sub-pixels of log sum_k P(k | parameters) N(x; k / (levels - 1), sigma^2)

Uniform noise of one level's width is the usual dequantisation (Theis et al. 2016, arXiv:1511.01844); normal noise has a
score everywhere, and given the parameters it is the convolution of P with N(0, sigma^2), exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ppgn.models.likelihoods import Bernoulli, Categorical, Likelihood, LogisticMixture
from ppgn.types import Rng

GREYS = 256  # levels of a LogisticMixture


@dataclass(frozen=True)
class Smoothed:
    """`likelihood` of levels under normal noise of standard deviation sigma, in units of x; nats per unit of x.

    likelihood   Bernoulli, Categorical, or LogisticMixture of grey images (those of colours tie the channels of a
                 pixel together, so that 256^3 colours would have to be summed over)

    Raises ValueError for another likelihood, as Normal, which is a density already, or a sigma that is not positive.

    >>> x = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1)
    >>> Smoothed(Bernoulli(), 1.0).log_prob(torch.zeros(3, 1, 1, 1), x)  # of 1/2 N(x; 0, 1) + 1/2 N(x; 1, 1)
    tensor([-1.1380, -1.0439, -1.1380])
    """

    likelihood: Likelihood
    sigma: float

    def __post_init__(self) -> None:
        if not isinstance(self.likelihood, Bernoulli | Categorical | LogisticMixture):
            raise ValueError(f"likelihood must be one of whole levels to be smoothed, got {self.likelihood}")
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be positive and finite, got {self.sigma}")

    @property
    def levels(self) -> int:
        """Of a sub-pixel."""
        if isinstance(self.likelihood, Categorical):
            return self.likelihood.levels
        return 2 if isinstance(self.likelihood, Bernoulli) else GREYS

    def maps(self, channels: int) -> int:
        """Those of the likelihood."""
        return self.likelihood.maps(channels)

    def groups(self, channels: int) -> int:
        """Those of the likelihood."""
        return self.likelihood.groups(channels)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(B, maps, H, W) and x (B, C, H, W), any real numbers, -> (B,) nats; differentiable in both.

        Raises ValueError for other maps than x needs, or a LogisticMixture of colours.
        """
        noise = self._log_noise(x) - math.log(self.sigma) - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(self._log_levels(parameters, x) + noise, 2).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """(B, C, H, W): that of the likelihood, as the noise has none."""
        return self.likelihood.mean(parameters)

    def expected(self, parameters: Tensor, x: Tensor) -> Tensor:
        """E[level | parameters, x] of every sub-pixel, (B, C, H, W): x with as much of its noise taken off as is known.

        Given the parameters, (expected - x) / sigma^2 is the score (Tweedie). Raises ValueError as `log_prob`.
        """
        return self._average(self._log_levels(parameters, x) + self._log_noise(x))

    def rounded(self, x: Tensor) -> Tensor:
        """As `expected` if all levels are equally likely: a soft rounding of each sub-pixel by itself.

        Nearly black and white for small sigma and Bernoulli, nearly x itself where sigma is wider than a level.
        """
        return self._average(self._log_noise(x))

    def noise(self, like: Tensor, rng: Rng, step: int = 0) -> Tensor:
        """(B, N + C, H, W): what the likelihood needs, and standard normals."""
        return torch.cat([self.likelihood.noise(like, rng, step), rng.normal(like, step, "dequantise")], 1)

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """A draw of the likelihood, plus sigma times the normals."""
        channels = next(c for c in range(1, noise.shape[1]) if self.maps(c) == parameters.shape[1])
        needed, normals = noise[:, :-channels], noise[:, -channels:]
        return self.likelihood.sample(parameters, needed) + self.sigma * normals

    def _average(self, log_weights: Tensor) -> Tensor:
        """The mean level (B, C, H, W) under weights (B, C, levels, H, W)."""
        return torch.einsum("bclhw,l->bchw", log_weights.softmax(2), self._values(log_weights))

    def _values(self, x: Tensor) -> Tensor:
        """(levels,) in [0, 1], of the type and device of x."""
        return torch.linspace(0, 1, self.levels, dtype=x.dtype, device=x.device)

    def _log_noise(self, x: Tensor) -> Tensor:
        """-((x - level) / sigma)^2 / 2, (B, C, levels, H, W)."""
        values = self._values(x).view(-1, 1, 1)
        return -0.5 * ((x[:, :, None] - values) / self.sigma).square()

    def _log_levels(self, parameters: Tensor, x: Tensor) -> Tensor:
        """log P(level) of every sub-pixel, (B, C, levels, H, W)."""
        channels = x.shape[1]
        if parameters.shape[1] != self.maps(channels):
            raise ValueError(f"parameters must have {self.maps(channels)} maps, got shape {tuple(parameters.shape)}")
        if isinstance(self.likelihood, Bernoulli):
            return torch.stack([functional.logsigmoid(-parameters), functional.logsigmoid(parameters)], 2)
        if isinstance(self.likelihood, Categorical):
            logits: Tensor = parameters.unflatten(1, (channels, self.levels))
            return logits.log_softmax(2)
        if channels != 1:
            raise ValueError(f"a LogisticMixture can be smoothed for grey images, of 1 channel, got {channels}")
        return self._log_greys(parameters, x)

    def _log_greys(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Of a mixture's 256 levels, by asking it for each: (B, 1, 256, H, W)."""
        b, _, height, width = x.shape
        pixels = parameters.permute(0, 2, 3, 1).reshape(-1, 1, parameters.shape[1], 1, 1)
        each = pixels.expand(-1, GREYS, -1, -1, -1).flatten(0, 1)
        values = self._values(x).repeat(len(pixels)).view(-1, 1, 1, 1)
        log_p = self.likelihood.log_prob(each, values)
        return log_p.view(b, height, width, GREYS).permute(0, 3, 1, 2)[:, None]
