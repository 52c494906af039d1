"""Samplers by name, for `ppgn.sample(pipeline, sampler="mala")`, and the choice among them for "auto".

mala          Metropolis-adjusted Langevin walks, adapted in the warm-up
mala+isir     the same in turn with jumps to draws of the prior, for posteriors of several modes
isir          the jumps alone
smc           a population led to the posterior by powers of the condition; gives log p(y) too
rejection     independent draws, 1/p(y) tries each
best_of_n     the best of 16 draws a step; no stated density
auto          one of rejection, smc and mala+isir, by a pilot's p(y)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from ppgn import records, samplers
from ppgn.pipeline import Pipeline
from ppgn.random import streams
from ppgn.samplers.metropolis import require_density
from ppgn.types import Density, Refreshable, Sampler

PROPOSALS = 5  # of isir between two Langevin moves
DRAWS = 32  # of rejection a step
PILOT, LABELS = 2000, 20  # draws of the prior by which auto chooses, for each of so many labels at most
TOGETHER = 500  # of them evaluated at a time
POPULATION = 100  # chains of one label that smc wants
BUDGETED = ("rejection", "smc")  # they stop when they are done: the steps are their budget

Build = Callable[[Pipeline, float, int, Tensor | None], Sampler[Any]]


def _mala(pipeline: Pipeline, step_size: float, warmup: int, labels: Tensor | None) -> Sampler[Any]:
    return samplers.mala(pipeline, step_size, warmup=warmup)


def _mixture(pipeline: Pipeline, step_size: float, warmup: int, labels: Tensor | None) -> Sampler[Any]:
    return samplers.cycle(samplers.isir(pipeline, PROPOSALS), _mala(pipeline, step_size, warmup, labels))


def _smc(pipeline: Pipeline, step_size: float, warmup: int, labels: Tensor | None) -> Sampler[Any]:
    proposal: Literal["mala", "pcn"] = "pcn" if isinstance(pipeline.prior, Refreshable) else "mala"
    return samplers.smc(pipeline, step_size, labels, proposal=proposal)


BUILDERS: dict[str, Build] = {
    "mala": _mala,
    "mala+isir": _mixture,
    "isir": lambda pipeline, *_: samplers.isir(pipeline, 2 * PROPOSALS),
    "smc": _smc,
    "rejection": lambda pipeline, *_: samplers.rejection(pipeline, draws=DRAWS),
    "best_of_n": lambda pipeline, *_: samplers.best_of_n(pipeline),
}
NAMES = (*BUILDERS, "auto")


def build(pipeline: Pipeline, name: str, warmup: int, labels: Tensor | None) -> Sampler[Any]:
    """The sampler of that name for this pipeline; labels (n,) tell which chains share a condition.

    Raises ValueError for an unknown name, TypeError if the prior has no density.
    """
    if name not in BUILDERS:
        raise ValueError(f"sampler must be one of {', '.join(NAMES)}, or one built from the pipeline, got {name!r}")
    prior = require_density(pipeline.prior, name)
    return BUILDERS[name](pipeline, _first_step_size(prior), warmup, labels)


def default_warmup(name: str, steps: int) -> int:
    """Half of the steps, 1,000 at most, for what is a walk."""
    return 0 if name in (*BUDGETED, "best_of_n") else min(1000, steps // 2)


def _first_step_size(prior: Density) -> float:
    """Best for a normal posterior as wide as the prior (Roberts & Rosenthal 1998); the warm-up takes it from here."""
    draws = prior.sample(64, streams(0, 64))
    return 1.36 * float(draws.var(0).mean()) / math.cbrt(draws[0].numel())


def choose(pipeline: Pipeline, n: int, steps: int, seed: int, labels: Tensor | None) -> tuple[str | None, str]:
    """(name, why) for "auto"; no name for what the pipeline recommends.

    By the share p(y) of the prior's draws that the condition accepts, in a pilot; the rarest label decides.
    """
    if pipeline.varies:
        return None, "the pipeline's own sampler, since its condition is drawn anew at each step"
    if not isinstance(pipeline.prior, Density):
        kind = type(pipeline.prior).__name__
        return None, f"the pipeline's own sampler, since its prior ({kind}) knows no density"
    p, error, highest = _pilot(pipeline, n, seed, labels)
    if not highest <= 1.001:
        return "mala+isir", "mala+isir, since p(y|x) is above 1 (an activation or a density), too high for rejection"
    found = f"a pilot of the prior puts p(y) at {p:.2g} ± {error:.1g}"
    tries = steps * DRAWS
    # all n chains done but with a chance of a hundredth, were p two errors lower
    if (p - 2 * error) * tries > math.log(100 * n):
        return "rejection", f"rejection, since {found}: {1 / p:.0f} tries an independent draw"
    smallest = n if labels is None else int(labels.unique(return_counts=True)[1].min())
    if smallest >= POPULATION:
        return "smc", f"smc, since {found}, too rare for rejection in {tries} tries a chain"
    return (
        "mala+isir",
        f"mala+isir, since {found}, too rare for rejection in {tries} tries a chain, and {smallest} chains of a label "
        f"are no population (smc wants {POPULATION})",
    )


def _pilot(pipeline: Pipeline, n: int, seed: int, labels: Tensor | None) -> tuple[float, float, float]:
    """(p(y) of the rarest label, its standard error, the highest p(y|x) met), by PILOT draws a label for this alone."""
    assert isinstance(pipeline.prior, Density)
    groups = torch.zeros(n, dtype=torch.int64) if labels is None else labels
    found: list[tuple[float, float, float]] = []
    for label in groups.unique()[:LABELS]:
        own = (groups == label).nonzero().flatten()
        chains = own.repeat(math.ceil(PILOT / len(own)))[:PILOT]
        first = (1 << 62) + len(found) * PILOT
        codes = pipeline.prior.sample(PILOT, streams(seed, PILOT, first=first))
        device, dtype = records.of_device(pipeline.generator)
        p = torch.cat([
            pipeline.rows(rows.to(device)).log_condition(part.to(device, dtype)).double().exp().cpu()
            for rows, part in zip(chains.split(TOGETHER), codes.split(TOGETHER), strict=True)
        ])  # fmt: skip
        found.append((float(p.mean()), float(p.std() / PILOT**0.5), float(p.nan_to_num(nan=0.0).max())))
    rarest = min(found)
    return rarest[0], rarest[1], max(highest for _, _, highest in found)
