"""The walks of the papers: MALA-approx and activation maximisation. Neither is exact.

MALA-approx drops the Metropolis step of MALA and decouples gradient from noise, so with free epsilons it is noisy
gradient ascent and not a sampler of a stated density (Nguyen et al. 2017, Sec. 2.1; MALA itself: Roberts & Tweedie
1996).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ppgn.samplers.schedules import at
from ppgn.samplers.walks import begin, choose, choose_terms, finite, varied
from ppgn.types import Rng, Sampler, Schedule, Target, Terms

Bounds = tuple[float | Tensor, float | Tensor]


class LangevinState(NamedTuple):
    """One moment of all chains; `terms` belong to `h`."""

    h: Tensor  # (B, *latent)
    terms: Terms
    step: int
    failed_at: Tensor  # (B,) int64: the step whose move or terms were not finite, -1 while well


def mala_approx(
    pipeline: Target,
    eps_prior: Schedule,
    eps_condition: Schedule,
    eps_noise: Schedule,
    mode: Literal["paper", "released"] = "paper",
    *,
    step_size: Schedule = 1.0,
    bounds: Bounds | None = None,
) -> Sampler[LangevinState]:
    """MALA-approx.

    "paper", Eq. 5 and 11:    h <- h + e1 score + e2 d log p(y|G(h))/dh + e3 z,   z ~ N(0, I)
    "released", their code:   d = e1 score + e2 gradient + e3 z;  h <- clip(h + step_size d / mean|d|), mean per chain

    eps_prior, eps_condition, eps_noise   numbers or schedules, in units of h^2 (per nat), h^2 and h; eps_noise is a
                standard deviation. (d, g d, sqrt(2 d)) are the Langevin steps of size d on p(h) p(y|G(h))^g
    step_size   released only: the mean move of a coordinate, 1 or a schedule as `linear(1.0, 1e-10, steps)`
    bounds      (low, high), numbers or tensors as one code (on its device), clipped after each move; released: (0, 30)

    With the released mode only the ratios of the epsilons matter, and the noise is rescaled with the move. Raises
    ValueError for another mode, or a step_size in paper mode.

    >>> import ppgn
    >>> sampler = mala_approx(ppgn.load("mnist"), eps_prior=1e-2, eps_condition=1.0, eps_noise=1e-3)
    >>> sampler.exact
    False
    """
    if mode not in ("paper", "released"):
        raise ValueError(f"mode must be 'paper' or 'released', got {mode!r}")
    if mode == "paper" and step_size != 1.0:
        raise ValueError(f"step_size belongs to mode='released'; in paper mode scale the epsilons, got {step_size}")
    settings = {"eps_prior": eps_prior, "eps_condition": eps_condition, "eps_noise": eps_noise, "mode": mode}
    if mode == "released":
        bounds = bounds or (0.0, 30.0)
        settings["step_size"] = step_size

    def move(state: LangevinState, rng: Rng) -> Tensor:
        terms, k = state.terms, state.step
        d = at(eps_prior, k) * terms.prior + at(eps_condition, k) * terms.condition
        noise = at(eps_noise, k)
        if noise:
            d = d + noise * rng.normal(state.h, k)
        return d if mode == "paper" else at(step_size, k) * over_mean(d)

    return _sampler("mala_approx", pipeline, move, _clip(bounds), {**settings, "bounds": bounds})


def ula(
    pipeline: Target, step_size: Schedule, gamma: float = 1.0, *, temperature: float = 1.0
) -> Sampler[LangevinState]:
    """The unadjusted Langevin walk on p(h) p(y|G(h))^gamma: MALA-approx with its epsilons tied to one step size d.

    h <- h + d (score + gamma d log p(y|G(h))/dh) + sqrt(2 d temperature) z

    step_size     d, in units of h^2; the walk's law differs from its target by a bias that falls with d
    gamma         power of the condition: 1 is Bayes' rule
    temperature   1 samples, 0 climbs

    On N(0, 1/a) its variance is 1 / (a (1 - a d / 2)). Raises ValueError for a step_size that is not positive and
    finite, or a negative temperature.
    """
    if not callable(step_size) and not 0 < step_size < math.inf:
        raise ValueError(f"step_size must be positive and finite, got {step_size}")
    if not temperature >= 0:
        raise ValueError(f"temperature must not be negative, got {temperature}")

    def move(state: LangevinState, rng: Rng) -> Tensor:
        terms, d = state.terms, at(step_size, state.step)
        drift = d * (terms.prior + gamma * terms.condition)
        return drift + math.sqrt(2 * d * temperature) * rng.normal(state.h, state.step) if temperature else drift

    settings = {"step_size": step_size, "gamma": gamma, "temperature": temperature}
    return _sampler("ula", pipeline, move, _clip(None), settings)


def activation_max(
    pipeline: Target, step_size: Schedule = 8.0, decay: Schedule = 0.01, *, bounds: Bounds | None = None
) -> Sampler[LangevinState]:
    """Activation maximisation in a generator's code, DGN-AM (Nguyen et al., NIPS 2016) as the authors ran it.

    h <- (1 - decay) clip(h + step_size g / mean|g|),   g the condition's gradient, mean per chain; no prior, no noise.

    step_size   mean move of a coordinate; theirs fell linearly from 8 to 1e-10 in 200 steps: `linear(8.0, 1e-10, 200)`
    decay       the share of h lost a step: weight decay, their 0.01
    bounds      (low, high) as numbers or per unit; theirs 0 and the unit's mean + 3 standard deviations on real images

    The condition may be a raw unit (`class_label(..., objective="logit")`, theirs) or a log-probability.
    """

    def move(state: LangevinState, rng: Rng) -> Tensor:
        return at(step_size, state.step) * over_mean(state.terms.condition)

    clip = _clip(bounds)

    def constrain(h: Tensor, step: int) -> Tensor:
        return (1 - at(decay, step)) * clip(h, step)

    settings = {"step_size": step_size, "decay": decay, "bounds": bounds}
    return _sampler("activation_max", pipeline, move, constrain, settings)


def over_mean(d: Tensor) -> Tensor:
    """d (B, *latent) over its own mean absolute value, chain by chain; a chain with nowhere to go stays."""
    size = d.abs().flatten(1).mean(1).view(-1, *[1] * (d.ndim - 1))
    return torch.where(size == 0, 0.0, d / size)  # NaN stays NaN, to be seen


def _sampler(
    name: str,
    target: Target,
    move: Callable[[LangevinState, Rng], Tensor],
    constrain: Callable[[Tensor, int], Tensor],
    settings: Mapping[str, Any],
) -> Sampler[LangevinState]:
    """h <- constrain(h + move), the terms evaluated once at the new code, under the condition as it is at that step."""
    target_at = varied(target)

    def init(h: Tensor) -> LangevinState:
        terms, failed_at = begin(target, h)
        return LangevinState(h, terms, 0, failed_at)

    @torch.no_grad()
    def step(state: LangevinState, rng: Rng) -> LangevinState:
        moved = state.h + move(state, rng)
        h = constrain(moved, state.step)
        return settle(state, moved, h, target_at(rng, state.step + 1, h)(h))

    return Sampler(init, step, exact=False, target=target, name=name, settings=settings)


def settle(state: LangevinState, moved: Tensor, h: Tensor, terms: Terms) -> LangevinState:
    """The state after a move to `moved`, constrained to h, with the terms there.

    A chain that met NaN or inf stays where all was finite; the others walk on, and no host sync is needed.
    """
    numbers = (moved, terms.prior, terms.condition, terms.log_condition[:, None])
    well = finite(torch.cat([value.flatten(1) for value in numbers], dim=1)) & (state.failed_at < 0)
    return LangevinState(
        choose(well, h, state.h),
        choose_terms(well, terms, state.terms),
        state.step + 1,
        torch.where(well | (state.failed_at >= 0), state.failed_at, state.step + 1),
    )


def _clip(bounds: Bounds | None) -> Callable[[Tensor, int], Tensor]:
    if bounds is None:
        return lambda h, step: h
    low, high = bounds
    if not bool(torch.as_tensor(low < high).all()):
        raise ValueError(f"bounds must be (low, high) with low < high, got {bounds}")

    def on(bound: float | Tensor, h: Tensor) -> float | Tensor:
        return bound.to(h) if isinstance(bound, Tensor) else bound

    return lambda h, step: h.clamp(min=on(low, h)).clamp(max=on(high, h))
