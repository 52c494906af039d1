"""What one evaluation yields, and the kernels that walk on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from ppgn.types.parts import Prior, Rng


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
