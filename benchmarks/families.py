"""How good are the digits of VAE, GAN, VAE-GAN and of the networks of pixels in order, and what do codes keep?

    python benchmarks/families.py --networks runs/baselines --data mnist.npz [--quick 500]

Fréchet distances in the features of the bundle's judge, which no network here was trained with, to the 10,000 test
images. Of a network with codes the image is the mean of p(x | z), z ~ N(0, 1), which is grey, and it is held against
the grey images. A network of black and white pixels draws them one by one; it, and a VAE's own draws of p(x | z), are
held against test images made black and white, by chance with greys for chances, and have a floor of their own: as many
training images, made so as well. Reconstructions are x -> E[z | x] -> x of the test images; their distance is to those.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import baselines
import tables
import torch
from baselines import Found, black_and_white
from torch import Tensor, nn

from ppgn import data, evaluation, models, pretrained
from ppgn.random import streams

N, PIXEL_N = 10_000, 1_000  # images of a network with codes, and of one that draws pixel by pixel
ORDER = ("DenseVAE", "VAE", "VAEGAN", "ResidualGenerator", "UpconvGenerator", "Autoencoder", *baselines.PIXELS)
HEAD = [
    "network", "images", "n", "distance", "floor", "over floor", "reconstruction mse", "over the VAE's",
    "distance of reconstructions",
]  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """How distances are measured: a judge, and by "grey" or "black and white" test moments and training images."""

    judge: evaluation.Judge
    reference: dict[str, evaluation.Moments]
    train: dict[str, Tensor]
    floors: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def distance(self, images: Tensor, colour: str) -> float:
        """NaN for too few images, for whose covariance there is no inverse."""
        features = evaluation.features(self.judge, images)
        if len(features) <= features.shape[1]:
            return math.nan
        return evaluation.frechet_distance(evaluation.moments(features), self.reference[colour])

    def floor(self, colour: str, n: int, repeats: int) -> list[float]:
        """Of `repeats` disjoint parts of n training images."""
        if (colour, n) not in self.floors:
            parts = self.train[colour][: n * repeats].split(n)
            self.floors[colour, n] = [self.distance(part, colour) for part in parts if len(part) == n]
        return self.floors[colour, n]


def rule(judge: evaluation.Judge, train: data.ImageSet, test: Tensor, most: int) -> Rule:
    """From the test images (N, C, H, W), greys in [0, 1], and at most so many training images, in a random order."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:most]
    greys = {"train": data.to_float(train.images[order]), "test": test}
    colours = {name: {"grey": x, "black and white": black_and_white(x, 0)} for name, x in greys.items()}
    reference = {c: evaluation.moments(evaluation.features(judge, x)) for c, x in colours["test"].items()}
    return Rule(judge, reference, colours["train"])


def drawn_by(network: nn.Module, seed: int, n: int) -> Tensor:
    """Draws of p(z) p(x | z), the pixels too, (n, C, H, W)."""
    z = baselines.codes(network, n, seed)

    def one_batch(first: int) -> Tensor:
        part = z[first : first + 500]
        noise = network.likelihood.noise(torch.empty(len(part), *network.image_shape), streams(seed, len(part), first))
        with torch.no_grad():
            drawn: Tensor = network.likelihood.sample(network.decode(part), noise)
        return drawn

    return torch.cat([one_batch(first) for first in range(0, n, 500)])


def encoded(network: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """x -> the (mean) code, for a network that has one."""
    if isinstance(network, models.Autoencoder):
        return network.encode
    return network.encoder if isinstance(network, models.VAE | models.DenseVAE) else None


def reconstructions(network: nn.Module, x: Tensor) -> Tensor | None:
    """x -> E[z | x] -> x, for a network that has an encoder."""
    encode = encoded(network)
    if encode is None:
        return None
    return evaluation.in_parts(lambda part: network(encode(part)), x)


def ways(found: Found) -> list[tuple[str, str, Callable[[int, int], Tensor]]]:
    """(images, colour, (seed, n) -> draws) of a network: none for an autoencoder, whose codes have no law."""
    network, kind = found.network, found.kind
    if kind == "Autoencoder":
        return []
    if kind in baselines.PIXELS:
        return [("pixel by pixel", "black and white", lambda seed, n: baselines.draws(found, n, seed))]
    made = [("means of p(x given z)", "grey", lambda seed, n: baselines.images_of(network, n, seed))]
    if kind in baselines.CODED and isinstance(network.likelihood, models.Bernoulli):
        made.append(("draws of p(x given z)", "black and white", lambda seed, n: drawn_by(network, seed, n)))
    return made


@dataclass(frozen=True)
class Kept:
    """What codes keep of the test images: mean squared error of a sub-pixel, and the distance of reconstructions."""

    error: float
    distance: float


def kept(network: nn.Module, x: Tensor, measure: Rule) -> Kept | None:
    rebuilt = reconstructions(network, x)
    if rebuilt is None:
        return None
    return Kept(float((rebuilt - x).square().mean()), measure.distance(rebuilt, "grey"))


def table(found: Sequence[Found], measure: Rule, x: Tensor, seeds: int, n: int, pixel_n: int) -> list[list[str]]:
    """A row for each network and way; errors are held against the convolutional VAE, that of the longest codes."""
    known = {one.name: kept(one.network, x, measure) for one in found}
    plain = [one for one in found if one.kind in baselines.CODED]
    best = max(plain, key=lambda one: (one.kind == "VAE", one.network.latent_shape), default=None)
    standard = None if best is None else known[best.name]
    rows = []
    for one in found:
        codes = told(known[one.name], standard)
        for images, colour, draw in ways(one):
            many = pixel_n if one.kind in baselines.PIXELS else n
            distances = [measure.distance(draw(seed, many), colour) for seed in range(seeds)]
            floor = measure.floor(colour, many, seeds)
            least = sum(floor) / len(floor) if floor else math.nan
            cells = [images, f"{many:,}", tables.mean_and_error(distances, ".2f")]
            cells += [tables.mean_and_error(floor, ".3f") if floor else "-"]
            cells += [tables.mean_and_error([d / least for d in distances], ".1f")]
            rows.append([name_of(one), *cells, *codes])
            codes = ["", "", ""]
            print(" | ".join(rows[-1]), flush=True)
        if not ways(one):
            rows.append([name_of(one), "-", "-", "-", "-", "-", *codes])
    return rows


def name_of(found: Found) -> str:
    return f"{found.name} (`{found.kind}`)"


def told(codes: Kept | None, standard: Kept | None) -> list[str]:
    if codes is None:
        return ["-", "-", "-"]
    over = "-" if standard is None else f"{codes.error / standard.error:.2f}"
    return [f"{codes.error:.4f}", over, f"{codes.distance:.2f}"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True, help="folder of NAME/model.safetensors")
    parser.add_argument("--data", required=True, help="MNIST as .npz")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the networks")
    parser.add_argument("--seeds", type=int, default=3, help="of the draws: 0, 1, ...")
    parser.add_argument("--quick", type=int, metavar="N", help="so many images of everything")
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    options = parser.parse_args(arguments)
    judge, test = pretrained.network("mnist", "judge"), data.load(options.data, "test")
    found = [
        one
        for one in baselines.networks(options.networks, ORDER, options.only)
        if tuple(one.network.config["image_shape"]) == test.image_shape
    ]
    n, pixel_n = (options.quick or size for size in (N, PIXEL_N))
    measure = rule(judge, data.load(options.data), data.to_float(test.images), n * options.seeds)
    rows = table(found, measure, data.to_float(test.images[: options.quick]), options.seeds, n, pixel_n)
    if not options.print:
        sha256 = pretrained.card("mnist", "judge").sha256[:12]
        note = (
            f"Fréchet distances in the {judge.latent_shape[0]} features of the bundle's judge (sha256 {sha256}) to the "
            f"{len(test):,} test images, grey or made black and white; seeds 0..{options.seeds - 1} of the draws with "
            "the standard error over them, of one training each; floor: as many training images, of as many disjoint "
            f"parts. Reconstructions: of {options.quick or len(test):,} test images, by mean codes of the grey "
            "images; the floor of their distance is 0. A VAE-GAN is held against the VAE at an error at most 1.1 times "
            "as large."
        )
        tables.write("families", HEAD, rows, note)


if __name__ == "__main__":
    main()
