"""What is a discriminator worth once its GAN is trained? A GAN's draws, and what its discriminator makes of them.

    python benchmarks/discriminator.py --data mnist.npz --generator gan/model.safetensors \
        --discriminator gan/discriminator.safetensors        # resumes from runs/discriminator

Walks on the prior `ppgn.priors.discriminator` (DDLS: Che et al. 2020), the same density by rejection (Azadi et al.
2019), and maxima of the logit. A GAN's discriminator is not the best one, whose logit is log p_data / p_G:
the rows "calibrated" take a logit + b, by logistic regression on the second half of the training images and as many
draws (Turner et al. 2019).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import tables
import torch
from torch import Tensor, nn
from truth import kept

import ppgn
from ppgn import data, evaluation, files, models, pretrained, priors, samplers
from ppgn.conditions import realism
from ppgn.random import streams

N, STEPS, WARMUP, CEILING = 1000, 300, 150, 5.0
JUDGE = pretrained.network("mnist", "judge")
FOLDER = Path(__file__).parents[1] / "runs" / "discriminator"
HEAD = ["", "exact", "distance", "over floor", "labels off by", "rarest label", "mean logit", "s"]
PIXELS = (1, 28, 28)


class Calibrated(nn.Module):
    """a logit + b."""

    def __init__(self, network: nn.Module, a: float, b: float):
        super().__init__()
        self.network, self.a, self.b = network, a, b

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.network(x)
        return self.a * logit + self.b


def calibrated(network: nn.Module, real: Tensor, made: Tensor) -> Calibrated:
    """Logistic regression of real against made on the logit, by Newton's steps; as many of both."""
    logit = torch.cat([evaluation.in_parts(network, part) for part in (real, made)]).double()
    label = torch.cat([torch.ones(len(real)), torch.zeros(len(made))]).double()
    features = torch.stack([logit, torch.ones_like(logit)], 1)
    weights = torch.zeros(2, dtype=torch.float64)
    for _ in range(30):
        p = (features @ weights).sigmoid()
        curvature = (features * (p * (1 - p))[:, None]).T @ features
        weights = weights + torch.linalg.solve(curvature, features.T @ (label - p))
    return Calibrated(network, float(weights[0]), float(weights[1])).eval()


def drawn(generator: nn.Module, seed: int) -> Tensor:
    prior = priors.gaussian(tuple(generator.latent_shape))
    return evaluation.in_parts(generator, prior.sample(N, streams(seed, N)).float())


def walked(generator: nn.Module, network: nn.Module, seed: int) -> Tensor:
    """DDLS by mala, begun at the GAN's own codes."""
    prior = priors.discriminator(network, generator, ceiling=CEILING)
    pipeline = ppgn.Pipeline(generator, prior, start=prior.base, batch_size=250)
    mala = partial(samplers.mala, step_size=0.05, warmup=WARMUP)
    return ppgn.sample(pipeline, N, STEPS, seed, mala, frames=0, progress=False).images


def rejected(generator: nn.Module, network: nn.Module, seed: int) -> Tensor:
    """The same density, draw by draw."""
    prior = priors.discriminator(network, generator, ceiling=CEILING)
    return evaluation.in_parts(generator, prior.sample(N, streams(seed, N)).float())


def climbed(generator: nn.Module | None, network: nn.Module, seed: int) -> Tensor:
    """Activation maximisation of the logit from a draw: in codes, or in pixels if there is no generator."""
    shape = PIXELS if generator is None else tuple(generator.latent_shape)
    bounds = (0.0, 1.0) if generator is None else None
    pipeline = ppgn.Pipeline(generator or (lambda x: x), priors.none(), realism(network), latent_shape=shape)
    pipeline = replace(pipeline, start=priors.gaussian(shape, *((0.5, 0.2) if generator is None else (0.0, 1.0))))
    steps = samplers.linear(0.05, 1e-4, STEPS)
    climb = partial(samplers.activation_max, step_size=steps, decay=0.0, bounds=bounds)
    return ppgn.sample(replace(pipeline, batch_size=250), N, STEPS, seed, climb, frames=0, progress=False).images


def judged(x: Tensor, reference: evaluation.Moments, shares: Tensor, network: nn.Module | None) -> dict[str, float]:
    """Fréchet distance; total variation of the judge's labels to the test images'; the least share of a label."""
    labels = evaluation.in_parts(JUDGE, x).argmax(1)
    found = torch.bincount(labels, minlength=len(shares)).double() / len(x)
    return {
        "distance": evaluation.frechet_distance(evaluation.moments(evaluation.features(JUDGE, x)), reference),
        "off": float((found - shares).abs().sum() / 2),
        "rarest": float(found.min()),
        "logit": math.nan if network is None else float(evaluation.in_parts(network, x).mean()),
    }


def measured(run: Callable[[int], Tensor], score: Callable[[Tensor], dict[str, float]], seeds: int) -> dict[str, Any]:
    rows = []
    for seed in range(seeds):
        began = time.perf_counter()
        x = run(seed)
        rows.append({"seconds": time.perf_counter() - began, **score(x)})
    return {key: [row[key] for row in rows] for key in rows[0]}


def row(name: str, exact: str, found: Mapping[str, Any], floor: float) -> list[str]:
    told = tables.mean_and_error
    return [
        name, exact, told(found["distance"], ".2f"), told([d / floor for d in found["distance"]], ".1f"),
        told([100 * v for v in found["off"]], ".1f") + " %", told([100 * v for v in found["rarest"]], ".1f") + " %",
        told(found["logit"], ".2f"), told(found["seconds"], ".0f"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--generator", type=Path, required=True, help="of a GAN, as ppgn.models.save wrote it")
    parser.add_argument("--discriminator", type=Path, required=True, help="that it was trained against")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="results of each row, to resume from")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator, network = models.load(arguments.generator), models.load(arguments.discriminator)
    test, train = (data.load(str(arguments.data), split) for split in ("test", "train"))
    reference = evaluation.moments(evaluation.features(JUDGE, data.to_float(test.images)))
    shares = torch.bincount(test.labels, minlength=10).double() / len(test)
    held_out = data.to_float(train.images[len(train) // 2 :][:N])
    right = calibrated(network, held_out, drawn(generator, 1000))
    score = partial(judged, reference=reference, shares=shares, network=network)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    floor = measured(lambda seed: data.to_float(train.images[order[seed * N :][:N]]), score, arguments.seeds)
    runs: dict[str, tuple[str, Callable[[int], Tensor]]] = {
        "the GAN's own draws": ("yes", partial(drawn, generator)),
        "DDLS, `mala`": ("yes", partial(walked, generator, network)),
        "the same by rejection": ("yes", partial(rejected, generator, network)),
        "DDLS, `mala`, calibrated": ("yes", partial(walked, generator, right)),
        "the same by rejection, calibrated": ("yes", partial(rejected, generator, right)),
        "`activation_max` of D in codes": ("no", partial(climbed, generator, network)),
        "`activation_max` of D in pixels": ("no", partial(climbed, None, network)),
    }
    real = sum(floor["distance"]) / len(floor["distance"])
    rows = [row(f"{N:,} real training images", "-", floor, real)]
    mark = "-".join(files.sha256(path)[:8] for path in (arguments.generator, arguments.discriminator))
    for i, (name, (exact, run)) in enumerate(runs.items()):
        found = kept(arguments.folder / mark / f"row-{i}.json", partial(measured, run, score, arguments.seeds))
        rows.append(row(name, exact, found, real))
    note = (
        f"n = {N:,}, seeds 0..{arguments.seeds - 1} with the standard error over them; distance: Fréchet in the "
        "features of the `mnist` bundle's judge, to the 10,000 test images; labels: the judge's, total variation to "
        f"those of the test images. Walks: {STEPS} steps, {WARMUP} of them to adapt, ceiling {CEILING:g} nats; logits "
        f"are those of the discriminator as it was trained; calibrated: {right.a:.2f} logit {right.b:+.2f}. Exact: of "
        "the density stated, p_0(h) sigmoid(logit - ceiling), whether or not the logit is right."
    )
    tables.write("discriminator", HEAD, rows, note)


if __name__ == "__main__":
    main()
