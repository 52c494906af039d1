"""The Langevin proposal and its Metropolis test (Roberts & Tweedie 1996), once, several times, or compiled; and one
that needs no gradient.

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

from ppgn.samplers.compiling import compiled
from ppgn.samplers.walks import choose, choose_terms
from ppgn.types import Density, Posterior, Refreshable, Terms


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
    """Where a move has led; fields as in MalaState."""

    h: Tensor
    terms: Terms
    log_prob: Tensor
    acceptance: Tensor


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


def refresh_move(
    pipeline: Posterior, prior: Refreshable, gamma: float | Tensor, at: Point, step_size: Tensor, noise: Tensor,
    uniform: Tensor,
) -> Moved:  # fmt: skip
    """Renew codes in part by the prior, and let the condition alone decide: preconditioned Crank-Nicolson (Cotter,
    Roberts, Stuart & White 2013, Sec. 3.1).

    A forward evaluation, no gradient: of the terms only log_condition is that of the new code. step_size (B,): half the
    renewed share of the variance, at most 1/2.
    """
    share = (2 * step_size).clamp(max=1).sqrt().view(-1, *[1] * (noise.ndim - 1)).to(noise.dtype)
    h = prior.refresh(at.h, noise, share)
    log_p = pipeline.log_condition(h)
    ratio = gamma * (log_p - at.terms.log_condition)  # NaN: neither is possible
    acceptance = ratio.nan_to_num(nan=-math.inf, neginf=-math.inf).exp().clamp(max=1)
    taken = uniform < acceptance
    return Moved(
        choose(taken, h, at.h),
        at.terms._replace(log_condition=choose(taken, log_p, at.terms.log_condition)),
        choose(taken, prior.log_prob(h) + gamma * log_p, at.log_prob),
        acceptance,
    )


def several_moves(
    pipeline: Posterior, prior: Density, gamma: float | Tensor, at: Point, step_size: float | Tensor,
    scale: Tensor | None, noise: Tensor, uniform: Tensor,
) -> Moved:  # fmt: skip
    """One move after another: noise (B, m, *latent), uniform (B, m). `acceptance` is their mean."""
    total = torch.zeros_like(at.log_prob)
    for z, u in zip(noise.unbind(1), uniform.unbind(1), strict=True):
        at = move(pipeline, prior, gamma, at, step_size, scale, z, u)
        total = total + at.acceptance
    return Moved(at.h, at.terms, at.log_prob, total / noise.shape[1])


def fast_moves(pipeline: Posterior, prior: Density) -> Callable[..., Moved]:
    """`several_moves` without its first two arguments, compiled for every set of numbers among the others."""
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
            functions[key] = compiled(partial(_flat_moves, pipeline, prior, key))
        given = [number for number in numbers if isinstance(number, Tensor)]
        h, image, score, gradient, log_p, log_prob, acceptance = functions[key](
            at.h, *at.terms, at.log_prob, noise, uniform, *given
        )
        return Moved(h, Terms(image, score, gradient, log_p), log_prob, acceptance)

    return fast


def _flat_moves(
    pipeline: Posterior, prior: Density, numbers: Sequence[tuple[Any] | None], h: Tensor, image: Tensor, score: Tensor,
    gradient: Tensor, log_p: Tensor, log_prob: Tensor, noise: Tensor, uniform: Tensor, *given: Tensor,
) -> list[Tensor]:  # fmt: skip
    """`several_moves` of tensors alone; `numbers` holds those of (gamma, step_size, scale) that are constants."""
    rest = iter(given)
    gamma, step_size, scale = (next(rest) if number is None else number[0] for number in numbers)
    at = Moved(h, Terms(image, score, gradient, log_p), log_prob, log_prob)
    moved = several_moves(pipeline, prior, gamma, at, step_size, scale, noise, uniform)
    return [moved.h, *moved.terms, moved.log_prob, moved.acceptance]


def _column(value: float | Tensor, like: Tensor) -> float | Tensor:
    """One number a chain as a factor of codes (B, *latent), of their type whatever log p's is."""
    return value.view(-1, *[1] * (like.ndim - 1)).to(like.dtype) if isinstance(value, Tensor) else value
