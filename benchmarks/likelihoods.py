"""How likely are images that a network was not trained on? Exactly, or by a bound, over the whole test set.

    python benchmarks/likelihoods.py --networks runs/baselines --data mnist.npz [--cifar10 cifar10.npz]
    python benchmarks/likelihoods.py ... --only vae --quick 200           # the first 200 images; the table says so

Every NETWORKS/NAME/model.safetensors of an architecture in ASKED has a row. Greys are made black and white once, by
chance (as `ppgn.training.nats` does it), the same for all. PixelCNNs and PixelRNNs know log p(x); of a VAE there is
the ELBO and the bound of K importance weights an image (Burda et al. 2016), above it and below log p(x). That one
takes K decodes an image, 8 minutes in all for a dense VAE on a core and hours for a convolutional one; what is done
lies in NAME/bounds-*.safetensors and is not computed again. VAEs of two numbers a code, for pictures, are left out.
Matrix products are rounded to bfloat16 if that changes the bound of the first images, with the same noise, by less than
ROUNDING; the note tells by how much it does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tables
import torch
from baselines import CODED, PIXELS, Found, black_and_white, kept, networks
from torch import Tensor, nn

from ppgn import data, files, models, training
from ppgn.random import per_step

SAMPLES, DRAWS = 5000, 10  # codes an image, of the bound of importance weights and of the ELBO
GROUP, DECODED = 10, 500  # images whose codes are drawn together, and decoded at a time: what a core's cache holds
KEPT = 500  # images, a multiple of GROUP, after which the bounds so far are written
TOGETHER = 200  # images whose log p is computed together
PROBE, ROUNDING = 200, 0.02  # images, and nats that rounding may cost
HEAD = [
    "network", "measure", "test images", "value", "parameters", "epochs", "trained for", "seed", "bar", "literature",
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What a network of digits should reach, in nats an image, and what has been published of its kind."""

    bar: str
    literature: str


ASKED = {
    "GatedPixelCNN": Asked("84, good 81.5", "81.30"),
    "PixelCNN": Asked("84, good 81.5", "81.30"),
    "RowLSTM": Asked("85, good 83", "80.54"),
    "DiagonalBiLSTM": Asked("84.5, good 82.1", "79.20"),
    "DenseVAE": Asked("88, good 86.8", "86.76"),
    "VAE": Asked("88, good 86.8", "86.76"),
}
COLOURS = Asked("3.3", "3.14; gated 3.03")  # of PixelCNNs, in bits a sub-pixel


def exact(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """log p of each image (N,), float64 nats; given its label, if the network has classes."""
    labelled = network.config.get("classes") is not None
    parts = [
        network.log_prob(part, label if labelled else None)
        for part, label in zip(x.split(TOGETHER), labels.split(TOGETHER), strict=True)
    ]
    return torch.cat(parts).double()


def elbo(network: nn.Module, x: Tensor, seed: int, draws: int = DRAWS) -> Tensor:
    """The bound of each image (N,), the mean over draws of its code."""
    rngs = [per_step(seed)(draw) for draw in range(draws)]
    parts = [torch.stack([training.elbo(network, part, rng) for rng in rngs]).mean(0) for part in x.split(500)]
    return torch.cat(parts)


def importance(
    network: nn.Module, x: Tensor, samples: int, seed: int, precision: torch.dtype, first: int = 0
) -> Tensor:
    """The bound of each image (N,), N at most GROUP; the noise is a function of the seed and of `first`."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
        return training.importance_bound(network, x, samples, per_step(seed)(first), chunk=DECODED)


def rounding(network: nn.Module, x: Tensor, samples: int, seed: int) -> float:
    """What bfloat16 changes in the mean bound of these images, in nats, with the same noise."""
    means = [
        torch.cat([importance(network, part, samples, seed, precision, i) for i, part in enumerate(x.split(GROUP))])
        for precision in (torch.bfloat16, torch.float32)
    ]
    return float((means[0] - means[1]).mean())


def all_bounds(network: nn.Module, x: Tensor, samples: int, seed: int, precision: torch.dtype, path: Path) -> Tensor:
    """`importance` of all images; those in `path` are not computed again."""
    made_of = {
        "samples": samples, "seed": seed, "precision": str(precision), "group": GROUP,
        "weights": files.fingerprint(network), "images": hashlib.sha256(x.numpy().tobytes()).hexdigest(),
    }  # fmt: skip

    def more(first: int, n: int) -> Tensor:
        groups = x[first : first + n].split(GROUP)
        found = [
            importance(network, part, samples, seed, precision, first + i * GROUP) for i, part in enumerate(groups)
        ]
        return torch.cat(found)

    return kept(path, made_of, len(x), more, KEPT)


def seconds_of(folder: Path) -> float | None:
    """Seconds of training: from the name of each TensorBoard file, its beginning, to its last change; None without."""
    spans = [path.stat().st_mtime - int(path.name.split(".")[3]) for path in folder.glob("tensorboard/events.out.*")]
    return sum(spans) if spans else None


def row(found: Found, measure: str, values: Tensor, images: int, asked: Asked, train: data.ImageSet) -> list[str]:
    """Values (N,) an image, of which the mean is told with its standard error over the images."""
    parameters = sum(p.numel() for p in found.network.parameters())
    known = found.trained
    part = len(train.part(known.get("part", ":")))
    epochs = f"{known['steps'] * known['batch_size'] / part:.0f}" if "batch_size" in known else "-"
    seconds = seconds_of(found.folder)
    error = float(values.std()) / len(values) ** 0.5
    digits = 2 if values.mean() > 10 else 3
    return [
        f"{found.name} (`{found.kind}`)",
        measure,
        f"{len(values):,}" + ("" if len(values) == images else f" of {images:,}"),
        f"{float(values.mean()):.{digits}f} ± {error:.{digits}f}",
        f"{parameters:,}",
        epochs,
        f"{seconds / 60:.0f} min" if seconds else "-",
        str(known.get("seed", "-")),
        asked.bar,
        asked.literature,
    ]


@dataclass(frozen=True)
class Settings:
    """`images`: of the test set, the first so many."""

    images: int | None = None
    seed: int = 0
    samples: int = SAMPLES


def rows_of(
    found: Found, train: data.ImageSet, test: data.ImageSet, settings: Settings
) -> tuple[list[list[str]], list[str]]:
    """Rows of one network and remarks for the note: exact nats or bits, or the two bounds of a VAE."""
    network = found.network
    x, labels = data.to_float(test.images[: settings.images]), test.labels[: settings.images]
    if isinstance(network.likelihood, models.Bernoulli):
        x = black_and_white(x, settings.seed)
    if found.kind in PIXELS:
        values = -exact(network, x, labels)
        if isinstance(network.likelihood, models.Bernoulli):
            return [row(found, "-log p, nats", values, len(test), ASKED[found.kind], train)], []
        values = values * training.bits_per_dim(1.0, test.image_shape)
        return [row(found, "-log2 p, bits a sub-pixel", values, len(test), COLOURS, train)], []
    changed = rounding(network, x[:PROBE], settings.samples, settings.seed)
    precision = torch.bfloat16 if abs(changed) < ROUNDING else torch.float32
    path = found.folder / f"bounds-{settings.samples}-{len(x)}.safetensors"
    weighted = all_bounds(network, x, settings.samples, settings.seed, precision, path)
    measures = {"-ELBO, nats": -elbo(network, x, settings.seed)}
    measures[f"-log p at most, nats ({settings.samples:,} weights)"] = -weighted
    remark = (
        f"{found.name}: products in {str(precision).removeprefix('torch.')}; bfloat16 changes the bound of the first "
        f"{len(x[:PROBE])} images by {changed:+.4f} nats."
    )
    return [row(found, m, values, len(test), ASKED[found.kind], train) for m, values in measures.items()], [remark]


def from_jpeg(source: str) -> bool:
    """Whether an .npz holds its images encoded, and so not as they were published."""
    with np.load(source) as file:
        return "jpeg_test" in file


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True, help="folder of NAME/model.safetensors")
    parser.add_argument("--data", required=True, help="MNIST as .npz")
    parser.add_argument("--cifar10", help="CIFAR-10 as .npz, for networks of colour images")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the networks; a convolutional VAE takes hours")
    parser.add_argument("--quick", type=int, metavar="N", help="the first N test images only")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="importance weights an image")
    parser.add_argument("--print", action="store_true", help="leave README.md as it is")
    options = parser.parse_args(arguments)
    sources = {1: options.data, 3: options.cifar10}
    rows: list[list[str]] = []
    remarks: list[str] = []
    for found in networks(options.networks, [*PIXELS, *CODED], options.only):
        if found.kind in CODED and found.network.latent_shape == (2,):
            continue
        source = sources.get(found.network.image_shape[0])
        if source is None:
            print(f"{found.name}: left out, its images have {found.network.image_shape} and are not given", flush=True)
            continue
        began = time.perf_counter()
        made, told = rows_of(
            found, data.load(source), data.load(source, "test"), Settings(options.quick, samples=options.samples)
        )
        if from_jpeg(source):
            told = [*told, f"{found.name}: images decoded from JPEG, which are easier than those of the literature."]
        rows, remarks = rows + made, remarks + told
        print(
            *(" | ".join(cells) for cells in made), *told, f"{time.perf_counter() - began:.0f} s", sep="\n", flush=True
        )
    if options.print:
        return
    tables.write("likelihoods", HEAD, rows, " ".join([NOTE, *remarks]))


NOTE = (
    "Values with their standard error over images; lower is better. Digits made black and white once, greys being the "
    "chances of white, with seed 0, the same for every row. `trained for`: wall time on "
    f"{os.cpu_count()} cores that other runs shared; bar: what was asked for, and what would be good. Literature: "
    "van den Oord et al. 2016 (1601.06759; gated 1606.05328), VAE: Burda et al. 2016 (1509.00519), one layer of codes "
    "(50), 5,000 weights; trained for longer, and measured on other draws of black and white images."
)


if __name__ == "__main__":
    main()
