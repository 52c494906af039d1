"""Randomness, generators and priors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

Schedule = float | Callable[[int], float]
"""A number, or a function from the step (0, 1, ...) to the number used for that step."""


class Rng(Protocol):
    """Per-chain randomness as a function of (seed, chain, step, purpose); see `ppgn.random.streams`."""

    def normal(self, like: Tensor, step: int, purpose: str = "move") -> Tensor:
        """Standard normals shaped as `like` (B, ...), row i from chain i's own stream."""
        ...

    def uniform(self, like: Tensor, step: int, purpose: str = "accept") -> Tensor:
        """Uniform numbers in [0, 1), otherwise as `normal`."""
        ...

    def rows(self, index: Tensor) -> Rng:
        """The streams of those chains only."""
        ...


@runtime_checkable
class Generator(Protocol):
    """h (B, *latent) -> x (B, C, H, W) in [0, 1], differentiable."""

    def __call__(self, h: Tensor, /) -> Tensor:
        """G(h)."""
        ...


@runtime_checkable
class Prior(Protocol):
    """What makes a code likely."""

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """d log p(h) / dh, shaped as h, in nats per unit of h. x = G(h) is handed in so that no prior calls G again."""
        ...


@runtime_checkable
class Shaped(Protocol):
    """A generator that says what shape its codes have."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one code."""
        ...


@runtime_checkable
class Coded(Protocol):
    """A generator that brings the prior of its codes, as those of `ppgn.pretrained.generator`."""

    @property
    def prior(self) -> Prior:
        """p(h)."""
        ...


@runtime_checkable
class Density(Prior, Protocol):
    """A prior that knows its density, so that exact samplers may use it."""

    def log_prob(self, h: Tensor) -> Tensor:
        """(B, *latent) -> (B,) in nats, normalised."""
        ...

    def sample(self, n: int, rng: Rng, step: int = 0) -> Tensor:
        """n exact draws (n, *latent); row i depends on chain i of `rng` and the step alone."""
        ...


@runtime_checkable
class Refreshable(Density, Protocol):
    """A density that can renew a code in part: moves that need no gradient start here."""

    def refresh(self, h: Tensor, noise: Tensor, amount: Tensor) -> Tensor:
        """A draw near h, in detailed balance with p(h).

        noise: standard normals as h; amount (B, 1, ...): in (0, 1], at 1 an independent draw.
        """
        ...


@runtime_checkable
class RowPrior(Prior, Protocol):
    """A prior that knows something of each chain, as what is known of its image."""

    def rows(self, index: Tensor) -> RowPrior:
        """The same prior for those chains only."""
        ...


@runtime_checkable
class Ladder(Prior, Protocol):
    """A prior known at many noise levels, as a sigma-conditional denoiser gives it."""

    def at(self, sigma: float) -> Prior:
        """The prior smoothed by normal noise of standard deviation sigma, in units of h."""
        ...
