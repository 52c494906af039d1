"""What does `sample` cost beyond the mathematics?

Against a loop written by hand over the same networks, noise and statistics.

    python benchmarks/overhead.py

16 chains, one thread, the two interleaved, medians of 7 rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import tables
import torch

import ppgn
from ppgn.random import streams

CHAINS, STEPS, ROUNDS = 16, 100, 7


def by_sample(pipeline: ppgn.Pipeline) -> torch.Tensor:
    return ppgn.sample(pipeline, CHAINS, STEPS, seed=0, progress=False, frames=0).codes


def by_hand(pipeline: ppgn.Pipeline) -> torch.Tensor:
    """One call of the generator, one gradient, the prior, the per-chain noise and the log-probability of every step."""
    settings = pipeline.sampler(pipeline).settings
    generator, prior, condition = pipeline.generator, pipeline.prior, pipeline.condition
    rng = streams(0, CHAINS)
    h = pipeline.start.sample(CHAINS, rng)
    trace = torch.empty(STEPS + 1, CHAINS)

    def terms(h: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = h.detach().requires_grad_()
        image = generator(leaf)
        log_p = condition.log_prob(image)
        (gradient,) = torch.autograd.grad(log_p.sum(), leaf)
        with torch.no_grad():
            score = prior.score(h, image.detach())
        trace[step] = log_p.detach()
        return score, gradient

    score, gradient = terms(h, 0)
    for step in range(STEPS):
        noise = rng.normal(h, step)
        h = h + (settings["eps_prior"] * score + settings["eps_condition"] * gradient + settings["eps_noise"] * noise)
        score, gradient = terms(h, step + 1)
    return h


def seconds(run: Callable[[ppgn.Pipeline], torch.Tensor], pipeline: ppgn.Pipeline) -> float:
    began = time.perf_counter()
    run(pipeline)
    return time.perf_counter() - began


def measure(variant: str | None = None) -> tuple[float, float, float]:
    """(median seconds of sample, of the hand-written loop, median of their ratios); both end in the same codes."""
    torch.set_num_threads(1)
    pipeline = ppgn.load("mnist", variant or "ppgn-h")
    pipeline = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, torch.arange(CHAINS) % 10))
    if not torch.equal(by_sample(pipeline), by_hand(pipeline)):
        raise RuntimeError("the two loops must end in the same codes")
    pairs = [(seconds(by_sample, pipeline), seconds(by_hand, pipeline)) for _ in range(ROUNDS)]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    return ours, bare, statistics.median(a / b for a, b in pairs)


def main() -> None:
    ours, bare, ratio = measure()
    rows = [
        ["`ppgn.sample`", f"{1000 * ours / STEPS:.2f}", f"{ratio:.3f}"],
        ["a loop by hand", f"{1000 * bare / STEPS:.2f}", "1"],
    ]
    note = f"Variant `ppgn-h` of `mnist`, {CHAINS} chains, {STEPS} steps, medians of {ROUNDS} interleaved rounds."
    tables.write("overhead", ["", "ms per step of all chains", "ratio (median of pairs)"], rows, note)


if __name__ == "__main__":
    main()
