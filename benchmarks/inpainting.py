"""Are holes in digits filled with what could have been there?

    python benchmarks/inpainting.py --data mnist.npz             # about half an hour of one core

1,000 test digits, 100 of each, with a hole of 14x14 pixels somewhere. Walks see what is known; beside them stand fills
that cost nothing: black, the mean of the training images, the pixels of the nearest training image. A draw of what
could have been there is judged as the digit it was as often as the known pixels tell, and no oftener: how far they do
is asked of a network that was trained on digits with holes, p(label | known), and of nearest neighbours.

Then 30 holes that both find open, and about which they agree, 32 fills each: are the labels shared out as those say?
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import NamedTuple

import tables
import torch
from torch import Tensor, nn

import ppgn
from ppgn import data, evaluation, models, pretrained
from ppgn.random import streams

EACH, SIDE, HOLE = 100, 28, 14
STEPS, NOISE, LIMIT = 200, 0.3, 1.0  # tuned on a few hundred training images, as the next two
POWER = 5  # of the class: beside hundreds of nats of known pixels, p(y | x) alone is met by 9 of 10 fills
RELEASED_STEPS, RELEASED_NOISE = 20, 10.0  # the authors' fourth epsilon, 1e-9 of pixels to 255, is a noise of 124
READER = Path(__file__).resolve().parents[1] / "runs" / "inpainting" / "reader.safetensors"
READER_STEPS, BATCH, RATE = 2500, 128, 2e-3
NEIGHBOURS = 50  # the labels of so many nearest training images are the other estimate of p(label | known)
AMBIGUOUS, FILLS = 30, 32
OPEN = 0.6  # nats: the least entropy of both estimates for a hole to be open
JUDGE = pretrained.network("mnist", "judge")


class Holes(NamedTuple):
    """Digits and what is not known of them."""

    images: Tensor  # (N, 1, 28, 28)
    labels: Tensor  # (N,)
    hole: Tensor  # (N, 28, 28) bool

    def rows(self, index: Tensor) -> Holes:
        return Holes(*(part[index] for part in self))

    @property
    def known(self) -> Tensor:
        """(N, 1, 28, 28), 0 in the hole."""
        return torch.where(self.hole[:, None], 0.0, self.images)

    def filled(self, fills: Tensor) -> Tensor:
        return torch.where(self.hole[:, None], fills, self.images)

    def error(self, fills: Tensor) -> Tensor:
        """(N,): mean squared error in the hole."""
        off = (fills - self.images).square()[:, 0]
        return torch.stack([row[hole].mean() for row, hole in zip(off, self.hole, strict=True)])


def holes_in(part: data.ImageSet, seed: int) -> Holes:
    hole = ppgn.masks.square(SIDE, HOLE, at="random", seed=seed, n=len(part))
    return Holes(data.to_float(part.images), part.labels, hole)


def walked(holes: Holes, seed: int, with_class: bool = False) -> tuple[Tensor, float, float]:
    """Fills by the bundle's walk, seconds, and the root mean square error of G(h) on known pixels."""
    pipeline = ppgn.load("mnist", settings={"limit": LIMIT}, batch_size=200)
    assert pipeline.classifier is not None
    inside = POWER * ppgn.conditions.class_label(pipeline.classifier, holes.labels) if with_class else None
    condition = ppgn.conditions.inpaint(holes.images, holes.hole, noise=NOISE, inside=inside)
    return sampled(pipeline.given(condition), holes, STEPS, seed)


def released(holes: Holes, seed: int, variant: str) -> tuple[Tensor, float, float]:
    """As the authors fill holes: from E(image with the mean in its hole), 20 steps that fall to 0, with a class."""
    settings = {"mode": "released", "eps_noise": 0.0, "step_size": ppgn.samplers.linear(1.0, 1e-32, RELEASED_STEPS)}
    pipeline = ppgn.load("mnist", variant, settings=settings, batch_size=200)
    assert pipeline.classifier is not None
    inside = ppgn.conditions.class_label(pipeline.classifier, holes.labels, objective="released")
    condition = ppgn.conditions.inpaint(holes.images, holes.hole, noise=RELEASED_NOISE, inside=inside)
    start = pipeline.encode(holes.filled(holes.images.mean(0).expand_as(holes.images)))
    return sampled(pipeline.given(condition), holes, RELEASED_STEPS, seed, start)


def sampled(
    pipeline: ppgn.Pipeline, holes: Holes, steps: int, seed: int, start: Tensor | None = None
) -> tuple[Tensor, float, float]:
    began = time.perf_counter()
    samples = ppgn.sample(pipeline, len(holes.images), steps, seed, start=start, frames=0, progress=False)
    off = (samples.images - holes.images)[~holes.hole[:, None]]
    return samples.images, time.perf_counter() - began, float(off.square().mean().sqrt())


def nearest(holes: Holes, train: Tensor, k: int) -> Tensor:
    """(N, k): the training images whose known pixels are nearest, the nearest first."""
    found = []
    flat = train.flatten(1)
    squares = flat.square()
    for known, hole in zip(holes.known.flatten(1).split(200), holes.hole.flatten(1).split(200), strict=True):
        seen = (~hole).float()
        distance = seen @ squares.T - 2 * known @ flat.T  # + |known|^2, the same for all
        found.append(distance.topk(k, largest=False).indices)
    return torch.cat(found)


def reader(train: data.ImageSet) -> nn.Module:
    """p(label | known pixels): a network trained on digits with holes, 2,500 steps; kept in runs/."""
    if not READER.exists():
        models.save(trained(train, READER_STEPS), READER)
    return models.load(READER)


def trained(train: data.ImageSet, steps: int) -> nn.Module:
    network = models.build(lambda: models.ResidualClassifier((2, SIDE, SIDE)), seed=0).train()
    optimizer = torch.optim.Adam(network.parameters())
    for step, batch in zip(range(steps), data.batches(train, min(BATCH, len(train)), seed=0), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        hole = ppgn.masks.square(SIDE, HOLE, at="random", seed=1000 + step, n=len(batch.labels))
        loss = nn.functional.cross_entropy(network(seen(Holes(batch.images, batch.labels, hole))), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def seen(holes: Holes) -> Tensor:
    """(N, 2, 28, 28): known pixels, and where they are not."""
    return torch.cat([holes.known, holes.hole[:, None].float()], 1)


def read(network: nn.Module, holes: Holes) -> Tensor:
    """(N, 10): p(label | known)."""
    return evaluation.in_parts(network, seen(holes)).softmax(1)


def shares(labels: Tensor) -> Tensor:
    """(N, k) labels -> (N, 10)."""
    return nn.functional.one_hot(labels, 10).double().mean(1)


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    return 0.5 * (p - q).abs().sum(1)


def told(values: Tensor, form: str = ".3f", factor: float = 1.0, unit: str = "") -> str:
    """Mean and standard error over the digits."""
    values = values.double() * factor
    return f"{values.mean():{form}} ± {values.std() / len(values) ** 0.5:{form}}{unit}"


def one_fill(holes: Holes, train: data.ImageSet, probability: Tensor, order: Tensor, seed: int) -> list[list[str]]:
    """Rows of the first table: one fill of each hole."""
    images = data.to_float(train.images)
    free = {
        "the whole digit": holes.images,
        "black": torch.zeros_like(holes.images),
        "mean of the training images": images.mean(0).expand_as(holes.images),
        "pixels of the nearest training image": images[order[:, 0]],
    }
    walks = {
        "`annealed`": walked(holes, seed),
        f"`annealed`, with the class to the power {POWER}": walked(holes, seed, True),
        "`joint`, released rule, with the class": released(holes, seed, "joint"),
        "`noiseless`, released rule, with the class": released(holes, seed, "noiseless"),
    }
    rows = []
    for name, (fills, seconds, off) in {**{k: (v, 0.0, 0.0) for k, v in free.items()}, **walks}.items():
        right = evaluation.in_parts(JUDGE, holes.filled(fills)).argmax(1) == holes.labels
        error = told(holes.error(fills), ".4f") if name != "the whole digit" else "0"
        walk = [f"{off:.3f}", f"{seconds:.0f}"] if seconds else ["-", "-"]
        rows.append([name, told(right, ".1f", 100, " %"), error, *walk])
        print(rows[-1], flush=True)
    possible = probability.gather(1, holes.labels[:, None])[:, 0]
    rows.insert(
        4, ["draws of p(label given known), if they were clear", told(possible, ".1f", 100, " %"), "-", "-", "-"]
    )
    return rows


def several_fills(holes: Holes, train: data.ImageSet, probability: Tensor, order: Tensor, seed: int) -> list[list[str]]:
    """Rows of the second table: many fills of each ambiguous hole."""
    of = torch.arange(len(holes.images)).repeat_interleave(FILLS)
    fills, _, _ = walked(holes.rows(of), seed)
    neighbours = data.to_float(train.images)[order[:, :FILLS]].flatten(0, 1)
    others = shares(train.labels[order])
    answer = nn.functional.one_hot(probability.argmax(1), 10).double()
    drawn = streams(seed, len(of)).uniform(torch.empty(len(of), 1, dtype=torch.float64), 0, "labels")
    ideal = (probability.double().cumsum(1)[of] < drawn).sum(1).clamp(max=9).view(-1, FILLS)
    rows = []
    for name, made in {"`annealed`": fills, f"the {FILLS} nearest training images' pixels": neighbours}.items():
        judged = evaluation.in_parts(JUDGE, holes.rows(of).filled(made))
        histogram = shares(judged.argmax(1).view(-1, FILLS))
        soft = judged.softmax(1).view(-1, FILLS, 10).mean(1).double()
        mean = made.view(-1, FILLS, *made.shape[1:]).mean(1)
        rows.append([
            name, told(total_variation(histogram, probability)), told(total_variation(soft, probability)),
            told(total_variation(histogram, others)), told(spread(holes, made)),
            told(holes.rows(of).error(made).view(-1, FILLS).mean(1), ".4f"), told(holes.error(mean), ".4f"),
        ])  # fmt: skip
    for name, guess in {
        f"{FILLS} draws of p(label given known): the floor": shares(ideal),
        "the likeliest label alone": answer,
        "each label as often": torch.full_like(answer, 0.1),
    }.items():
        found = [told(total_variation(guess, probability)), "-", told(total_variation(guess, others)), "-", "-", "-"]
        rows.append([name, *found])
    rows.append(["nearest neighbours' labels", told(total_variation(others, probability)), "-", "0", "-", "-", "-"])
    return rows


def both_open(p: Tensor, q: Tensor) -> Tensor:
    """Rows where both have some entropy, those where they agree best first, so many at most; without any, the first."""
    entropy = torch.stack([-(one * one.clamp(min=1e-12).log()).sum(1) for one in (p, q)])
    unfit = (entropy < OPEN).any(0)
    order = torch.where(unfit, torch.inf, total_variation(p, q)).argsort(stable=True)
    return order[: max(1, min(AMBIGUOUS, int((~unfit).sum())))]


def spread(holes: Holes, fills: Tensor) -> Tensor:
    """(N,): root mean square difference of two fills of one hole, over its pixels."""
    variance = fills.view(len(holes.images), FILLS, SIDE, SIDE).var(1)
    return torch.stack([(2 * row[hole].mean()).sqrt() for row, hole in zip(variance, holes.hole, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--seed", type=int, default=0, help="of the holes' places and of the walks")
    arguments = parser.parse_args()
    train = data.load(str(arguments.data))
    holes = holes_in(data.load(str(arguments.data), "test").per_class(EACH), arguments.seed)
    probability = read(reader(train), holes)
    order = nearest(holes, data.to_float(train.images), NEIGHBOURS)
    rows = one_fill(holes, train, probability, order, arguments.seed)
    chance = probability.gather(1, holes.labels[:, None])[:, 0]
    right = (probability.argmax(1) == holes.labels).double()
    tables.write(
        "inpainting", ["hole filled with", "judge agrees", "error in the hole", "known pixels", "s per 1,000"], rows,
        f"{len(holes.images)} test digits, holes of {HOLE}x{HOLE} at random places, seed {arguments.seed}, with the "
        f"standard error over digits. Error: mean squared; a draw's is at best twice that of the mean of what could be "
        f"there. Known pixels: root mean square error of G(h) there, which the fill does not show. `annealed`: {STEPS} "
        f"steps, noise {NOISE}, limit {LIMIT}; released: {RELEASED_STEPS} steps from E, noise {RELEASED_NOISE}. "
        f"p(label given known): a network trained on holes in the 60,000 training images; its first guess is right for "
        f"{right.mean():.1%}, mean log p {chance.log().mean():.3f}. No walk is exact.",
    )  # fmt: skip
    others = shares(train.labels[order])
    chosen = both_open(probability, others)
    least = (holes.rows(chosen), train, probability[chosen], order[chosen], arguments.seed + 1)
    head = [
        f"{FILLS} fills of each hole", "off p(label given known)", "by the judge's probabilities",
        "off the neighbours' labels", "difference of two fills", "error in the hole", "error of the mean fill",
    ]  # fmt: skip
    tables.write(
        "ambiguous-holes", head, several_fills(*least),
        f"Of the {len(holes.images)} holes those where p(label given known) and labels of the {NEIGHBOURS} nearest "
        f"training images both have {OPEN} nats of entropy or more: the {len(chosen)} on which the two agree best. "
        "Total variation between the shares of the judge's labels and each, mean and standard error over holes. "
        "Difference of fills: root mean square; errors: mean squared, over the hole's pixels.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
