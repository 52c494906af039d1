"""How near do discriminators that learn from their own samples come, from noise alone, without a generator?

    python benchmarks/introspective.py --data mnist.npz        # resumes from runs/introspective

Points in the plane, scikit-learn's digits, and MNIST, of which the chains' images are drawn: introspective.png.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import tables
import torch
from torch import Tensor, nn
from truth import kept

import ppgn
from ppgn import data, evaluation, images, models, pretrained, priors, samplers, training
from ppgn.conditions import realism
from ppgn.data import Batch
from ppgn.random import per_step, streams
from ppgn.training.introspective import introspective_trainer

FOLDER = Path(__file__).parents[1] / "runs" / "introspective"
POINT = (1, 1, 2)
ANGLES = torch.arange(8) * math.pi / 4
MODES = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)
N = 1000  # images of MNIST


class PointJudge(nn.Module):
    """Points as images (B, 1, 1, 2) -> logits (B, 1)."""

    def __init__(self, width: int = 64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.layers(x)
        return logit


def ring(n: int, rng: torch.Generator) -> Tensor:
    """Eight normals of standard deviation 0.1 on a circle of radius 1."""
    which = torch.randint(0, 8, (n,), generator=rng)
    return MODES[which] + 0.1 * torch.randn(n, 2, generator=rng)


def moons(n: int, rng: torch.Generator) -> Tensor:
    """Two half circles that reach into each other, noise 0.1."""
    angle = math.pi * torch.rand(n, generator=rng)
    upper = torch.rand(n, generator=rng) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos()) - 0.5
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin()) - 0.25
    return torch.stack([x, y], 1) + 0.1 * torch.randn(n, 2, generator=rng)


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased: 2 E|a - b| - E|a - a'| - E|b - b'|, rows (n, d)."""
    within = [torch.cdist(rows, rows).sum() / (len(rows) * (len(rows) - 1)) for rows in (a, b)]
    return float(2 * torch.cdist(a, b).mean() - within[0] - within[1])


def points(draw: Callable[[int, torch.Generator], Tensor], steps: int, seed: int) -> dict[str, float]:
    """Distances of 2,000 draws by mala on the learnt density, of as many of the reference, and of real points."""
    reference, n = priors.gaussian(POINT), 2000
    trainer = introspective_trainer(
        models.build(PointJudge, seed), lambda h: h, reference, partial(samplers.mala, step_size=0.02), stage=5,
        pool=n, learning_rate=training.cosine(1e-2, 2e-4, steps), average=0.98, seed=seed,
    )  # fmt: skip

    def batches() -> Iterator[Batch]:
        for step in range(steps):
            yield Batch(draw(200, per_step(seed)(step)).view(-1, *POINT), torch.zeros(200))

    for _ in training.fit(trainer, batches(), per_step(seed + 1)):
        pass
    pipeline = ppgn.Pipeline(lambda h: h, reference, realism(trainer.results["model"].eval()), latent_shape=POINT)
    start = reference.sample(n, streams(seed, n)).float()
    walk = samplers.chain(samplers.mala(pipeline, 0.02), start, streams(seed + 1, n))
    made = next(islice(walk, 400, None)).h.flatten(1)
    real = [draw(n, torch.Generator().manual_seed(1000 * seed + i)) for i in range(3)]
    return distances(made, start.flatten(1), real)


def distances(made: Tensor, start: Tensor, real: list[Tensor]) -> dict[str, float]:
    """Means over the first sets of real rows; the floor is between those and the last."""
    *known, other = real
    return {
        name: sum(energy_distance(rows, x) for x in known) / len(known)
        for name, rows in (("made", made), ("start", start), ("floor", other))
    }


def digits_trainer(side: int, widths: tuple[int, ...], steps: int, seed: int, pool: int) -> training.Trainer[Batch]:
    """Chains walk on the logits of pixels, begun as noise."""
    network = models.build(lambda: models.DCGANDiscriminator((1, side, side), widths), seed)
    return introspective_trainer(
        network, torch.sigmoid, priors.gaussian((1, side, side), std=1.5), partial(samplers.ula, step_size=0.03),
        stage=1, pool=pool, moves=10, learning_rate=training.cosine(2e-3, 1e-4, steps), average=0.98, seed=seed,
    )  # fmt: skip


def small_digits(steps: int, seed: int) -> dict[str, float]:
    from sklearn.datasets import load_digits

    pixels, labels = (torch.as_tensor(array) for array in load_digits(return_X_y=True))
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))
    x = (pixels[order] / 16).float().view(-1, 1, 8, 8)
    trainer = digits_trainer(8, (32, 64), steps, seed, pool=500)
    start = torch.sigmoid(trainer.modules["pool"].codes).flatten(1)
    rows = (Batch(x[index], labels[order][index]) for index in data.index_batches(1200, 64, seed))
    for _ in islice(training.fit(trainer, rows, per_step(seed)), steps):
        pass
    made = torch.sigmoid(trainer.modules["pool"].codes).flatten(1)
    return distances(made, start, [x[1200:].flatten(1), x[:597].flatten(1)])


def mnist(source: Path, folder: Path, steps: int) -> tuple[list[float], Tensor]:
    """Fréchet distances of noise, of the chains and of real images to the test images; the chains' images."""
    judge = pretrained.network("mnist", "judge")

    def features(x: Tensor) -> evaluation.Moments:
        return evaluation.moments(evaluation.features(judge, x))

    test, train = (data.load(str(source), split) for split in ("test", "train"))
    trainer = digits_trainer(28, (32, 64, 128), steps, 0, pool=N)
    noise = torch.sigmoid(trainer.modules["pool"].codes)
    half = train.part("0:30000")
    training.run(
        trainer, lambda first: data.batches(half, 64, 0, first), steps=steps, seed=0, out=folder,
        config={"steps": steps}, resume=True,
    )  # fmt: skip
    made = torch.sigmoid(trainer.modules["pool"].codes)
    parts = noise, made, data.to_float(train.per_class(N // 10).images)
    reference = features(data.to_float(test.images))
    return [evaluation.frechet_distance(features(part), reference) for part in parts], made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="MNIST as .npz; without: not on MNIST")
    parser.add_argument("--steps", type=int, default=3000, help="of training on MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="results, to resume from, and introspective.png")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    asked: dict[str, Callable[[int], dict[str, float]]] = {
        "eight normals on a circle": partial(points, ring, 1000),
        "two moons": partial(points, moons, 1000),
        "scikit-learn's digits, 8x8": partial(small_digits, 400),
    }
    rows = []
    for i, (name, run) in enumerate(asked.items()):
        each = [kept(arguments.folder / f"row-{i}-{seed}.json", partial(run, seed)) for seed in range(arguments.seeds)]
        told = [tables.mean_and_error([one[key] for one in each], ".4f") for key in ("start", "made", "floor")]
        rows.append([name, "energy distance", *told])
    if arguments.data is not None:
        found, x = mnist(arguments.data, arguments.folder / "mnist", arguments.steps)
        rows.append([f"MNIST, {arguments.steps:,} steps", "Fréchet, judge", *(f"{value:.2f}" for value in found)])
        images.grid(x[:256]).save(arguments.folder / "introspective.png")
    note = (
        f"Seeds 0..{arguments.seeds - 1} with the standard error over them (MNIST: one). Noise: draws of the "
        "reference. Points: 1,000 steps of training, then 400 of `mala` on the averaged network from new noise (exact "
        "of the density learnt); digits: the chains of the training, `ula` on the logits of pixels (not exact), of the "
        "small ones after 400 steps. Energy distance without bias: 0 for the same law. Real: other real points or "
        "images than those compared with."
    )
    tables.write("introspective", ["data", "measure", "noise", "learnt", "real"], rows, note)


if __name__ == "__main__":
    main()
