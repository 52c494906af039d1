"""Which walks sample the posterior they were asked for? A toy whose truth quadrature knows, and 200,000 chains.

    python benchmarks/exactness.py

z ~ N(0, I_2), p(y | z) = sigmoid(k (z_1 - c)); z_2 is a nuisance that the condition does not see. "Accuracy" is the
share with p(y | z) > 1/2: of the exact posterior it is 0.71 and 0.75, so a walk that reaches 1 has not sampled it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import tables
import torch
from torch import Tensor

import ppgn
from ppgn import samplers
from ppgn.random import streams
from ppgn.types import Sampler

N, GROUPS, SEEDS = 200_000, 200, 3
SETTINGS = ((4.0, 1.0), (8.0, 2.0))
Build = Callable[[ppgn.Pipeline], Sampler]


@dataclass(frozen=True)
class Logistic:
    """p(y | x) = sigmoid(k (x_1 - c))."""

    k: float
    c: float

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(self.k * (x.flatten(1)[:, 0] - self.c))

    def rows(self, index: Tensor) -> Logistic:
        return self


@dataclass(frozen=True)
class Row:
    name: str
    build: Build
    steps: int


def lace_ld(pipeline: ppgn.Pipeline) -> Sampler:
    """LACE's Langevin dynamics as published: step 0.01, noise of standard deviation 0.01 where sqrt(0.02) is due."""
    return samplers.mala_approx(pipeline, 0.01, 0.01, 0.01)


def lace_ode(pipeline: ppgn.Pipeline) -> Sampler:
    """LACE's probability flow as published: gradient ascent on log p(y | z) for the integrated time 5.03."""
    return samplers.mala_approx(pipeline, 0.0, 0.0503, 0.0)


def released(pipeline: ppgn.Pipeline) -> Sampler:
    """PPGN's released ratios and normalised step, without the clip that belongs to fc6."""
    return samplers.mala_approx(pipeline, 1e-5, 1.0, 1e-17, "released", bounds=(-math.inf, math.inf))


def smc(pipeline: ppgn.Pipeline) -> Sampler:
    """200 populations of 1,000."""
    return samplers.smc(pipeline, 0.3, torch.arange(N) // (N // GROUPS))


ROWS = [
    Row("`rejection`", samplers.rejection, 24),
    Row("`mala`, step .15", lambda p: samplers.mala(p, 0.15), 120),
    Row("`mala`, adapted for 200 of", lambda p: samplers.mala(p, 0.3, warmup=200), 320),
    Row("`smc`", smc, 20),
    Row("`isir`, 10 proposals", samplers.isir, 60),
    Row(
        "`cycle` of `isir`, 5 and `mala`, .15",
        lambda p: samplers.cycle(samplers.isir(p, 5), samplers.mala(p, 0.15)),
        80,
    ),
    Row("`ula`, step .01", lambda p: samplers.ula(p, 0.01), 1000),
    Row("PPGN's released settings", released, 200),
    Row("LACE-ODE as published", lace_ode, 100),
    Row("LACE-LD as published", lace_ld, 100),
]


def truth(condition: Logistic) -> tuple[float, float, float]:
    """(mean and standard deviation of z_1, accuracy) by quadrature."""
    z = torch.linspace(-12, 12, 400_001, dtype=torch.float64)
    w = (-0.5 * z**2 + condition.log_prob(z[:, None])).softmax(0)
    mean = (w * z).sum()
    return mean.item(), (w * (z - mean) ** 2).sum().sqrt().item(), w[z > condition.c].sum().item()


def walk(row: Row, condition: Logistic, seed: int) -> tuple[Tensor, bool]:
    """(codes (N, 2) at the end, whether the sampler states that it is exact)."""
    pipeline = ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 2), ppgn.priors.gaussian((2,)), condition)
    sampler, rng = row.build(pipeline), streams(seed, N)
    state = next(islice(samplers.chain(sampler, pipeline.prior.sample(N, rng), rng), row.steps, None))
    if sampler.finished is not None and not bool(sampler.finished(state).all()):
        raise RuntimeError(f"{row.name} must be given more steps: not all chains are finished")
    return state.h, sampler.exact


def figures(h: Tensor, condition: Logistic) -> list[tuple[float, float, float]]:
    """(value, truth, standard error) of mean, spread, nuisance spread and accuracy; the error from GROUPS groups of
    chains, which are independent whatever the sampler (a group is a population of smc)."""
    mean, std, accuracy = truth(condition)
    parts = h.double().view(-1, N // GROUPS, 2)

    def found(one: Callable[[Tensor], Tensor], true: float) -> tuple[float, float, float]:
        each = torch.stack([one(part) for part in parts])
        return one(h.double()).item(), true, (each.std() / math.sqrt(len(each))).item()

    return [
        found(lambda h: h[:, 0].mean(), mean),
        found(lambda h: h[:, 0].std(), std),
        found(lambda h: h[:, 1].std(), 1.0),
        found(lambda h: (h[:, 0] > condition.c).double().mean(), accuracy),
    ]


def main() -> None:
    rows = []
    for k, c in SETTINGS:
        condition = Logistic(k, c)
        mean, std, accuracy = truth(condition)
        rows.append([f"**k = {k:g}, c = {c:g}: truth**", "", f"{mean:.4f}", f"{std:.4f}", "1", f"{accuracy:.4f}", ""])
        for row in ROWS:
            h, exact = walk(row, condition, 0)
            if exact:  # more of them, to see smaller errors
                h = torch.cat([h, *(walk(row, condition, seed)[0] for seed in range(1, SEEDS))])
            found = figures(h, condition)
            worst = max(abs(value - true) / error if error else math.inf for value, true, error in found)
            cells = [f"{value:.4f}" for value, _, _ in found]
            rows.append(
                [
                    f"{row.name}, {row.steps} steps",
                    "yes" if exact else "no",
                    *cells,
                    f"{worst:.1f}" if worst < 1000 else "over 1,000",
                ]
            )
            print(rows[-1], flush=True)
    note = (
        f"{N:,} chains from the prior, of the exact kernels with each of the seeds 0..{SEEDS - 1}; off by: the worst "
        f"of the four in standard errors, measured between groups of {N // GROUPS:,} chains, the populations of smc."
    )
    head = ["", "exact", "z1 mean", "z1 sd", "nuisance sd", "accuracy", "off by"]
    tables.write("exactness", head, rows, note)


if __name__ == "__main__":
    main()
