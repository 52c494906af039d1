"""MALA: Langevin proposals, corrected by a Metropolis step (Roberts & Tweedie 1996). Exact for a prior with a density.

h' = h + d c^2 s(h) + sqrt(2 d) c z,    s = d log p(h)/dh + gamma d log p(y|G(h))/dh,    c the scale of the coordinates
accepted with probability min(1, p(h') q(h | h') / (p(h) q(h' | h))),    p = p(h) p(y|G(h))^gamma
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ppgn.samplers.adaptation import MALA_ACCEPTANCE, Tuning, Warmup, untuned
from ppgn.samplers.compiling import compiled as compile_function
from ppgn.samplers.walks import begin, choose, choose_terms
from ppgn.types import Density, Posterior, Prior, Rng, Sampler, Terms


class MalaState(NamedTuple):
    """One moment of all chains; terms and log_prob belong to h, so that a step costs one evaluation."""

    h: Tensor  # (B, *latent)
    terms: Terms
    log_prob: Tensor  # (B,)   log p(h) + gamma log p(y|G(h)), nats
    step: int
    failed_at: Tensor  # (B,) always -1: what is not finite is rejected
    acceptance: Tensor  # (B,)   probability with which the last Langevin proposal was accepted
    refreshed: Tensor  # (B,)   probability with which the last `isir` step chose another code
    tuning: Tuning


class Point(Protocol):
    """Where a move begins: fields of MalaState, which other states share."""

    @property
    def h(self) -> Tensor:
        """(B, *latent)."""
        ...

    @property
    def terms(self) -> Terms:
        """At h."""
        ...

    @property
    def log_prob(self) -> Tensor:
        """(B,) of h, at the power of the move."""
        ...


class Moved(NamedTuple):
    """Where one Langevin move has led; fields as in MalaState."""

    h: Tensor
    terms: Terms
    log_prob: Tensor
    acceptance: Tensor


def mala(
    pipeline: Posterior,
    step_size: float,
    gamma: float = 1.0,
    *,
    warmup: int = 0,
    acceptance: float = MALA_ACCEPTANCE,
    pooled: bool = False,
    precondition: bool = False,
    compiled: bool = False,
) -> Sampler[MalaState]:
    """Metropolis-adjusted Langevin: leaves p(h) p(y|G(h))^gamma invariant, one evaluation a step.

    step_size      d above, in units of h^2; the first one, if there is a warm-up
    gamma          power of the condition: 1 is Bayes' rule
    warmup         steps of the walk in which the step size is adapted to `acceptance`, to be thrown away; then frozen
    acceptance     the mean acceptance to reach, best at about 0.574 (Roberts & Rosenthal 1998)
    pooled         adapt to all chains together: sooner learnt, but then a chain depends on the others of its batch,
                   and one that began far off walks by steps that suit the rest
    precondition   learn a scale c for every coordinate in the warm-up too; 1 otherwise
    compiled       compile a whole step, networks included (`torch.compile`'s Inductor): seconds at first, then many
                   times faster where networks are small; equal but for rounding

    A proposal with a NaN ratio is rejected. Raises TypeError if the prior has no log_prob, ValueError for a step_size
    that is not positive and finite.
    """
    prior = require_density(pipeline.prior, "mala")
    require_step_size(step_size)
    warm = Warmup(warmup, acceptance, pooled, precondition)
    go = fast_move(pipeline, prior) if compiled else partial(move, pipeline, prior)

    @torch.no_grad()
    def step(state: MalaState, rng: Rng) -> MalaState:
        size = warm.step_size(state.tuning, state.step, step_size)
        scale = state.tuning.scale if precondition else None
        noise, uniform = rng.normal(state.h, state.step), rng.uniform(state.log_prob, state.step)
        moved = go(gamma, state, size, scale, noise, uniform)
        tuning = warm.learn(state.tuning, moved.h, moved.acceptance, state.step)
        return state._replace(**moved._asdict(), step=state.step + 1, tuning=tuning)

    settings = {
        "step_size": step_size, "gamma": gamma, "warmup": warmup, "acceptance": acceptance, "pooled": pooled,
        "precondition": precondition, "compiled": compiled,
    }  # fmt: skip
    return Sampler(
        start(pipeline, prior, gamma), step, exact=True, target=pipeline, name="mala", settings=settings,
        reports=("log_prob", "acceptance"),
    )  # fmt: skip


def move(
    pipeline: Posterior, prior: Density, gamma: float | Tensor, at: Point, step_size: float | Tensor,
    scale: Tensor | None, noise: Tensor, uniform: Tensor,
) -> Moved:  # fmt: skip
    """One proposal from `at`, taken or not, on p(h) p(y|G(h))^gamma.

    gamma, step_size   numbers, or one per chain (B,)
    scale              c of every coordinate (B, *latent); None: 1
    noise, uniform     standard normals like h, and numbers in [0, 1) (B,)
    """
    gamma_row = _column(gamma, noise)
    root = (2 * _column(step_size, noise)) ** 0.5  # the noise's standard deviation; half its square is d
    root = root if scale is None else root * scale
    score = at.terms.prior + gamma_row * at.terms.condition
    h = at.h + root * (0.5 * root * score + noise)
    terms = pipeline(h)
    log_prob = prior.log_prob(h) + gamma * terms.log_condition
    # log q(h | h') - log q(h' | h) = (|z|^2 - |z'|^2) / 2, where the way back has z' = -(z + a)
    a = 0.5 * root * (score + terms.prior + gamma_row * terms.condition)
    log_ratio = log_prob - at.log_prob - (a * (noise + 0.5 * a)).flatten(1).sum(1)
    acceptance = log_ratio.nan_to_num(nan=-math.inf).exp().clamp(max=1)
    taken = uniform < acceptance
    return Moved(
        choose(taken, h, at.h), choose_terms(taken, terms, at.terms), choose(taken, log_prob, at.log_prob), acceptance
    )


def fast_move(pipeline: Posterior, prior: Density) -> Callable[..., Moved]:
    """`move` without its first two arguments, compiled for every set of numbers among the others."""
    functions: dict[Hashable, Callable[..., Sequence[Tensor]]] = {}

    def fast(
        gamma: float | Tensor,
        at: Point,
        step_size: float | Tensor,
        scale: Tensor | None,
        noise: Tensor,
        uniform: Tensor,
    ) -> Moved:
        numbers = (gamma, step_size, scale)
        key = tuple(None if isinstance(number, Tensor) else (number,) for number in numbers)
        if key not in functions:
            functions[key] = compile_function(partial(_flat_move, pipeline, prior, key))
        given = [number for number in numbers if isinstance(number, Tensor)]
        h, image, score, gradient, log_p, log_prob, acceptance = functions[key](
            at.h, *at.terms, at.log_prob, noise, uniform, *given
        )
        return Moved(h, Terms(image, score, gradient, log_p), log_prob, acceptance)

    return fast


def _flat_move(
    pipeline: Posterior, prior: Density, numbers: Sequence[tuple[Any] | None], h: Tensor, image: Tensor, score: Tensor,
    gradient: Tensor, log_p: Tensor, log_prob: Tensor, noise: Tensor, uniform: Tensor, *given: Tensor,
) -> list[Tensor]:  # fmt: skip
    """`move` of tensors alone; `numbers` holds those of (gamma, step_size, scale) that are constants."""
    rest = iter(given)
    gamma, step_size, scale = (next(rest) if number is None else number[0] for number in numbers)
    at = Moved(h, Terms(image, score, gradient, log_p), log_prob, log_prob)
    moved = move(pipeline, prior, gamma, at, step_size, scale, noise, uniform)
    return [moved.h, *moved.terms, moved.log_prob, moved.acceptance]


def start(
    pipeline: Posterior, prior: Density, gamma: float, finite_terms: bool = True
) -> Callable[[Tensor], MalaState]:
    """The init of every kernel on this state; finite_terms: whether it needs them to leave its start."""

    def init(h: Tensor) -> MalaState:
        terms, failed_at = begin(pipeline, h, finite_terms)
        log_prob = prior.log_prob(h) + gamma * terms.log_condition
        ones = torch.ones_like(log_prob)
        return MalaState(h, terms, log_prob, 0, failed_at, ones, ones, untuned(h))

    return init


def require_density(prior: Prior, kernel: str) -> Density:
    """The prior itself. Raises TypeError naming what would do if it only knows a score."""
    if isinstance(prior, Density):
        return prior
    raise TypeError(
        f"{kernel} needs a prior with a density (log_prob and sample), as gaussian, but {type(prior).__name__} has "
        "none; ula, mala_approx and annealed walk on a score alone"
    )


def require_step_size(step_size: float) -> None:
    """Raise ValueError unless it is positive and finite."""
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size must be positive and finite, got {step_size}")


def _column(value: float | Tensor, like: Tensor) -> float | Tensor:
    """One number a chain as a factor of codes (B, *latent)."""
    return value.view(-1, *[1] * (like.ndim - 1)) if isinstance(value, Tensor) else value
