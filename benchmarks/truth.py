"""Do the exact kernels agree with rejection on anybody's networks? Class by class, on two third-party pairs.

    OMP_NUM_THREADS=1 python benchmarks/truth.py         # about 35 minutes on one core; resumes from runs/truth
    OMP_NUM_THREADS=1 python benchmarks/truth.py gan     # one pair; a finished class is not run again

Rejection gives independent draws of p(h | y), the truth. Beside it as many draws of `sampler="mala+isir"`, the ends of
as many chains, so independent too; its steps are those in which `isir` proposes `--passes` / p(y) codes of the prior,
by when all chains but a share exp(-passes) have jumped away from their starts. They agree if a network, trained on half
of both sets to tell them apart, does no better than chance on the other half (C2ST: Lopez-Paz & Oquab 2017), and if
their mean log p(y|x) is the same. Plain `mala`, adapted too, is held against the truth as well, and `mala+isir` from
starts that are too wide and from rejection's own draws.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tables
import thirdparty
import torch
from scipy.stats import binomtest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn

import ppgn
from ppgn import evaluation, files, pretrained

PROPOSALS = 5  # of an isir step of "mala+isir", which is every other step
LEAST = 30  # steps, of which half are the warm-up
WALK, MALA, MIXED = 600, 128, 32  # steps and chains of the long walks
STARTS = 500  # chains from every other start
SEEDS = 10  # of every class: those of class c begin at 10 c, so that no two classes share random numbers
WIDE = 2.0  # standard deviation of over-dispersed starts; the prior's is 1


@dataclass(frozen=True)
class Pair:
    """A generator and a classifier, what is drawn of them, and the features the draws are compared in."""

    pipeline: ppgn.Pipeline
    n: int
    features: Callable[[Tensor], Tensor]
    judge: nn.Module | None = None
    share: float = 1.0  # of the chains in the walks

    def given(self, label: int) -> ppgn.Pipeline:
        return self.pipeline.given(ppgn.conditions.class_label(self.pipeline.classifier, label))


def gan(arguments: argparse.Namespace) -> Pair:
    judge = pretrained.network("mnist", "judge")
    return Pair(thirdparty.digits(arguments.weights), arguments.n, judge.features, judge)


def vae(arguments: argparse.Namespace) -> Pair:
    pipeline = thirdparty.clothes(arguments.weights, arguments.data, arguments.folder)
    return Pair(pipeline, arguments.n // 10, pipeline.classifier.features, share=0.25)


PAIRS = {"gan": gan, "vae": vae}


def agreement(pair: Pair, label: int, passes: float) -> dict[str, Any]:
    """The recommended kernel and rejection, side by side."""
    pipeline, n, seed = pair.given(label), pair.n, SEEDS * label
    began = time.perf_counter()
    true, other = (rejected(pipeline, n, seed + i) for i in (1, 2))
    p = 2 * n / float(true.state["accepted_at"].sum() + other.state["accepted_at"].sum())
    steps = max(LEAST, 2 * math.ceil(passes / (PROPOSALS * p)))
    kernel = draws(pipeline, n, steps, seed + 3)
    return {
        "label": label, "n": n, "p": p, "steps": steps,
        "truth": told(true.log_condition[-1]), "kernel": told(kernel.log_condition[-1]),
        **compared(pair, label, true.images, kernel.images, other.images),
        "seconds": time.perf_counter() - began,
    }  # fmt: skip


def walks(pair: Pair, label: int, steps: int) -> dict[str, Any]:
    """Plain `mala` and the recommended kernel, long; the latter from other starts, for so many steps."""
    pipeline, few, seed = pair.given(label), min(STARTS, pair.n // 4), SEEDS * label
    began = time.perf_counter()
    wide = ppgn.priors.gaussian(pipeline.latent_shape, std=WIDE)
    true = rejected(pipeline, few, seed + 7).codes
    return {
        "wide": told(draws(pipeline, few, steps, seed + 4, wide).log_condition[-1]),
        "from_truth": told(draws(pipeline, few, steps, seed + 5, true).log_condition[-1]),
        "mala": walked(pipeline, "mala", round(MALA * pair.share), seed + 6),
        "mixed": walked(pipeline, "mala+isir", round(MIXED * pair.share), seed + 6),
        "walk_seconds": time.perf_counter() - began,
    }


def rejected(pipeline: ppgn.Pipeline, n: int, seed: int) -> ppgn.Samples:
    """n draws by rejection; few tries a step, since all of them are made for the chains that begin it."""
    return ppgn.sample(pipeline, n, 1000, seed, partial(ppgn.samplers.rejection, draws=8), frames=0)


def draws(pipeline: ppgn.Pipeline, n: int, steps: int, seed: int, start: Any = None) -> ppgn.Samples:
    """The ends of n chains of "mala+isir", without warnings of acceptances: so few steps tell nothing of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ppgn.SamplingWarning)
        return ppgn.sample(pipeline, n, steps, seed, "mala+isir", frames=0, start=start)


def walked(pipeline: ppgn.Pipeline, name: str, n: int, seed: int) -> dict[str, Any]:
    """n chains of WALK steps: mean log p(y|x) of the draws after the warm-up, error over chains, and what is warned."""
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always", ppgn.SamplingWarning)
        samples = ppgn.sample(pipeline, n, WALK, seed, name, frames=0)
        table = samples.summary()
    warned = [str(warning.message) for warning in caught if issubclass(warning.category, ppgn.SamplingWarning)]
    own = told(samples.series["log_condition"].double().mean(0))
    return {**own, "r_hat": float(table["r_hat"].max()), "warned": warned}


def compared(pair: Pair, label: int, true: Tensor, kernel: Tensor, other: Tensor) -> dict[str, Any]:
    """Two sets of draws through the features and the judge, beside a second set of the truth."""
    sets = [evaluation.in_parts(pair.features, images) for images in (true, kernel, other)]
    labels = torch.full((len(true),), label)
    a, b, c = (evaluation.moments(part) for part in sets)
    judged = [] if pair.judge is None else [evaluation.agreement(pair.judge, x, labels) for x in (true, kernel)]
    return {
        "c2st": two_sample(sets[0], sets[1]),
        "c2st_floor": two_sample(sets[0], sets[2]),
        "judge": judged,
        "spread": [evaluation.spread(part, labels) for part in sets[:2]],
        "distance": [evaluation.frechet_distance(a, b), evaluation.frechet_distance(a, c)],
    }


def two_sample(a: Tensor, b: Tensor, seed: int = 0) -> tuple[float, float]:
    """(accuracy, p-value) of telling two sets of equal size, (n, d) each, apart on the half not trained on.

    A network of one hidden layer of 20 units, as in the paper. p: one-sided, of so many right answers or more by
    coin-flips (exact binomial).
    """
    order = torch.Generator().manual_seed(seed)
    a, b = (rows.double()[torch.randperm(len(rows), generator=order)] for rows in (a, b))
    half = len(a) // 2
    train, test = torch.cat([a[:half], b[:half]]), torch.cat([a[half:], b[half:]])
    mean, std = train.mean(0), train.std(0).clamp(min=1e-9)
    network = MLPClassifier((20,), early_stopping=True, max_iter=100, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(((train - mean) / std).numpy(), [0] * half + [1] * half)
    truth = [0] * (len(a) - half) + [1] * (len(b) - half)
    right = int((network.predict(((test - mean) / std).numpy()) == truth).sum())
    return right / len(truth), float(binomtest(right, len(truth), alternative="greater").pvalue)


def told(values: Tensor) -> dict[str, float]:
    """Mean and standard error of independent values."""
    values = values.double()
    return {"mean": float(values.mean()), "error": float(values.std() / len(values) ** 0.5)}


def off(a: dict[str, float], b: dict[str, float]) -> float:
    """Difference of two means in its standard errors."""
    return (a["mean"] - b["mean"]) / math.hypot(a["error"], b["error"])


def shown(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f} ± {value['error']:.3f}"


def agreement_row(found: dict[str, Any]) -> list[str]:
    accuracy, p = found["c2st"]
    judge = [f"{100 * found['judge'][0]:.1f} / {100 * found['judge'][1]:.1f} %"] if found["judge"] else []
    return [
        str(found["label"]), f"{found['p']:.3f}", str(found["steps"]), shown(found["truth"]), shown(found["kernel"]),
        f"{off(found['kernel'], found['truth']):+.1f}", f"{100 * accuracy:.1f} %", f"{p:.2g}", *judge,
        "{:.3f} / {:.3f}".format(*found["spread"]), "{:.4f} / {:.4f}".format(*found["distance"]),
    ]  # fmt: skip


def walk_row(found: dict[str, Any]) -> list[str]:
    cells = [str(found["label"]), shown(found["truth"])]
    for name in ("mala", "mixed"):
        walk = found[name]
        cells += [shown(walk), f"{off(walk, found['truth']):+.1f}", f"{walk['r_hat']:.2f}"]
        cells.append("yes" if walk["warned"] else "no")
    starts = found["wide"], found["from_truth"]
    return [*cells, *map(shown, starts), f"{off(*starts):+.1f}"]


def write(name: str, results: list[dict[str, Any]], passes: float) -> None:
    """The two tables of a pair."""
    n, judged = results[0]["n"], bool(results[0]["judge"])
    head = ["class", "p(y)", "steps", "log p, rejection", "log p, `mala+isir`", "off by", "C2ST", "p-value"]
    head += ["judge agrees"] * judged + ["spread", "distance / floor"]
    took = sum(found["seconds"] + found["walk_seconds"] for found in results)
    worst, floor = (min(found[which][1] for found in results) for which in ("c2st", "c2st_floor"))
    note = (
        f"{n:,} draws each of class c, seeds 10 c + 1 (rejection) and 10 c + 3 (`mala+isir`, from the prior, `--passes "
        f"{passes:g}`); log p: mean log p(y|x) in nats with its standard error; off by: their difference in its "
        "standard errors; C2ST: share that a network can tell apart (1/2 if it cannot) and the one-sided p-value; "
        "pairs are rejection / `mala+isir`; distance: Fréchet, rejection to `mala+isir` / to a second rejection, seed "
        "10 c + 2, the floor. "
        f"The worst p-value is {worst:.2g}, of the floor's own C2ST {floor:.2g}. "
        f"{took / 60:.0f} minutes with the table below."
    )
    tables.write(f"truth-{name}", head, [agreement_row(found) for found in results], note)
    walk = ["off by", "R-hat", "warned"]
    head = ["class", "log p, rejection", "`mala`", *walk, "`mala+isir`", *walk]
    head += ["from wide starts", "from rejection's", "off by"]
    note = (
        f"`mala` and `mala+isir`: chains of {WALK} steps, half of them warm-up, seed 10 c + 6: mean log p(y|x) of all "
        "draws, error over chains, the largest R-hat of the noted numbers, and whether a SamplingWarning came. Right: "
        f"ends of {min(STARTS, n // 4)} chains of the steps above, from starts of standard deviation {WIDE:g} and from "
        "rejection's draws."
    )
    tables.write(f"truth-{name}-walks", head, [walk_row(found) for found in results], note)


def kept(path: Path, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is in the file, or the result of the run, which is put there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, run())
        print(path.name, path.read_text(), flush=True)
    return files.read_json(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help="gan, vae; both if none is named")
    parser.add_argument("--weights", type=Path, default=thirdparty.WEIGHTS, help="folder of the third-party networks")
    parser.add_argument("--data", type=Path, default=thirdparty.FASHION, help="Fashion-MNIST as .npz, for a classifier")
    parser.add_argument("--folder", type=Path, default=thirdparty.CACHE, help="results of each class, to resume from")
    parser.add_argument("--n", type=int, default=10_000, help="draws a class of the GAN; a tenth of it of the VAE")
    parser.add_argument("--passes", type=float, default=6.0, help="codes that isir proposes a chain, times p(y)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.pairs or PAIRS:
        pair, at = PAIRS[name](arguments), arguments.folder / f"{name}-{arguments.n}-{arguments.passes:g}"
        first = [
            kept(Path(f"{at}-{label}.json"), partial(agreement, pair, label, arguments.passes)) for label in range(10)
        ]
        then = [
            kept(Path(f"{at}-{found['label']}-walks.json"), partial(walks, pair, found["label"], found["steps"]))
            for found in first
        ]
        write(name, [a | b for a, b in zip(first, then, strict=True)], arguments.passes)


if __name__ == "__main__":
    main()
