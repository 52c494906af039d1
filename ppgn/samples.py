"""What a run gives: the draws, how they came about, and the record to trust them by."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ppgn import conditions, diagnostics, records, runs, saving
from ppgn.pipeline import Pipeline
from ppgn.runs import Choice
from ppgn.states import pack, unpack
from ppgn.statistics import Statistics, note, statistics_of
from ppgn.trace import Trace
from ppgn.types import Filling, Sampler

if TYPE_CHECKING:
    import arviz
    import pandas


@dataclass(frozen=True)
class Samples:
    """The end of n chains, and how they got there. All tensors are on the CPU.

    images          (n, C, H, W) in [0, 1], at the last step: G of the codes
    codes           (n, *latent), at the last step
    log_condition   (steps + 1, n) log p(y | x) at every step, nats, the start first
    exact           whether the sampler leaves p(h) p(y | G(h))^gamma invariant, gamma as in its settings, 1 if not told
    finished        (n,) bool: False for chains that are no draws yet, as those that rejection has not accepted
    failed_at       (n,) the step whose move was NaN or infinite: that chain stopped at its last finite code; -1: none
    labels          (n,) the class asked of each chain, if one was
    filled          (n, C, H, W) the images with what was known of them in its place, if a part was (inpaint)
    series          name -> (k, n): what `ppgn.statistics` names, of every `thin`-th step after the warm-up; of kernels
                    that finish (rejection, smc), of the end alone
    chain           (k, n, *latent) the codes of those steps, k = 0 unless `thin` was given
    frames          (f, m, C, H, W) uint8 pictures of the walk of chains `frame_chains` (m,) at `frame_steps` (f,)
    record          every argument, seed, versions, sha256 of the weights
    state           the sampler's last state by name, for `resume`
    """

    images: Tensor
    codes: Tensor
    log_condition: Tensor
    exact: bool
    finished: Tensor
    failed_at: Tensor
    labels: Tensor | None
    filled: Tensor | None
    series: Mapping[str, Tensor]
    chain: Tensor
    frames: Tensor
    frame_steps: Tensor
    frame_chains: Tensor
    record: Mapping[str, Any]
    state: Mapping[str, Tensor]

    @property
    def steps(self) -> int:
        """Steps taken since the start, resumed ones included; fewer than asked for after Ctrl-C or once all is done."""
        return len(self.log_condition) - 1

    @property
    def log_evidence(self) -> Tensor | None:
        """(n,) estimate of log p(y), nats, of each chain's condition, where the sampler makes one (smc).

        NaN for chains that are not finished.
        """
        found = self.state.get("log_evidence")
        return None if found is None else found.masked_fill(~self.finished & (self.failed_at < 0), torch.nan)

    def summary(self) -> pandas.DataFrame:
        """Print and return, for every noted number: mean, deviation, error, effective sample sizes and R-hat.

        Warns (`ppgn.SamplingWarning`) where chains disagree. Needs the extra `diagnostics` (arviz).
        """
        return diagnostics.summary(self)

    def to_arviz(self, label: int | None = None) -> arviz.InferenceData:
        """The noted series as arviz's InferenceData, chains by draws, and the codes if they were kept.

        label: of these chains only; needed if chains were asked for different classes, which sample different things.
        """
        return diagnostics.to_arviz(self, label)

    def save(self, folder: str | Path, overwrite: bool = False) -> None:
        """Write grid.png, chain.gif (the walk), samples.safetensors, run.json and report.html, all or nothing.

        Where a part of the images was known, filled.png too: the images with that part in its place.

        Raises FileExistsError for a folder with files in it, which `overwrite` allows only if they are an earlier run;
        ValueError for the working directory, NotADirectoryError or PermissionError where no folder can be made.
        """
        saving.write(Path(folder), self.tensors(), self.header(), overwrite)

    @staticmethod
    def load(folder: str | Path) -> Samples:
        """Read a saved run. Raises FileNotFoundError, or DamagedFileError for files that were cut or altered."""
        return Samples.of_tensors(*saving.read(Path(folder)))

    def tensors(self) -> dict[str, Tensor]:
        """Everything but the record, by name."""
        named = {"h", "terms.image", "failed_at"}  # of the state: they have a name of their own
        return (
            {name: getattr(self, name) for name in saving.TENSORS}
            | {name: value for name in saving.OPTIONAL if (value := getattr(self, name)) is not None}
            | {f"series/{key}": value for key, value in self.series.items()}
            | {f"state/{key}": value for key, value in self.state.items() if key not in named}
        )

    def header(self) -> dict[str, Any]:
        """The record with what else is no tensor."""
        return {**self.record, "steps": self.steps, "exact": self.exact}

    @staticmethod
    def of_tensors(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> Samples:
        """The inverse of `tensors` and `header`."""

        def below(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

        state = below("state/")
        state |= {"h": tensors["codes"], "terms.image": tensors["images"], "failed_at": tensors["failed_at"]}
        series = below("series/")
        return Samples(
            **{name: tensors[name] for name in saving.TENSORS},
            exact=header["exact"],
            labels=tensors.get("labels"),
            filled=tensors.get("filled"),
            series={name: series[name] for name in header["statistics"]},  # in their order
            record=header,
            state=state,
        )

    def resume(
        self,
        pipeline: Pipeline,
        steps: int,
        sampler: Choice | str | None = None,
        progress: bool = True,
        *,
        statistics: Statistics | None = None,
    ) -> Samples:
        """`steps` more, to the same bits as if the run had not stopped; give it what `sample` was given.

        sampler: not needed where it was asked for by name. Raises ValueError naming what differs if the weights, the
        condition, the sampler, its settings or the statistics are others.
        """
        if steps < 0:
            raise ValueError(f"steps must be at least 0, got {steps}")
        if isinstance(sampler, str):
            if sampler not in ("auto", self.record["named"]):
                raise ValueError(f"a run must be resumed with its sampler, {self.record['named']}, got {sampler!r}")
            sampler = None
        return self.thinned(self.steps + steps).continued(pipeline, steps, sampler, statistics, progress)

    def thinned(self, steps: int) -> Samples:
        """With as many pictures as a run of so many steps keeps."""
        every = max(1, steps // self.record["frames"]) if self.record["frames"] else 0
        kept = self.frame_steps % every == 0 if every else torch.zeros(len(self.frame_steps), dtype=torch.bool)
        return replace(
            self,
            record={**self.record, "frame_every": every, "asked_steps": steps},
            frames=self.frames[kept],
            frame_steps=self.frame_steps[kept],
        )

    def continued(
        self,
        pipeline: Pipeline,
        steps: int,
        sampler: Choice | None,
        noted: Statistics | None,
        progress: bool,
        keep: Keep | None = None,
    ) -> Samples:
        """As `resume`, with pictures as often as before; parts of the run are handed to `keep`."""
        groups = runs.groups_of(pipeline, len(self.codes), self.labels, self.record["named"])
        kernel = runs.kernel_of(pipeline, sampler, self.record, groups)
        now = runs.described(pipeline, kernel)
        differing = records.differences({key: self.record.get(key) for key in now}, now)
        if differing:
            raise ValueError(f"a run must be resumed with what it was begun with, but {'; '.join(differing)}")
        device, dtype = records.of_device(pipeline.generator, self.codes)
        state = unpack(kernel.init(self.codes.to(device, dtype)), self.state)
        series = torch.stack(list(self.series.values()), dim=1)
        trace = Trace(state, self.log_condition, series, self.chain, self.frames, self.frame_steps, False)
        known = statistics_of(kernel, state, noted, self.record["statistics"])
        return walked(kernel, trace, steps, self.record, known, self.labels, self.frame_chains, progress, keep)


Keep = tuple[int, Callable[[Samples], None]]
"""(steps, function): what is called with the run so far after each so many steps."""


def walked(
    kernel: Sampler[Any], trace: Trace, steps: int, record: Mapping[str, Any], noted: Statistics,
    labels: Tensor | None, shown: Tensor, progress: bool, keep: Keep | None = None,
) -> Samples:  # fmt: skip
    """`steps` more than `trace`. Warns of chains that are no draws; raises ChainError if one met NaN or infinity."""
    every, hand_over = keep or (max(1, steps), None)
    samples = _of_trace(kernel, trace, noted, record, labels, shown)
    for part in runs.stretches(kernel, trace, steps, record, noted, shown, every, progress):
        trace = trace.then(part)
        samples = _of_trace(kernel, trace, noted, record, labels, shown)
        if hand_over is not None:
            try:
                hand_over(samples)
            except KeyboardInterrupt:  # the last part is in memory, the one before on the disk
                samples = replace(samples, record={**samples.record, "interrupted": True})
                break
    _require_finite(samples)
    for problem in diagnostics.problems(samples):
        warnings.warn(problem, diagnostics.SamplingWarning, stacklevel=3)
    return samples


def _of_trace(
    kernel: Sampler[Any], trace: Trace, noted: Statistics, record: Mapping[str, Any], labels: Tensor | None,
    shown: Tensor,
) -> Samples:  # fmt: skip
    state = {name: value.cpu() for name, value in pack(trace.state).items()}
    ends = kernel.finished is not None
    series = note(noted, trace.state)[None].cpu() if ends else trace.series
    ready = kernel.finished(trace.state).cpu() if kernel.finished else torch.ones(len(state["h"]), dtype=torch.bool)
    return Samples(
        images=state["terms.image"],
        codes=state["h"],
        log_condition=trace.log_condition,
        exact=kernel.exact,
        finished=ready & (state["failed_at"] < 0),
        failed_at=state["failed_at"],
        labels=labels,
        filled=_filled(kernel, state["terms.image"]),
        series={name: series[:, i] for i, name in enumerate(noted)},
        chain=trace.chain,
        frames=trace.frames,
        frame_steps=trace.frame_steps,
        frame_chains=shown,
        record={**record, "statistics": list(noted), "ends": ends, "interrupted": trace.interrupted},
        state=state,
    )


def _filled(kernel: Sampler[Any], images: Tensor) -> Tensor | None:
    """The images with what was known of them in its place, if the walk's condition has one such part."""
    if not isinstance(kernel.target, Pipeline):
        return None
    fillings = [part for part in conditions.walk(kernel.target.condition) if isinstance(part, Filling)]
    return fillings[0].composite(images) if len(fillings) == 1 else None


class ChainError(RuntimeError):
    """Chains met NaN or infinity. `samples` holds all chains; the failed ones stopped at their last finite code."""

    def __init__(self, message: str, samples: Samples):
        super().__init__(message)
        self.samples = samples


def _require_finite(samples: Samples) -> None:
    failed = (samples.failed_at >= 0).nonzero().flatten().tolist()
    if not failed:
        return
    first = ", ".join(f"chain {i} at step {int(samples.failed_at[i])}" for i in failed[:8])
    more = f" and {len(failed) - 8} more" if len(failed) > 8 else ""
    met = "codes and gradients must stay finite, but met NaN or inf"
    if samples.record["sampler"]["name"] == "smc":
        met = "some particle of a group must have a finite log p(y|x), but none had"
    raise ChainError(
        f"{met}: {first}{more}; they stopped at their last finite code, the other "
        f"{len(samples.codes) - len(failed)} chains are whole (error.samples)",
        samples,
    )
