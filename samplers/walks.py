"""From a kernel to a walk: an endless iterator of states, which the caller slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ppgn.types import Posterior, Rng, S, Sampler, Target, Terms


def chain(sampler: Sampler[S], h0: Tensor, rng: Rng) -> Iterator[S]:
    """States of the walk from h0 (B, *latent), the first being `sampler.init(h0)`; endless.

    Burn-in, thinning and length are `itertools.islice(chain(...), burn, stop, every)`.
    """
    return walk(sampler, sampler.init(h0), rng)


def walk(sampler: Sampler[S], state: S, rng: Rng) -> Iterator[S]:
    """States from `state` on, itself first: how a saved walk continues."""
    while True:
        yield state
        state = sampler.step(state, rng)


def cycle(*samplers: Sampler[S]) -> Sampler[S]:
    """One sampler after another, a step each; exact if all are. Their states must be of one type, as of mala and isir.

    Raises ValueError for none, for samplers of different pipelines or powers gamma, and for those that end (rejection,
    smc).
    """
    if not samplers:
        raise ValueError("cycle needs at least one sampler, got none")
    first = samplers[0]
    if any(other.target is not first.target for other in samplers):
        raise ValueError("cycle needs samplers of one pipeline, got different ones")
    gammas = {sampler.settings["gamma"] for sampler in samplers if "gamma" in sampler.settings}
    if len(gammas) > 1:
        raise ValueError(f"cycle needs samplers of one power of the condition, got gamma {sorted(gammas)}")
    for sampler in samplers:
        if sampler.finished is not None:
            raise ValueError(f"cycle needs walks, but {sampler.name} ends when it is done")

    def step(state: S, rng: Rng) -> S:
        return samplers[state.step % len(samplers)].step(state, rng)

    return Sampler(
        first.init,
        step,
        exact=all(sampler.exact for sampler in samplers),
        target=first.target,
        name="cycle",
        settings={str(i): {"name": s.name, **s.settings} for i, s in enumerate(samplers)},
        reports=tuple(dict.fromkeys(name for sampler in samplers for name in sampler.reports)),
    )


def choose(taken: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Row by row: new where taken (B,), else old."""
    return torch.where(taken.view(-1, *[1] * (new.ndim - 1)), new, old)


def choose_terms(taken: Tensor, new: Terms, old: Terms) -> Terms:
    """Row by row, as `choose`."""
    return Terms(*(choose(taken, a, b) for a, b in zip(new, old, strict=True)))


def begin(target: Target, h: Tensor, finite_terms: bool = True) -> tuple[Terms, Tensor]:
    """The checked terms at the start, and `failed_at` of chains that are all well.

    finite_terms: False for kernels that leave their start without looking back.
    """
    check_codes(h)
    terms = target(h)
    check_shapes(h, terms)
    if finite_terms:
        check_finite(terms)
    return terms, torch.full((len(h),), -1, device=h.device)


def varied(target: Target) -> Callable[[Rng, int, Tensor], Target]:
    """(rng, step, h) -> what to evaluate at that step: the target itself, unless its condition varies."""
    if isinstance(target, Posterior) and target.varies:
        return target.drawn
    return lambda rng, step, h: target


def require_fixed(target: Posterior, kernel: str) -> None:
    """Raise TypeError if the target is another at each step."""
    if target.varies:
        raise TypeError(
            f"{kernel} needs a condition that stays the same, but this one is drawn anew at each step (views); "
            "mala_approx, ula, activation_max and annealed take it"
        )


def finite(value: Tensor) -> Tensor:
    """(B, ...) -> (B,): which rows hold neither NaN nor infinity."""
    return torch.isfinite(value).flatten(1).all(1)


def check_codes(h: Tensor) -> None:
    """Before the first evaluation: TypeError for codes that are no floats, ValueError for NaN or inf, by chain."""
    if not h.is_floating_point():
        raise TypeError(f"codes must be floating point, got {h.dtype}")
    _require_finite("code", h)


def check_shapes(h: Tensor, terms: Terms) -> None:
    """Once, at a sampler's init: raise ValueError for terms of a wrong shape, naming what is needed and what came."""
    b = len(h)
    if terms.log_condition.shape != (b,):
        got = tuple(terms.log_condition.shape)
        raise ValueError(f"Condition must return shape (B,) = ({b},), got {got}; select a class or sum")
    if terms.image.ndim != 4 or len(terms.image) != b or terms.image.shape[1] not in (1, 3):
        got = tuple(terms.image.shape)
        raise ValueError(f"Generator must return images (B, C, H, W) with B = {b}, C = 1 or 3, got {got}")
    for name, value in (("Prior score", terms.prior), ("Condition gradient", terms.condition)):
        if value.shape != h.shape:
            raise ValueError(f"{name} must have the code's shape {tuple(h.shape)}, got {tuple(value.shape)}")


def check_finite(terms: Terms) -> None:
    """Raise ValueError for NaN or inf that no step could leave, naming the chains."""
    _require_finite("image", terms.image)
    _require_finite("prior score", terms.prior)
    _require_finite("condition gradient", terms.condition)
    _require_finite("log condition", terms.log_condition[:, None])


def _require_finite(name: str, value: Tensor) -> None:
    chains = (~finite(value)).nonzero().flatten().tolist()
    if chains:
        raise ValueError(f"{name} must be finite at the start (step 0), but is not in chains {chains}")
