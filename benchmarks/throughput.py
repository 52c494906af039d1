"""What does `fit` cost beyond the steps themselves?

Against a loop written by hand: the same network, batches and fused Adam, and the moving average of the weights.

    python benchmarks/throughput.py

One thread, the two in turn, 5 rounds of as many steps as take about a second.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice

import tables
import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn import models, training
from ppgn.data import Batch, ImageSet, batches
from ppgn.random import per_step
from ppgn.training.vae import bound_terms

ROUNDS, SECONDS, BATCH, RATE, AVERAGE = 5, 1.0, 64, 1e-3, 0.999
SHAPE = (1, 28, 28)
Loss = Callable[[nn.Module, Batch, torch.Generator], Tensor]


def vae_loss(network: models.DenseVAE, batch: Batch, rng: torch.Generator) -> Tensor:
    log_likelihood, kl = bound_terms(network, torch.bernoulli(batch.images, generator=rng), rng)
    return kl.sum(1).mean() - log_likelihood.mean()


def classifier_loss(network: nn.Module, batch: Batch, rng: torch.Generator) -> Tensor:
    return functional.cross_entropy(network(batch.images), batch.labels)


def pixel_loss(network: models.GatedPixelCNN, batch: Batch, rng: torch.Generator) -> Tensor:
    return -network.log_prob(torch.bernoulli(batch.images, generator=rng)).mean()


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], training.Trainer[Batch]], Loss]] = {
    "dense VAE": (
        lambda: models.DenseVAE(SHAPE),
        lambda network: training.vae_trainer(network, learning_rate=RATE, binarise=True, average=AVERAGE),
        vae_loss,
    ),
    "conv classifier": (
        lambda: models.ConvClassifier(SHAPE),
        lambda network: training.classifier_trainer(network, learning_rate=RATE, shift=0, average=AVERAGE),
        classifier_loss,
    ),
    "PixelCNN": (
        lambda: models.GatedPixelCNN(SHAPE, width=16, layers=4),
        lambda network: training.autoregressive_trainer(network, learning_rate=RATE, binarise=True, average=AVERAGE),
        pixel_loss,
    ),
}


def by_fit(name: str, stream: Iterator[Batch]) -> Iterator[object]:
    make, trainer, _ = CASES[name]
    yield from training.fit(trainer(models.build(make, 0)), stream, per_step(0))


def by_hand(name: str, stream: Iterator[Batch]) -> Iterator[object]:
    """What one writes first; the average is taken parameter by parameter."""
    make, _, loss = CASES[name]
    network, averaged = models.build(make, 0), models.build(make, 0)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    rng = torch.Generator().manual_seed(0)
    for batch in stream:
        value = loss(network, batch, rng)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(averaged.parameters(), network.parameters(), strict=True):
                average.lerp_(parameter, 1 - AVERAGE)
        yield value.detach()


def seconds(stream: Iterator[object], steps: int) -> float:
    began = time.perf_counter()
    for _ in islice(stream, steps):
        pass
    return time.perf_counter() - began


def measure(name: str, rounds: int = ROUNDS, length: float = SECONDS) -> tuple[float, float, float]:
    """(median milliseconds a step of fit, of the loop by hand, median of their ratios, above 1: fit is faster)."""
    torch.set_num_threads(1)
    images = ImageSet(torch.randint(0, 256, (4096, *SHAPE), dtype=torch.uint8), torch.arange(4096) % 10)
    ours, bare = (loop(name, batches(images, BATCH, 0)) for loop in (by_fit, by_hand))
    seconds(ours, 3)
    steps = max(1, round(3 * length / seconds(bare, 3)))
    pairs = [(seconds(ours, steps), seconds(bare, steps)) for _ in range(rounds)]
    a, b = (1000 * statistics.median(column) / steps for column in zip(*pairs, strict=True))
    return a, b, statistics.median(hand / fit for fit, hand in pairs)


def main() -> None:
    rows = []
    for name in CASES:
        ours, bare, ratio = measure(name)
        rows.append([name, f"{ours:.2f}", f"{bare:.2f}", f"{1000 * BATCH / ours:,.0f}", f"{ratio:.3f}"])
    note = f"28x28, batches of {BATCH}; medians of {ROUNDS} rounds in turn; ratio: median of the pairs."
    head = ["", "ms a step, `fit`", "by hand", "images/s, `fit`", "speed of `fit` / by hand"]
    tables.write("throughput", head, rows, note)


if __name__ == "__main__":
    main()
