"""What does a step cost at ImageNet's scale? The paper's pipeline at 227 pixels: the fc6 generator with all its 56 M
parameters, CaffeNet's fc6 as the joint prior's encoder, SqueezeNet as the condition, the authors' released rule.

    OMP_NUM_THREADS=1 python benchmarks/scale.py         # about 6 minutes on one core

Generator and CaffeNet have random weights, which cost what trained ones do; every row is a process of its own, so that
its peak memory is its own too.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import tables
import thirdparty
import torch
from torch import nn

import ppgn
from ppgn import models, pretrained
from ppgn.random import streams

SIZE, SEED = 227, 0
BATCHES, STEPS, WARM = (1, 2, 4, 8, 16), 7, 1  # steps that are timed, and before them some that are not
WALK = 200  # steps of a whole walk in the authors' settings
PRIORS = {"joint": "joint (CaffeNet fc6)", "none": "none"}


class Measured(NamedTuple):
    """Of one process."""

    seconds: Sequence[float]  # of each step
    peak: float  # MiB


@dataclass(frozen=True)
class Networks:
    """How the parts are made, each when it is needed: a process without a joint prior has no encoder in its memory."""

    generator: Callable[[], nn.Module]
    encoder: Callable[[], nn.Module]
    classifier: Callable[[Path], nn.Module]
    label: int | str


class Fc6(nn.Module):
    """x (B, 3, 227, 227) -> CaffeNet's fc6 (B, 4096)."""

    def __init__(self, network: models.CaffeNetwork):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network.features(x)


def squeezenet(weights: Path) -> nn.Module:
    """The shared one, or random weights where its file is not there."""
    if is_there(weights):
        return thirdparty.squeezenet(weights)
    return pretrained.classifier("torchvision/squeezenet1_0", weights=None, seed=SEED + 2)


def is_there(weights: Path) -> bool:
    return (weights / "imagenet_squeezenet1_0.safetensors").is_file()


FULL = Networks(
    lambda: models.build(partial(models.deepsim, "fc6", SIZE), SEED),
    lambda: Fc6(models.build(models.caffenet, SEED + 1)),
    squeezenet,
    "volcano",
)
SMOKE = Networks(  # a trial of the script in a second: 28 pixels, codes of 8
    lambda: models.build(partial(models.UpconvGenerator, code=8), SEED),
    lambda: models.Encoder(models.build(partial(models.ConvClassifier, code=8), SEED + 1)),
    lambda weights: models.build(models.ConvClassifier, SEED + 2),
    0,
)


def pipeline(networks: Networks, prior: str, weights: Path) -> ppgn.Pipeline:
    """The paper's, under one class; the prior is a key of PRIORS."""
    generator = pretrained.frozen(networks.generator())
    classifier = pretrained.frozen(networks.classifier(weights))
    return ppgn.Pipeline(
        generator,
        ppgn.priors.none() if prior == "none" else ppgn.priors.joint(pretrained.frozen(networks.encoder())),
        ppgn.conditions.class_label(classifier, networks.label, objective="released"),
        latent_shape=generator.latent_shape,
    )


def measure(networks: Networks, prior: str, batch: int, steps: int, weights: Path) -> Measured:
    """Seconds of each step of `batch` chains, and the peak resident memory of this process in MiB."""
    whole = pipeline(networks, prior, weights)
    sampler = ppgn.samplers.mala_approx(whole, 1e-5, 1.0, 1e-17, mode="released")
    rng = streams(SEED, batch)
    start = rng.normal(torch.empty(batch, *whole.latent_shape), 0, "start")
    walk = islice(ppgn.samplers.chain(sampler, start, rng), WARM + steps + 1)
    next(walk)  # the start
    seconds = []
    began = time.perf_counter()
    for _ in walk:
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
    return Measured(seconds[WARM:], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def apart(prior: str, batch: int, steps: int, weights: Path, smoke: bool = False) -> Measured:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--one", prior, str(batch), "--steps", str(steps), "--weights", str(weights)]
    out = subprocess.run([*command, *["--smoke"] * smoke], check=True, capture_output=True, text=True)
    return Measured(**json.loads(out.stdout))


def row(prior: str, batch: int, found: Measured) -> list[str]:
    middle = statistics.median(found.seconds)
    spread = statistics.median(abs(one - middle) for one in found.seconds)
    return [
        PRIORS[prior], str(batch), f"{middle:.2f} ± {spread:.2f}", f"{batch / middle:.2f}",
        f"{WALK * middle / batch:.0f}", f"{found.peak:,.0f}",
    ]  # fmt: skip


HEAD = ["prior", "chains", "s per step", "images per s", f"s per chain of {WALK} steps", "peak MiB"]


def table(batches: Sequence[int], steps: int, weights: Path) -> None:
    """Measure and write; see `tables.write`."""
    rows = []
    for prior in PRIORS:
        for batch in batches:
            rows.append(row(prior, batch, apart(prior, batch, steps, weights)))
            print(*rows[-1], flush=True)
    with torch.device("meta"):  # shapes alone
        counts = [sum(p.numel() for p in make().parameters()) / 1e6 for make in (FULL.generator, FULL.encoder)]
    whose = "the shared SqueezeNet 1.0" if is_there(weights) else "a SqueezeNet 1.0 of random weights"
    note = (
        f"{SIZE} pixels: the fc6 generator ({counts[0]:.1f} M parameters) and CaffeNet ({counts[1]:.1f} M) with random "
        f"weights of seeds {SEED} and {SEED + 1}, {whose} as the condition, `mala_approx` in the released mode, seed "
        f"{SEED}. Medians of {steps} steps ± their median deviation; images per s: evaluations of all terms, a new "
        "image of every chain; peak: of the whole process."
    )
    tables.write("scale", HEAD, rows, note)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--weights", type=Path, default=thirdparty.WEIGHTS)
    parser.add_argument("--one", nargs=2, metavar=("PRIOR", "CHAINS"), help="print one row's numbers as JSON")
    parser.add_argument("--smoke", action="store_true", help="with --one: small networks, to try the script")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if asked.one:
        prior, batch = asked.one
        found = measure(SMOKE if asked.smoke else FULL, prior, int(batch), asked.steps, asked.weights)
        print(json.dumps(found._asdict()))
    else:
        table(asked.batches, asked.steps, asked.weights)


if __name__ == "__main__":
    main()
