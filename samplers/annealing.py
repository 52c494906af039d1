"""Annealed Langevin on the codes: down a ladder of noise, from a blurred posterior that mixes to the sharp one.

Level sigma's target is p_sigma(h) p(y | G(D(h; sigma)))^gamma: the prior smoothed by noise, with D(h; sigma) =
h + sigma^2 d log p_sigma(h) / dh the code expected to be clean (Tweedie), where alone the generator and the classifier
are at home (Chung et al., ICLR 2023). A ladder of targets: Song & Ermon, NeurIPS 2019.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ppgn.samplers.langevin import LangevinState, settle
from ppgn.samplers.schedules import geometric
from ppgn.samplers.walks import begin
from ppgn.types import Ladder, Posterior, Prior, Rng, Sampler, Terms


def annealed(
    pipeline: Posterior,
    sigma_max: float,
    sigma_min: float,
    levels: int,
    *,
    corrector: float = 0.3,
    gamma: float = 1.0,
    limit: float | None = None,
) -> Sampler[LangevinState]:
    """Predictor and corrector in one step, one evaluation each: `levels` of them down the ladder, then at sigma_min.

    h <- h + (1 - r (1 - c)) (sigma^2 s) + sigma' (c / 2)^(1/2) (z_k + z_{k+1}),      r = sigma' / sigma
    s = d log p_sigma(h) / dh + gamma d log p(y | G(D(h; sigma))) / dh

    sigma_max, sigma_min   the geometric ladder's ends, in units of h; start at codes smoothed by sigma_max
    levels      steps from one end to the other; from then on the walk is ordinary Langevin on p_sigma_min(h)
                p(y | G(h))^gamma, so that any number of steps is a walk and a last image is G of its code
    corrector   c: the share of a Langevin step of size c sigma^2 in every move; 0 is the deterministic (DDIM) descent
    gamma       power of the condition: 1 is Bayes' rule
    limit       the most that the condition may move the code expected, as a root mean square in units of sigma: for
                conditions that are steep where the level still blurs, as known pixels are; None: as far as it pulls

    Noise is averaged over two steps (Leimkuhler & Matthews, 2013): on a normal target the walk's variance is then right
    for any c, where Euler's is too large by 1 / (1 - c / 2). Not exact: the descent is finite and the score learned.
    On the way `terms` are those of the level, their image G(D(h; sigma)).
    Raises TypeError if the prior knows a single noise level; ValueError unless 0 < sigma_min < sigma_max, levels >= 1,
    0 <= corrector < 2 and limit > 0.
    """
    if not isinstance(pipeline.prior, Ladder):
        kind = type(pipeline.prior).__name__
        raise TypeError(f"the prior must be known at many noise levels, as dae(..., conditional=True), not {kind}")
    if not 0 < sigma_min < sigma_max < math.inf or levels < 1:
        raise ValueError(
            f"0 < sigma_min < sigma_max and levels >= 1 are needed, got {sigma_min}, {sigma_max} and {levels}"
        )
    if not 0 <= corrector < 2:
        raise ValueError(f"corrector must be at least 0 and less than 2, got {corrector}")
    if limit is not None and not limit > 0:
        raise ValueError(f"limit must be positive, got {limit}")
    sigma_of = geometric(sigma_max, sigma_min, levels)
    ladder = pipeline.prior
    ladder.at(sigma_max)  # a prior that knows one level only says so now

    def terms_at(target: Posterior, h: Tensor, step: int) -> Terms:
        sigma = sigma_of(step)
        prior = ladder.at(sigma)
        return _blurred(target, prior, sigma, h) if step < levels else _sharp(target, prior, h)

    def init(h: Tensor) -> LangevinState:
        terms, failed_at = begin(lambda code: terms_at(pipeline, code, 0), h)
        return LangevinState(h, terms, 0, failed_at)

    @torch.no_grad()
    def step(state: LangevinState, rng: Rng) -> LangevinState:
        k, terms = state.step, state.terms
        sigma, after = sigma_of(k), sigma_of(k + 1)
        asked = _limited(sigma**2 * gamma * terms.condition, math.inf if limit is None else limit * sigma)
        pull = sigma**2 * terms.prior + asked
        moved = state.h + (1 - after / sigma * (1 - corrector)) * pull
        if corrector:
            moved = moved + after * math.sqrt(corrector / 2) * (rng.normal(state.h, k) + rng.normal(state.h, k + 1))
        target = pipeline.drawn(rng, k + 1, moved) if pipeline.varies else pipeline
        return settle(state, moved, moved, terms_at(target, moved, k + 1))

    settings = {
        "sigma_max": sigma_max, "sigma_min": sigma_min, "levels": levels, "corrector": corrector, "gamma": gamma,
        "limit": limit,
    }  # fmt: skip
    return Sampler(init, step, exact=False, target=pipeline, name="annealed", settings=settings)


def _limited(move: Tensor, most: float) -> Tensor:
    """The move (B, *latent), each chain's shortened to a root mean square of `most`."""
    if most == math.inf:
        return move
    size = move.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (move.ndim - 1))
    return move * (most / size.clamp(min=most))


def _sharp(pipeline: Posterior, prior: Prior, h: Tensor) -> Terms:
    """The pipeline's terms at h, the prior's from `prior`."""
    image, gradient, log_condition = pipeline.conditioned(h)
    return Terms(image, prior.score(h, image), gradient, log_condition)


def _blurred(pipeline: Posterior, prior: Prior, sigma: float, h: Tensor) -> Terms:
    """Terms whose condition sees the code that the prior expects: its gradient goes back through the denoiser."""
    with torch.enable_grad():
        noisy = h.detach().requires_grad_()
        score = prior.score(noisy, torch.empty(0))
        clean = noisy + sigma**2 * score
    image, at_clean, log_condition = pipeline.conditioned(clean.detach())
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(clean, noisy, at_clean)
    return Terms(image, score.detach(), gradient, log_condition)
