"""What the numbers of a run say about its draws: effective sample sizes, R-hat, acceptance.

Computed by arviz on the noted series (`ppgn.statistics`): rank-normalised split R-hat, bulk and tail effective sample
sizes (Vehtari et al. 2021). Chains asked for different classes sample different things and are never compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    import arviz
    import pandas

R_HAT, APART = 1.01, 1.05  # Vehtari et al. 2021; between them few draws may be all that is the matter
STUCK = 0.01  # a mean acceptance this near to 0 or 1 is no tuned walk's
FEW = 20  # draws whose mean acceptance says nothing yet: of a tuned walk too, one in twenty is below STUCK
OF_THE_SAMPLER = ("acceptance", "refreshed")  # series that are no quantities of the posterior


class SamplingWarning(UserWarning):
    """A run whose own numbers say that its draws should not be trusted yet."""


class Run(Protocol):
    """What is read of `ppgn.Samples`."""

    @property
    def series(self) -> Mapping[str, Tensor]:
        """Name -> (k, n)."""
        ...

    @property
    def chain(self) -> Tensor:
        """(k, n, *latent), k = 0 if not kept."""
        ...

    @property
    def codes(self) -> Tensor:
        """(n, *latent)."""
        ...

    @property
    def log_condition(self) -> Tensor:
        """(steps + 1, n)."""
        ...

    @property
    def labels(self) -> Tensor | None:
        """(n,)."""
        ...

    @property
    def finished(self) -> Tensor:
        """(n,) bool."""
        ...

    @property
    def steps(self) -> int:
        """Taken."""
        ...

    @property
    def exact(self) -> bool:
        """Stated by the sampler."""
        ...

    @property
    def record(self) -> Mapping[str, Any]:
        """Arguments and versions."""
        ...


def problems(run: Run) -> Iterator[str]:
    """What a person should know before using the draws, a sentence each."""
    if run.record["interrupted"]:
        return
    asked = run.record["sampler"]
    if asked["name"] == "annealed" and run.steps < asked["levels"]:
        yield (
            f"annealed has come down {run.steps} of its {asked['levels']} levels of noise: its codes are no draws yet. "
            "Give it as many steps, or a shorter ladder (levels=)"
        )
    lacking, name = int((~run.finished).sum()), asked["name"]
    if lacking:
        n = len(run.finished)
        budget = {"rejection": "accepted", "smc": "brought to the posterior"}.get(name, "finished")
        yield (
            f"{name} has {budget} {n - lacking} of {n} chains in its {run.steps} steps; `samples.finished` says which. "
            f"Give it more steps{', or for a rare condition a hundred chains of smc' if name == 'rejection' else ''}"
        )
    last = run.log_condition[-1]
    impossible = int((last.isneginf() | last.isnan()).sum())
    if impossible:
        n = len(run.finished)
        yield f"{impossible} of {n} chains are still where the condition is impossible, log p(y|x) = -inf or NaN"
    mean = _acceptance(run)
    if mean is not None and len(run.series["acceptance"]) >= FEW:
        for stuck, what in (
            (mean < STUCK, f"below {STUCK}: the step size is too long, or"),
            (mean > 1 - STUCK, f"above {1 - STUCK}: the step size is too short, or"),
        ):
            if bool(stuck.any()):
                yield (
                    f"{int(stuck.sum())} of {len(mean)} chains have a mean acceptance {what} no warm-up has adapted it "
                    f"(mean {float(mean[stuck].mean()):.3g} over {len(run.series['acceptance'])} draws)"
                )


def _acceptance(run: Run) -> Tensor | None:
    """(n,) mean acceptance of each chain's Langevin proposals; None where none were made."""
    found = run.series.get("acceptance")
    return None if found is None or not len(found) else found.mean(0)


def to_arviz(run: Run, label: int | None = None) -> arviz.InferenceData:
    """InferenceData with groups posterior and sample_stats, (chain, draw); independent draws are one chain.

    Raises ValueError if chains have several labels and none is chosen, or if nothing was noted.
    """
    labels = None if run.labels is None else run.labels.unique().tolist()
    if label is None and labels is not None and len(labels) > 1:
        raise ValueError(
            f"chains were asked for different classes, {labels}; choose one, as to_arviz(label={labels[0]})"
        )
    if label is not None and label not in (labels or []):
        raise ValueError(f"label must be one of {labels}, got {label}")
    series, chain = _of(run, label)
    if not next(iter(series.values())).size:
        raise ValueError(f"nothing was noted: no step was kept after a warm-up of {run.record['warmup']}")
    posterior = {name: value for name, value in series.items() if name not in OF_THE_SAMPLER}
    if chain.size:
        posterior["code"] = chain
    stats = {name: value for name, value in series.items() if name in OF_THE_SAMPLER}
    az = import_arviz()
    with warnings.catch_warnings():  # many short chains are no mistake
        warnings.filterwarnings("ignore", "More chains")
        found: arviz.InferenceData = az.from_dict(
            posterior=posterior, sample_stats=stats or None,
            attrs={"sampler": run.record["sampler"]["name"], "exact": str(run.exact)},
        )  # fmt: skip
    return found


def summary(run: Run) -> pandas.DataFrame:
    """A row for every label and quantity: mean, sd, mcse_mean, ess_bulk, ess_tail, r_hat. Printed, with warnings."""
    az = import_arviz()
    import pandas  # comes with arviz

    rows = {}
    labels: list[int | None] = [None] if run.labels is None else run.labels.unique().tolist()
    for label in labels:
        series, _ = _of(run, label)
        for name, value in series.items():
            if name not in OF_THE_SAMPLER and value.size:
                rows[name if label is None else f"{label}: {name}"] = _row(az, value)
    table = pandas.DataFrame.from_dict(
        rows, orient="index", columns=["mean", "sd", "mcse_mean", "ess_bulk", "ess_tail", "r_hat"]
    )
    print(_headline(run))
    print(table.to_string(float_format=lambda value: f"{value:.4g}"))
    worst = table["r_hat"].dropna()
    if (worst > R_HAT).any():
        said = "chains disagree" if worst.max() > APART else "chains may not have mixed yet"
        names = ", ".join(worst[worst > R_HAT].sort_values(ascending=False).index[:4])
        warnings.warn(
            f"{said}: R-hat is up to {worst.max():.4g} (above {R_HAT}: {names}); the draws still depend on "
            "where chains began. Walk longer, or jump between modes with sampler='mala+isir' or 'smc'",
            SamplingWarning, stacklevel=3,
        )  # fmt: skip
    return table


def _row(az: Any, value: np.ndarray) -> list[float]:
    """Of (chains, draws), in double precision; a constant has no R-hat."""
    if not np.ptp(value):
        return [float(value.mean()), 0.0, 0.0, np.nan, np.nan, np.nan]
    several = value.shape[0] > 1 and value.shape[1] >= 4
    ess = [float(az.ess(value, method=method)) if value.shape[1] >= 4 else np.nan for method in ("bulk", "tail")]
    error = float(value.std() / np.sqrt(ess[0])) if ess[0] > 0 else np.nan
    return [float(value.mean()), float(value.std()), error, *ess, float(az.rhat(value)) if several else np.nan]


def _is_probability(condition: Mapping[str, Any]) -> bool:
    """Whether log_condition is a class's log probability, of the image or of its views."""
    while condition["is"] == "Views":
        condition = condition["condition"]
    return bool(condition["is"] == "ClassLabel" and condition["objective"] != "logit")


def _of(run: Run, label: int | None) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(name -> (chains, draws), codes (chains, draws, *latent)) of the finished chains of one label."""
    own = run.finished if label is None or run.labels is None else run.finished & (run.labels == label)
    series = dict(run.series) | {"class_probability": run.series["log_condition"].exp()}
    if run.labels is None or not _is_probability(run.record["condition"]):
        del series["class_probability"]
    order = (0, 1) if run.record["ends"] else (1, 0)  # independent draws: one chain of them
    named = {name: value[:, own].double().permute(order).numpy() for name, value in series.items()}
    codes = run.codes[None] if run.record["ends"] else run.chain
    return named, codes[:, own].permute(*order, *range(2, codes.ndim)).numpy()


def _headline(run: Run) -> str:
    word = "exact" if run.exact else "not exact"
    name, n = run.record["sampler"]["name"], int(run.finished.sum())
    if run.record["ends"]:
        return f"{name} ({word}): {n} draws, {run.steps} steps"
    kept, mean, acceptance = len(run.series["log_condition"]), _acceptance(run), ""
    if mean is not None:
        acceptance = (
            f"; acceptance {float(mean.mean()):.3f} ({float(mean.min()):.3f} to {float(mean.max()):.3f} a chain)"
        )
    return f"{name} ({word}): {n} chains of {kept} draws after a warm-up of {run.record['warmup']}{acceptance}"


def import_arviz() -> Any:
    """arviz, which is an extra. Raises ImportError with how to install it."""
    try:
        with warnings.catch_warnings():  # it announces its next version to whoever imports it
            warnings.simplefilter("ignore")
            import arviz
    except ImportError:
        raise ImportError("diagnostics are an extra: pip install 'ppgn[diagnostics]'") from None
    return arviz
