"""What a network's output says of an image: p(x | parameters), its mean, and samples that are functions of noise.

    Bernoulli         p(x = 1) = sigmoid(a): black and white images
    Categorical       p(x = k / (levels - 1)) = softmax(a)_k: van den Oord et al. 2016 (arXiv:1601.06759)
    LogisticMixture   256 levels by few numbers: PixelCNN++, Salimans et al. 2017 (arXiv:1701.05517)
    Normal            N(x; sigmoid(m), sigma^2), sigma learned: images of real numbers

`sample` uses nothing but the parameters and the noise that `noise` drew (uniforms through inverse distribution
functions), so however the parameters were computed, the same noise gives the same image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ppgn.models.logistic_mixture import LogisticMixture
from ppgn.types import Rng

__all__ = ["Bernoulli", "Categorical", "Likelihood", "LogisticMixture", "Normal", "described", "named"]


class Likelihood(Protocol):
    """p(x | parameters) of images x (B, C, H, W) in [0, 1], from maps of parameters (B, maps(C), H, W)."""

    def maps(self, channels: int) -> int:
        """Parameters a pixel of so many channels needs. Maps of a channel lie together, in the channels' order."""
        ...

    def groups(self, channels: int) -> int:
        """Steps in which a pixel is drawn: `channels` where the network orders them, 1 where this likelihood does."""
        ...

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(B, maps, H, W) and x (B, C, H, W) in [0, 1] -> (B,) nats, summed over pixels; ValueError for other maps."""
        ...

    def mean(self, parameters: Tensor) -> Tensor:
        """(B, maps, H, W) -> (B, C, H, W)."""
        ...

    def noise(self, like: Tensor, rng: Rng, step: int = 0) -> Tensor:
        """What `sample` needs for images like (B, C, H, W): (B, N, H, W), of the same dtype and device."""
        ...

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """(B, maps, H, W) and noise (B, N, H, W) -> x (B, C, H, W), pixel by pixel."""
        ...


@dataclass(frozen=True)
class Bernoulli:
    """log p(x) = x a - log(1 + e^a), one logit a per sub-pixel; x is 0 or 1.

    On greys between, log_prob is the usual cross-entropy, which is no density.

    >>> Bernoulli().log_prob(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)) / math.log(2)
    tensor([-4.])
    """

    def maps(self, channels: int) -> int:
        """One per channel."""
        return channels

    def groups(self, channels: int) -> int:
        """One per channel."""
        return channels

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(B, C, H, W) logits and x -> (B,) nats."""
        _check(parameters, self.maps(x.shape[1]))
        return (x * parameters - functional.softplus(parameters)).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """(B, C, H, W) probabilities of 1."""
        return torch.sigmoid(parameters)

    def noise(self, like: Tensor, rng: Rng, step: int = 0) -> Tensor:
        """(B, C, H, W) uniforms."""
        return rng.uniform(like, step, "image")

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """1 where the uniform is below the probability."""
        return (noise < torch.sigmoid(parameters)).to(parameters.dtype)


@dataclass(frozen=True)
class Categorical:
    """log p(x = k / (levels - 1)) = log softmax(a)_k per sub-pixel. Raises ValueError for fewer than 2 levels.

    >>> Categorical(4).log_prob(torch.zeros(1, 12, 1, 1), torch.ones(1, 3, 1, 1)) / math.log(4)
    tensor([-3.])
    """

    levels: int = 256

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ValueError(f"levels must be at least 2, got {self.levels}")

    def maps(self, channels: int) -> int:
        """`levels` per channel."""
        return channels * self.levels

    def groups(self, channels: int) -> int:
        """One per channel."""
        return channels

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(B, C * levels, H, W) logits and x, rounded to the nearest level, -> (B,) nats."""
        _check(parameters, self.maps(x.shape[1]))
        level = (x * (self.levels - 1)).round().long()
        log_p = self._logits(parameters).log_softmax(2).gather(2, level[:, :, None])
        return log_p.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """(B, C, H, W)."""
        values = torch.linspace(0, 1, self.levels, dtype=parameters.dtype, device=parameters.device)
        return torch.einsum("bclhw,l->bchw", self._logits(parameters).softmax(2), values)

    def noise(self, like: Tensor, rng: Rng, step: int = 0) -> Tensor:
        """(B, C, H, W) uniforms."""
        return rng.uniform(like, step, "image")

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """The inverse distribution function at the uniform: how many levels lie wholly below it."""
        below = self._logits(parameters).softmax(2).cumsum(2)[:, :, :-1]
        return (noise[:, :, None] >= below).sum(2).to(parameters.dtype) / (self.levels - 1)

    def _logits(self, parameters: Tensor) -> Tensor:
        """(B, C, levels, H, W)."""
        if parameters.shape[1] % self.levels:
            raise ValueError(f"parameters must have a multiple of {self.levels} maps, got {parameters.shape[1]}")
        logits: Tensor = parameters.unflatten(1, (-1, self.levels))
        return logits


@dataclass(frozen=True)
class Normal:
    """log N(x; sigmoid(m), sigma^2) with sigma = least + e^r learned: nats per unit of x, a density over real numbers.

    shared   one r per image, the mean of the last map (Rybkin et al. 2021, arXiv:2006.13202, share sigma likewise);
             otherwise one per sub-pixel
    least    keeps the density of constant pixels from growing without bound

    Samples may leave [0, 1]. Raises ValueError for `least` of 0 or less.
    """

    shared: bool = False
    least: float = 1e-3

    def __post_init__(self) -> None:
        if not self.least > 0:
            raise ValueError(f"least must be positive, got {self.least}")

    def maps(self, channels: int) -> int:
        """A mean per channel, and a log sigma per channel, or one map where it is shared."""
        return channels + 1 if self.shared else 2 * channels

    def groups(self, channels: int) -> int:
        """One per channel."""
        return channels

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(B, maps, H, W) and x -> (B,) nats."""
        _check(parameters, self.maps(x.shape[1]))
        mean, sigma = self._split(parameters)
        log_p = -0.5 * ((x - mean) / sigma).square() - sigma.log() - 0.5 * math.log(2 * math.pi)
        return log_p.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1]."""
        return self._split(parameters)[0]

    def noise(self, like: Tensor, rng: Rng, step: int = 0) -> Tensor:
        """(B, C, H, W) standard normals."""
        return rng.normal(like, step, "image")

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """mean + sigma * noise."""
        mean, sigma = self._split(parameters)
        return mean + sigma * noise

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Means and sigmas, (B, C, H, W) each."""
        if parameters.shape[1] < 2 or (not self.shared and parameters.shape[1] % 2):
            raise ValueError(f"parameters must have means and log sigmas, got {parameters.shape[1]} maps")
        if self.shared:
            mean, last = parameters[:, :-1], parameters[:, -1:]
            log_sigma = last.mean((2, 3), keepdim=True).expand_as(mean)
        else:
            mean, log_sigma = parameters.unflatten(1, (-1, 2)).unbind(2)
        return mean.sigmoid(), self.least + log_sigma.exp()


KINDS: dict[str, type[Bernoulli] | type[Categorical] | type[LogisticMixture] | type[Normal]] = {
    kind.__name__: kind for kind in (Bernoulli, Categorical, LogisticMixture, Normal)
}


def described(likelihood: Likelihood) -> dict[str, Any]:
    """The name and numbers of one of these, for a JSON file; `named` makes it again.

    >>> named(described(Categorical(16)))
    Categorical(levels=16)
    """
    if not isinstance(likelihood, Bernoulli | Categorical | LogisticMixture | Normal):
        raise ValueError(f"likelihood must be one of {sorted(KINDS)}, got {likelihood!r}")
    return {"name": type(likelihood).__name__, **asdict(likelihood)}


def named(config: Mapping[str, Any]) -> Likelihood:
    """The likelihood that `described` told. Raises ValueError for an unknown name, TypeError for other numbers."""
    numbers = dict(config)
    name = numbers.pop("name", None)
    if name not in KINDS:
        raise ValueError(f"likelihood must be one of {sorted(KINDS)}, got {name!r}")
    return KINDS[name](**numbers)


def _check(parameters: Tensor, maps: int) -> None:
    if parameters.shape[1] != maps:
        raise ValueError(f"parameters must have {maps} maps for these images, got shape {tuple(parameters.shape)}")
