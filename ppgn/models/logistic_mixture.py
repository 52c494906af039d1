"""The likelihood of PixelCNN++ (Salimans et al. 2017, arXiv:1701.05517, sections 2.1 and 2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ppgn.types import Rng

LEAST_LOG_SCALE = -7.0  # PixelCNN++'s: a logistic far narrower than one of 256 levels


@dataclass(frozen=True)
class LogisticMixture:
    """A mixture of discretised logistics over 256 levels; channels depend linearly on those before.

    In coordinates v = 2 x - 1 with half a level 1 / 255, component i gives channel c of a pixel

        sigmoid((v_c + 1/255 - m_ic) / s_ic) - sigmoid((v_c - 1/255 - m_ic) / s_ic),
        m_ic = mu_ic + sum over e < c of tanh(a_ice) v_e,

    the outermost levels reaching to infinity; the weights pi_i = softmax are the pixel's, for all its channels. So the
    network sees whole pixels, and a pixel is drawn in one step. Raises ValueError for fewer than 1 component.

    >>> p = LogisticMixture(1).log_prob(torch.zeros(256, 3, 1, 1), torch.arange(256).view(256, 1, 1, 1) / 255).exp()
    >>> round(float(p.sum()), 4)
    1.0
    """

    components: int = 10

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"components must be at least 1, got {self.components}")

    def maps(self, channels: int) -> int:
        """Per component a weight, a mean and a scale per channel, a coefficient per pair: 30 for grey, 100 for RGB."""
        return self.components * (channels + 1) * (channels + 2) // 2

    def groups(self, channels: int) -> int:
        """1: a pixel at a time."""
        return 1

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(B, maps, H, W) and x, rounded to 8 bits, -> (B,) nats."""
        if parameters.shape[1] != self.maps(x.shape[1]):
            raise ValueError(f"parameters must have {self.maps(x.shape[1])} maps, got shape {tuple(parameters.shape)}")
        weights, means, log_scales, coefficients = self._split(parameters)
        level = (x * 255).round()
        v = (2 / 255 * level - 1)[:, None]
        inverse = torch.exp(-log_scales)
        centred = v - _conditioned(means, coefficients, v)
        upper, lower = inverse * (centred + 1 / 255), inverse * (centred - 1 / 255)
        # sigmoid(u) - sigmoid(l) = sigmoid(u) sigmoid(-l) (1 - e^(l - u)): no difference of nearly equal numbers
        below, above = functional.logsigmoid(upper), functional.logsigmoid(-lower)
        inside = below + above + torch.log(-torch.expm1(-2 / 255 * inverse))
        log_p = torch.where(level[:, None] == 0, below, torch.where(level[:, None] == 255, above, inside))
        mixed: Tensor = torch.logsumexp(weights.log_softmax(1) + log_p.sum(2), 1)
        return mixed.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """(B, C, H, W): the mean of the mixture of logistics, each channel given the means before it, cut to [0, 1].

        Exact but for the ends of the range, where the levels collect what lies outside.
        """
        weights, means, _, coefficients = self._split(parameters)
        v = means[:, :, :0]
        for c in range(means.shape[2]):
            v = torch.cat([v, _conditioned(means, coefficients, v, c)[:, :, None]], 2)
        return ((weights.softmax(1)[:, :, None] * v).sum(1) / 2 + 0.5).clamp(0, 1)

    def noise(self, like: Tensor, rng: Rng, step: int = 0) -> Tensor:
        """(B, 1 + C, H, W) uniforms: which component, then each channel."""
        b, channels, height, width = like.shape
        return rng.uniform(like.new_empty(b, 1 + channels, height, width), step, "image")

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """The component by its inverse distribution function, then each channel by its own, rounded to 8 bits."""
        weights, means, log_scales, coefficients = self._split(parameters)
        chosen = (noise[:, :1] >= weights.softmax(1).cumsum(1)[:, :-1]).sum(1)[:, None, None]
        means, log_scales, coefficients = (
            t.gather(1, chosen.expand(-1, 1, t.shape[2], -1, -1)) for t in (means, log_scales, coefficients)
        )
        logistic = (noise[:, None, 1:].log() - torch.log1p(-noise[:, None, 1:])) * log_scales.exp()
        v = means[:, :, :0]
        for c in range(means.shape[2]):
            raw = _conditioned(means, coefficients, v, c) + logistic[:, :, c]
            level = ((raw + 1) * 127.5).round().clamp(0, 255)
            v = torch.cat([v, (2 / 255 * level - 1)[:, :, None]], 2)
        return ((v[:, 0] + 1) * 127.5).round() / 255

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights (B, K, H, W); means and log-scales (B, K, C, H, W); coefficients (B, K, pairs, H, W)."""
        per_component, rest = divmod(parameters.shape[1], self.components)
        channels = math.isqrt(2 * per_component) - 1
        if rest or channels < 1 or self.maps(channels) != parameters.shape[1]:
            raise ValueError(
                f"parameters must have {self.maps(1)} maps, or {self.maps(3)} for RGB, got {parameters.shape[1]}"
            )
        pairs = channels * (channels - 1) // 2
        split = parameters.unflatten(1, (self.components, -1)).split([1, channels, channels, pairs], 2)
        return split[0][:, :, 0], split[1], split[2].clamp(min=LEAST_LOG_SCALE), split[3].tanh()


def _conditioned(means: Tensor, coefficients: Tensor, v: Tensor, channel: int | None = None) -> Tensor:
    """Means (B, K, C, H, W) moved by the channels before, or the mean of one channel (B, K, H, W)."""
    if channel is None:
        return torch.stack([_conditioned(means, coefficients, v, c) for c in range(means.shape[2])], 2)
    first = channel * (channel - 1) // 2
    return means[:, :, channel] + (coefficients[:, :, first : first + channel] * v[:, :, :channel]).sum(2)
