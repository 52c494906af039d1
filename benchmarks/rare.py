"""What does an effective draw cost when the condition is rare? Threes with ever more ink, on a third-party GAN.

    OMP_NUM_THREADS=1 python benchmarks/rare.py          # about 8 minutes on one core; resumes from runs/rare

p(y|x) is LeNet-5's p(3|x) times a steep sigmoid of an attribute of the image (its ink, its slant), with thresholds that
make p(y) fall from 1e-2 to 1e-6. The cost is in evaluations of the networks, 1 for one forward, 3 for one with its
gradient, counted at the generator, warm-up and all, over the number of effective draws:

rejection   accepted draws, which are independent
chains      arviz's bulk effective sample size (Vehtari et al. 2021) of the draws after the warm-up, the least over
            log p(y|x) and projections of code and image; none counts unless R-hat is below 1.05 for all of them
smc         independent populations. The mean of a quantity over one population has variance v between populations; the
            mean of k independent draws would have variance s^2 / k, s^2 the posterior's: so each population is worth
            s^2 / v draws, again the least over the same quantities (`population_ess`)
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import tables
import thirdparty
import torch
from torch import Tensor, nn
from truth import kept, told

import ppgn
from ppgn import samplers
from ppgn.conditions import ClassLabel
from ppgn.random import streams

LABEL = 3
POPULATIONS, PARTICLES = 96, 100
LANGEVIN = {
    "populations": 24,
    "proposal": "mala",
    "moves": 20,
    "settle": 1,
}  # of the second smc; the first has what it is by name
CHAINS, STEPS, ISIR_STEPS = 32, 2000, 600
R_HAT = 1.05
DRAWS = 1_000_000  # of the prior, to check p(y)
REJECTED = {1e-2: 1000, 1e-3: 300, 1e-4: 50}  # draws by rejection at about that p(y); at less it is not run
FOLDER = thirdparty.ROOT / "runs" / "rare"
KERNELS = ("rejection", "isir", "mala", "mala+isir", "smc", "smc, Langevin")


def ink(x: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B,) mean brightness."""
    return x.flatten(1).mean(1)


def slant(x: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B,) pixels that a stroke leans to the right in each row upwards (least squares)."""
    mass = x[:, 0]
    place = torch.arange(x.shape[-1], dtype=x.dtype, device=x.device)
    total = mass.sum((1, 2))
    right, down = (mass * place).sum((1, 2)) / total, (mass * place[:, None]).sum((1, 2)) / total
    up = down[:, None, None] - place[:, None]
    return (mass * up * (place - right[:, None, None])).sum((1, 2)) / (mass * up.square()).sum((1, 2))


@dataclass(frozen=True)
class Above:
    """p = sigmoid((attribute - threshold) / width)."""

    attribute: Callable[[Tensor], Tensor]
    threshold: float
    width: float

    def log_prob(self, x: Tensor) -> Tensor:
        return nn.functional.logsigmoid((self.attribute(x) - self.threshold) / self.width)

    def rows(self, index: Tensor) -> Above:
        return self


@dataclass(frozen=True)
class Both:
    """Two conditions at once: the product of their probabilities."""

    first: Any
    second: Any

    def log_prob(self, x: Tensor) -> Tensor:
        return self.first.log_prob(x) + self.second.log_prob(x)

    def rows(self, index: Tensor) -> Both:
        return replace(self, first=self.first.rows(index), second=self.second.rows(index))


ASKED = {
    "ink > 0.186": (1e-2, Above(ink, 0.186, 0.004)),
    "ink > 0.239": (1e-3, Above(ink, 0.239, 0.004)),
    "ink > 0.280": (1e-4, Above(ink, 0.280, 0.004)),
    "ink > 0.303": (1e-5, Above(ink, 0.303, 0.004)),
    "ink > 0.340": (1e-6, Above(ink, 0.340, 0.004)),
    "slant > 0.61": (1e-3, Above(slant, 0.61, 0.02)),
    "slant > 0.88": (1e-5, Above(slant, 0.88, 0.02)),
}


class Counted(nn.Module):
    """A generator that counts what it is asked for."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.evaluations = network, 0

    def forward(self, h: Tensor) -> Tensor:
        self.evaluations += len(h) * (3 if h.requires_grad and torch.is_grad_enabled() else 1)
        return self.network(h)


def population_ess(values: Tensor) -> float:
    """Effective draws in all populations, from one quantity's values (populations, particles): P s^2 / v.

    v is the variance of the populations' means, s^2 that of all particles.
    """
    between = values.double().mean(1).var()
    return float(len(values) * values.double().var() / between)


def measure(pipeline: ppgn.Pipeline, name: str) -> dict[str, Any]:
    """All kernels on one condition."""
    rarity, above = ASKED[name]
    label = ppgn.conditions.class_label(pipeline.classifier, LABEL)
    pipeline = pipeline.given(Both(label, above))
    found: dict[str, Any] = {"smc": smc(pipeline, proposal="pcn"), "smc, Langevin": smc(pipeline, **LANGEVIN)}
    if rarity in REJECTED:
        found["rejection"] = rejection(pipeline, REJECTED[rarity])
    for kernel in ("mala", "mala+isir", "isir"):
        found[kernel] = chains(pipeline, kernel, ISIR_STEPS if kernel == "isir" else STEPS)
        print(name, kernel, found[kernel], flush=True)
    return found


@contextlib.contextmanager
def measured(pipeline: ppgn.Pipeline) -> Iterator[dict[str, Any]]:
    """Evaluations and seconds of what is inside; warnings and printed summaries are dropped."""
    found: dict[str, Any] = {}
    before, began = pipeline.generator.evaluations, time.perf_counter()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", ppgn.SamplingWarning)
        yield found
    found["evaluations"] = pipeline.generator.evaluations - before
    found.setdefault("seconds", time.perf_counter() - began)


def rejection(pipeline: ppgn.Pipeline, n: int) -> dict[str, Any]:
    with measured(pipeline) as found:
        samples = ppgn.sample(pipeline, n, 1_000_000, 1, partial(samplers.rejection, draws=16), frames=0)
        found["effective"] = n
    return {**found, "p": n / float(samples.state["accepted_at"].sum())}


def chains(pipeline: ppgn.Pipeline, name: str, steps: int) -> dict[str, Any]:
    began = time.perf_counter()
    with measured(pipeline) as found:
        samples = ppgn.sample(pipeline, CHAINS, steps, 2, name, frames=0)
        found["seconds"] = time.perf_counter() - began
        table = samples.summary()
    worst = float(table["r_hat"].fillna(math.inf).max())
    log_p = told(samples.series["log_condition"].double().mean(0))
    return {**found, "effective": float(table["ess_bulk"].min()), "r_hat": min(worst, 1e9), "log_p": log_p}


def smc(pipeline: ppgn.Pipeline, populations: int = POPULATIONS, particles: int = PARTICLES, **settings: Any) -> dict:
    """`settings` are those of `ppgn.samplers.smc`, its own if none is given."""
    groups = torch.arange(populations).repeat_interleave(particles)
    with measured(pipeline) as found:
        kernel = partial(samplers.smc, step_size=0.3, groups=groups, **settings)
        samples = ppgn.sample(pipeline, len(groups), 1000, 3, kernel, frames=0)
    finished = bool(samples.finished.all())
    skipped = ("acceptance", "log_prob")
    effective = {
        name: population_ess(value[-1].view(populations, particles))
        for name, value in samples.series.items()
        if name not in skipped
    }
    evidence = samples.log_evidence.view(populations, particles)[:, 0].double().exp()
    log_p = told(samples.log_condition[-1].view(populations, particles).mean(1))
    return {
        **found, "effective": min(effective.values()), "each": effective, "p": told(evidence), "steps": samples.steps,
        "finished": finished, "log_p": log_p,
    }  # fmt: skip


def monte_carlo(pipeline: ppgn.Pipeline, draws: int) -> dict[str, Any]:
    """p(y) of every condition as a mean over the same draws of the prior."""
    label: ClassLabel = ppgn.conditions.class_label(pipeline.classifier, LABEL)
    sums = {name: torch.zeros(2, dtype=torch.float64) for name in ASKED}
    rng, some = streams(4, 1000), 1000
    with torch.no_grad():
        for step in range(draws // some):
            x = torch.cat(
                [pipeline.generator(part) for part in pipeline.prior.sample(some, rng, step).float().split(125)]
            )
            log_p = torch.cat([label.log_prob(part) for part in x.split(125)])
            for name, (_, above) in ASKED.items():
                p = (log_p + above.log_prob(x)).double().exp()
                sums[name] += torch.stack([p.sum(), p.square().sum()])
    n = draws // some * some
    return {
        name: {"mean": float(total / n), "error": math.sqrt(float(square / n - (total / n) ** 2) / n)}
        for name, (total, square) in sums.items()
    }


def cost(found: Mapping[str, Any]) -> float:
    """Evaluations an effective draw; infinite for what is stuck."""
    stuck = found.get("r_hat", 1.0) >= R_HAT or not found.get("finished", True)
    return math.inf if stuck else found["evaluations"] / found["effective"]


def cell(found: Mapping[str, Any]) -> str:
    if math.isinf(cost(found)):
        return f"R-hat {min(found['r_hat'], 99):.2f}" if "r_hat" in found else "not finished"
    return f"{cost(found):,.0f} ({1000 * found['seconds'] / found['effective']:,.0f} ms)"


def row(name: str, found: Mapping[str, Any], check: Mapping[str, float]) -> list[str]:
    smc, p = found["smc"], found["smc"]["p"]
    log_p = f"{math.log(p['mean']):.2f} ± {p['error'] / p['mean']:.2f}"
    seen = check["error"] < 0.2 * check["mean"]
    checked = f"{math.log(check['mean']):.2f} ± {check['error'] / check['mean']:.2f}" if seen else "too rare"
    ran = "rejection" in found
    tries = cost(found["rejection"]) if ran else 1 / p["mean"]
    kernels = [cell(found[kernel]) for kernel in KERNELS[1:]]
    best = min(cost(found["mala+isir"]), cost(smc))
    rejected = cell(found["rejection"]) if ran else f"*{tries:,.0f}*"
    return [f"3, {name}", f"{p['mean']:.1e}", log_p, checked, rejected, *kernels, f"{tries / best:,.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=thirdparty.WEIGHTS, help="folder of the third-party networks")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="results of each condition, to resume from")
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the prior, to check p(y) by")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = thirdparty.digits(arguments.weights)
    pipeline = replace(pipeline, generator=Counted(pipeline.generator).eval())
    check = kept(arguments.folder / f"prior-{arguments.draws}.json", partial(monte_carlo, pipeline, arguments.draws))
    rows = []
    for i, name in enumerate(ASKED):
        found = kept(arguments.folder / f"condition-{i}.json", partial(measure, pipeline, name))
        rows.append(row(name, found, check[name]))
    note = (
        "Evaluations an effective draw, one with a gradient counted as three, and milliseconds; in italics 1 / p(y), "
        f"not run. log p(y): {POPULATIONS} populations of {PARTICLES} by `smc` (as by name; of the Langevin one "
        f"{LANGEVIN['populations']}; seed 3), beside {arguments.draws:,} draws of the prior (seed 4), ± s.e. "
        f"Chains: {CHAINS} of {STEPS} steps ({ISIR_STEPS} of `isir`), half of them warm-up, seed 2; an R-hat alone: "
        f"{R_HAT} or more, so that no draw counts. Last: rejection's cost over the lesser of `mala+isir`'s and `smc`'s."
    )
    head = ["condition", "p(y)", "log p(y), `smc`", "by the prior", "`rejection`", *(f"`{k}`" for k in KERNELS[1:])]
    tables.write("rare", [*head, "times cheaper"], rows, note)


if __name__ == "__main__":
    main()
