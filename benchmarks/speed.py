"""How fast is an exact walk? `mala` beside blackjax's and a bare torch loop, at the same step size, in one run.

    pip install 'ppgn[benchmarks]' && python benchmarks/speed.py        # a few minutes, one thread

Target: codes of 100 numbers, N(0, I) as the prior and a normal likelihood of other precisions for every coordinate as
the condition, by automatic differentiation in all three; chains of 32-bit floats start at exact draws, and all stay on
one processor. The least effective sample size of the coordinates (arviz, bulk) over the seconds of the walk, without
compilation.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

if hasattr(os, "sched_setaffinity"):  # before jax counts the processors: it has no switch for one thread that holds
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import arviz
import numpy as np
import tables
import torch
from torch import Tensor

import ppgn
from ppgn import samplers
from ppgn.random import streams

D, STEP_SIZE, ROUNDS, MOVES = 100, 0.06, 5, 8
PRECISION = torch.linspace(0.0, 9.0, D)  # of the likelihood; the posterior's runs from 1 to 10
Walk = Callable[[Tensor, int, int], np.ndarray]
"""(start (n, D), steps, seed) -> codes (steps, n, D)."""


@dataclass(frozen=True)
class Normal:
    """log p(y | x) of y = 0 seen through noise of PRECISION."""

    def log_prob(self, x: Tensor) -> Tensor:
        return -0.5 * (PRECISION * x.flatten(1).square()).sum(1)

    def rows(self, index: Tensor) -> Normal:
        return self


def by_ppgn(compiled: bool, moves: int = 1) -> Walk:
    """Every `moves`-th code is kept: the sample is thinner, and that counts."""
    pipeline = ppgn.Pipeline(lambda h: h.view(-1, 1, 1, D), ppgn.priors.gaussian((D,)), Normal())
    sampler = samplers.mala(pipeline, STEP_SIZE, moves=moves, compiled=compiled)

    def walk(start: Tensor, steps: int, seed: int) -> np.ndarray:
        kept = torch.empty(steps // moves, *start.shape)
        chain = samplers.chain(sampler, start, streams(seed, len(start)))
        for i, state in enumerate(islice(chain, 1, len(kept) + 1)):
            kept[i] = state.h
        return kept.numpy()

    return walk


def by_hand(start: Tensor, steps: int, seed: int) -> np.ndarray:
    """The same kernel in a loop of one's own: torch's generator, value and gradient kept between steps."""
    rng = torch.Generator().manual_seed(seed)
    d, root = STEP_SIZE, math.sqrt(2 * STEP_SIZE)

    def evaluate(h: Tensor) -> tuple[Tensor, Tensor]:
        leaf = h.detach().requires_grad_()
        log_prob = -0.5 * leaf.square().sum(1) - 0.5 * (PRECISION * leaf.square()).sum(1)
        (gradient,) = torch.autograd.grad(log_prob.sum(), leaf)
        return log_prob.detach(), gradient

    kept = torch.empty(steps, *start.shape)
    h, (log_prob, gradient) = start, evaluate(start)
    for i in range(steps):
        noise = torch.randn(h.shape, generator=rng)
        new = h + d * gradient + root * noise
        new_log_prob, new_gradient = evaluate(new)
        back = (h - new - d * new_gradient).square().sum(1) / (4 * d)
        ratio = new_log_prob - log_prob - back + 0.5 * noise.square().sum(1)
        taken = torch.rand(len(h), generator=rng).log() < ratio
        h = torch.where(taken[:, None], new, h)
        log_prob = torch.where(taken, new_log_prob, log_prob)
        gradient = torch.where(taken[:, None], new_gradient, gradient)
        kept[i] = h
    return kept.numpy()


def blackjax_walk() -> Walk:
    """blackjax's kernel over chains by vmap and steps by scan, compiled at the first call."""
    import blackjax
    import jax
    import jax.numpy as jnp

    precision = jnp.asarray(PRECISION.numpy())

    def log_density(h: jax.Array) -> jax.Array:
        return -0.5 * jnp.sum(h * h) - 0.5 * jnp.sum(precision * h * h)

    kernel = blackjax.mala(log_density, STEP_SIZE)

    def run(key: jax.Array, start: jax.Array, steps: int) -> jax.Array:
        def one(state: object, key: jax.Array) -> tuple[object, jax.Array]:
            state, _ = jax.vmap(kernel.step)(jax.random.split(key, len(start)), state)
            return state, state.position

        return jax.lax.scan(one, jax.vmap(kernel.init)(start), jax.random.split(key, steps))[1]

    compiled = jax.jit(run, static_argnums=2)

    def walk(start: Tensor, steps: int, seed: int) -> np.ndarray:
        return np.asarray(compiled(jax.random.key(seed), jnp.asarray(start.numpy()), steps).block_until_ready())

    return walk


def effective(codes: np.ndarray) -> float:
    """The least bulk effective sample size of the coordinates; the slowest ones are the widest, the first ten."""
    slow = codes[:, :, :10].astype(np.float64).transpose(1, 0, 2)
    return min(float(arviz.ess(slow[:, :, i], method="bulk")) for i in range(slow.shape[2]))


@dataclass(frozen=True)
class Found:
    microseconds: float  # a move of all chains
    per_second: float  # effective draws


def measure(walks: dict[str, Walk], chains: int, steps: int) -> dict[str, list[Found]]:
    """Every walk once a round, in turn; a walk before the first round compiles and warms."""
    scale = (1 + PRECISION) ** -0.5
    found: dict[str, list[Found]] = {name: [] for name in walks}
    for seed in range(ROUNDS + 1):
        start = scale * torch.randn(chains, D, generator=torch.Generator().manual_seed(seed))
        for name, walk in walks.items():
            began = time.perf_counter()
            codes = walk(start, steps, seed)
            seconds = time.perf_counter() - began
            if seed:
                found[name].append(Found(1e6 * seconds / steps, effective(codes) / seconds))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.set_num_threads(1)
    walks: dict[str, Walk] = {
        f"`mala`, compiled, {MOVES} moves a step": by_ppgn(compiled=True, moves=MOVES),
        "`mala`, compiled": by_ppgn(compiled=True),
        "`mala`": by_ppgn(compiled=False),
        "a bare torch loop": by_hand,
        "blackjax": blackjax_walk(),
    }
    rows = []
    for chains, steps in ((16, 8000), (1024, 800)):
        found = measure(walks, chains, steps)
        ours = next(iter(found.values()))
        for name, rounds in found.items():
            ratios = [a.per_second / b.per_second for a, b in zip(ours, rounds, strict=True)]
            rows.append([
                str(chains), name, f"{statistics.median(r.microseconds for r in rounds):.0f}",
                tables.mean_and_error([r.per_second for r in rounds], ".0f"), tables.mean_and_error(ratios, ".2f"),
            ])  # fmt: skip
            print(rows[-1], flush=True)
    import blackjax
    import jax

    note = (
        f"D = {D}, step size {STEP_SIZE}, {ROUNDS} interleaved rounds, means with their standard errors, the times "
        f"medians. blackjax {blackjax.__version__}, jax {jax.__version__}."
    )
    head = ["chains", "", "µs a move of all", "effective draws a second", "ours over it"]
    tables.write("speed", head, rows, note)


if __name__ == "__main__":
    main()
