"""The contracts every part keeps, and nothing else.

    h      (B, *latent)    a batch of codes, one chain per row, float
    x      (B, C, H, W)    images, float in [0, 1], grey or RGB

p(h | y) is proportional to p(h) p(y | G(h)): a generator, a prior and a condition (Nguyen et al., CVPR 2017, Sec. 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

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
class Ladder(Prior, Protocol):
    """A prior known at many noise levels, as a sigma-conditional denoiser gives it."""

    def at(self, sigma: float) -> Prior:
        """The prior smoothed by normal noise of standard deviation sigma, in units of h."""
        ...


@runtime_checkable
class Condition(Protocol):
    """How well an image fits what was asked; y is bound inside."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log p(y | x) in nats, row i by row i's own y."""
        ...

    def rows(self, index: Tensor) -> Condition:
        """Return the same condition for those rows only, so that micro-batches keep their own labels."""
        ...


@runtime_checkable
class Varying(Condition, Protocol):
    """A condition of which some part is drawn anew at each step of a walk, as random views of the image."""

    @property
    def varies(self) -> bool:
        """Whether it does: what is made of other conditions varies if one of them does."""
        ...

    def drawn(self, rng: Rng, step: int, like: Tensor) -> Condition:
        """The condition as it is at that step, from (seed, chain, step) alone.

        like: (B, ...) says how many rows there are, their device and type.
        """
        ...


@runtime_checkable
class NamedClasses(Protocol):
    """A classifier that knows what its classes are called."""

    @property
    def class_names(self) -> Sequence[str]:
        """One a class, in the order of the logits; synonyms are parted by commas. Empty: not known."""
        ...


class Terms(NamedTuple):
    """Everything one evaluation at h yields; all detached."""

    image: Tensor  # (B, C, H, W)   G(h)
    prior: Tensor  # (B, *latent)   the prior's score at h
    condition: Tensor  # (B, *latent)   d log p(y | G(h)) / dh
    log_condition: Tensor  # (B,)           log p(y | G(h)), nats


Target = Callable[[Tensor], Terms]
"""What a sampler walks on: usually a `ppgn.Pipeline`."""


@runtime_checkable
class Posterior(Protocol):
    """A target that also shows its parts, as `ppgn.Pipeline` does: exact kernels need the prior's density, and some
    ask for log p(y|G(h)) alone, which costs no gradient."""

    @property
    def varies(self) -> bool:
        """Whether its condition is another at each step: no kernel is exact on a target that moves."""
        ...

    def drawn(self, rng: Rng, step: int, h: Tensor) -> Posterior:
        """The posterior at that step for the chains at h (B, *latent); itself if nothing varies."""
        ...

    @property
    def prior(self) -> Prior:
        """p(h)."""
        ...

    def __call__(self, h: Tensor, /) -> Terms:
        """The terms at h (B, *latent)."""
        ...

    def log_condition(self, h: Tensor) -> Tensor:
        """log p(y|G(h)) (B,), nats, without gradients."""
        ...

    def conditioned(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(image, condition, log_condition) of the terms at h, for kernels that bring a score of their own."""
        ...

    def rows(self, index: Tensor) -> Posterior:
        """The same posterior for those chains: row i of its codes answers to what chain index[i] is asked."""
        ...


S = TypeVar("S", bound="State")


class State(Protocol):
    """What every sampler's state carries (a NamedTuple of tensors, numbers and Terms, so that it can be saved)."""

    @property
    def h(self) -> Tensor:
        """(B, *latent) current codes."""
        ...

    @property
    def terms(self) -> Terms:
        """The terms at h: `terms.image` is G(h), but on a ladder of noise, where it is G of the code to be expected."""
        ...

    @property
    def step(self) -> int:
        """The number of steps taken."""
        ...

    @property
    def failed_at(self) -> Tensor:
        """(B,) int64: the step at which a chain met NaN or inf and stopped at its last finite code; -1 while well."""
        ...


@dataclass(frozen=True)
class Sampler(Generic[S]):
    """A Markov kernel: `init` evaluates the target at a code, `step` moves once and changes nothing but its result."""

    init: Callable[[Tensor], S]
    step: Callable[[S, Rng], S]
    exact: bool  # True only if the kernel leaves what it states, p(h) p(y | G(h))^gamma, invariant
    target: Target | None = None  # what it walks on
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)  # the builder's arguments, for records
    reports: tuple[str, ...] = ()  # fields of its state (B,) that say how a step went, as "acceptance"
    finished: Callable[[S], Tensor] | None = None  # (B,) bool: rows that are ready; None: a walk that mixes as it goes
