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

N = 200_000
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


ROWS = [
    Row("`rejection`", samplers.rejection, 400),
    Row("`mala`, step .15", lambda p: samplers.mala(p, 0.15), 120),
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


def walk(row: Row, condition: Logistic, n: int) -> tuple[Tensor, bool]:
    """(codes (n, 2) at the end, whether the sampler states that it is exact)."""
    pipeline = ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 2), ppgn.priors.gaussian((2,)), condition)
    sampler, rng = row.build(pipeline), streams(0, n)
    chain = samplers.chain(sampler, pipeline.prior.sample(n, rng), rng)
    state = next(islice(chain, row.steps, None))
    if isinstance(state, samplers.RejectionState):
        return state.h[state.accepted_at > 0], sampler.exact
    return state.h, sampler.exact


def figures(h: Tensor, condition: Logistic) -> list[tuple[float, float, float]]:
    """(value, truth, standard error if the draws were independent) of mean, spread, nuisance spread, accuracy."""
    mean, std, accuracy = truth(condition)
    n, z1 = len(h), h[:, 0].double()
    kurtosis = ((z1 - z1.mean()) ** 4).mean() / z1.var() ** 2
    return [
        (z1.mean().item(), mean, std / math.sqrt(n)),
        (z1.std().item(), std, std * math.sqrt(max(float(kurtosis) - 1, 0.0) / (4 * n))),
        (h[:, 1].double().std().item(), 1.0, 1 / math.sqrt(2 * n)),
        ((z1 > condition.c).double().mean().item(), accuracy, math.sqrt(accuracy * (1 - accuracy) / n)),
    ]


def main() -> None:
    rows = []
    for k, c in SETTINGS:
        condition = Logistic(k, c)
        mean, std, accuracy = truth(condition)
        rows.append([f"**k = {k:g}, c = {c:g}: truth**", "", f"{mean:.4f}", f"{std:.4f}", "1", f"{accuracy:.4f}", ""])
        for row in ROWS:
            h, exact = walk(row, condition, N)
            found = figures(h, condition)
            worst = max(abs(value - true) / error if error else math.inf for value, true, error in found)
            cells = [f"{value:.4f}" for value, _, _ in found]
            rows.append([f"{row.name}, {row.steps} steps", "yes" if exact else "no", *cells, f"{worst:.1f}"])
            print(rows[-1], flush=True)
    note = f"{N:,} chains from the prior, seed 0; off by: the worst of the four in standard errors of so many draws."
    head = ["", "exact", "z1 mean", "z1 sd", "nuisance sd", "accuracy", "off by"]
    tables.write("exactness", head, rows, note)


if __name__ == "__main__":
    main()
