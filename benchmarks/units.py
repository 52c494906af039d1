"""How far can a unit be driven? Twenty hidden units of each network against the most excited of 10,000 real images.

    python benchmarks/units.py                 # about 15 minutes on one core; networks and images in ../shared

Each unit is climbed as DGN-AM does (no prior, codes within three deviations of real ones) and as PPGN's authors did
(the joint prior, their released rule), eight chains each; none is left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import tables
import thirdparty
from torch import Tensor, nn

import ppgn
from ppgn import data, evaluation, files, recipes
from ppgn.conditions import unit
from ppgn.pretrained.catalogue import WEIGHTS

UNITS, CHAINS, STEPS = 20, 8, 200
SEED = 0
DEVIATIONS = 3.0  # of real codes above their mean: what DGN-AM lets a code be
MOVE = 2.0  # their first mean move of a coordinate, in deviations of a code: 8 where codes have one of 3.74


@dataclass(frozen=True)
class Subject:
    """A layer of a network of others, whose first channels are climbed at its center, and the images it is for."""

    layer: str
    title: str
    network: Callable[[], nn.Module]
    bundle: str
    images: str


LENET = ("LeNet-5 (csinva)", thirdparty.lenet, "mnist", "mnist.npz")
RESNET = ("ResNet-20 (akamaster)", thirdparty.resnet20, "cifar10", "cifar10_jpeg.npz")
SUBJECTS = (Subject("f6", *LENET), Subject("layer2", *RESNET), Subject("layer3", *RESNET))


def dgn_am(bundle: str) -> ppgn.Pipeline:
    """Activation maximisation in the codes of the bundle's generator, scaled to their size as the authors' is."""
    pipeline = ppgn.load(bundle, "noiseless", batch_size=80)
    codes, _ = files.read_tensors(WEIGHTS / bundle / "codes.safetensors")
    step = MOVE * float(codes["std"].mean())
    walk = {"bounds": (0.0, codes["mean"] + DEVIATIONS * codes["std"]), "decay": 0.01}
    return replace(
        pipeline,
        prior=ppgn.priors.none(),
        start=ppgn.priors.gaussian(pipeline.latent_shape),
        sampler=lambda p: ppgn.samplers.activation_max(p, ppgn.samplers.linear(step, 1e-10, STEPS), **walk),
    )


def ppgn_released(bundle: str) -> ppgn.Pipeline:
    """The joint prior and the authors' rule."""
    return recipes.recipe("released/class").applied(ppgn.load(bundle, "noiseless", batch_size=80))


WALKS = {"DGN-AM": dgn_am, "PPGN, released": ppgn_released}


def climbed(pipeline: ppgn.Pipeline, neuron: ppgn.conditions.Unit) -> tuple[Tensor, float]:
    """(the activation at each chain's end, seconds)."""
    began = time.perf_counter()
    samples = ppgn.sample(pipeline.given(neuron), len(neuron.channel), STEPS, SEED, frames=0)
    return samples.log_condition[-1], time.perf_counter() - began


def left_behind(network: nn.Module) -> tuple[int, int]:
    """(hooks on its layers, gradients in its weights)."""
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in network.modules())
    return hooks, sum(parameter.grad is not None for parameter in network.parameters())


def rows_of(subject: Subject) -> list[list[str]]:
    network = subject.network()
    x = data.to_float(data.load(str(thirdparty.SHARED / "data" / subject.images), "test").images)
    layer = unit(network, subject.layer, 0)
    real = evaluation.in_parts(layer.channels, x).max(0).values
    chosen = (real > 0).nonzero()[:UNITS, 0]  # a unit that no image excites has no ratio
    asked, highest = unit(network, subject.layer, chosen.repeat_interleave(CHAINS)), real[chosen]
    rows = []
    for name, make in WALKS.items():
        pipeline = make(subject.bundle)
        assert isinstance(pipeline.start, ppgn.priors.Gaussian)
        h = pipeline.start.sample(len(x), ppgn.random.streams(SEED + 1, len(x))).float()
        drawn = evaluation.in_parts(lambda part, p=pipeline: layer.channels(p.generator(part)), h)[:, chosen]
        found, seconds = climbed(pipeline, asked)
        best, mean = found.view(UNITS, CHAINS).max(1).values, found.view(UNITS, CHAINS).mean(1)
        hooks, gradients = left_behind(network)
        rows.append([
            f"{subject.title}, {subject.layer}", name, f"{int((best > highest).sum())} of {UNITS}",
            f"{int((mean > highest).sum())} of {UNITS}",
            spread(best / highest), spread(mean / highest), spread(drawn.max(0).values / highest),
            f"{hooks}, {gradients}", f"{seconds / len(found):.2f}",
        ])  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def spread(ratio: Tensor) -> str:
    """Median over units, and the middle half."""
    low, middle, high = (float(ratio.quantile(q)) for q in (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


HEAD = [
    "unit", "walk", "best chain above the highest real", "mean of chains above it", "best chain / highest real",
    "mean of chains / highest real", "highest of 10,000 start codes / highest real", "hooks, gradients left",
    "s a chain",
]  # fmt: skip


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = [row for subject in SUBJECTS for row in rows_of(subject)]
    note = (
        f"The first {UNITS} channels of a layer that some image excites, {CHAINS} chains of {STEPS} steps a unit, seed "
        f"{SEED}; highest real: of the 10,000 test images of MNIST or CIFAR-10 (as JPEG). Ratios: median over units "
        "and, in brackets, the middle half of them. Generators: noiseless, of the bundles mnist and cifar10, which no "
        "part of the networks was trained with."
    )
    tables.write("units", HEAD, rows, note)


if __name__ == "__main__":
    main()
