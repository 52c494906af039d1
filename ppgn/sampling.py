"""`sample`: the one call a person makes, from a pipeline to images with their record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ppgn import records, saving
from ppgn.checks import require_eval, require_shape
from ppgn.conditions import ClassLabel
from ppgn.pipeline import Pipeline
from ppgn.random import streams
from ppgn.states import pack, unpack
from ppgn.trace import Notes, Trace, chains_to_show, take
from ppgn.types import Density, Sampler

Choice = Sampler[Any] | Callable[[Pipeline], Sampler[Any]]


@dataclass(frozen=True)
class Samples:
    """The end of n chains, and how they got there. All tensors are on the CPU.

    images          (n, C, H, W) in [0, 1], at the last step
    codes           (n, *latent), at the last step
    log_condition   (steps + 1, n) log p(y | x) at every step, nats, the start first
    exact           whether the sampler leaves p(h) p(y | G(h)) invariant
    failed_at       (n,) the step whose move was NaN or infinite: that chain stopped at its last finite code; -1: none
    labels          (n,) the class asked of each chain, if one was
    chain           (k, n, *latent) codes of every `thin`-th step, k = 0 unless asked for
    frames          (f, m, C, H, W) uint8 pictures of the walk of chains `frame_chains` (m,) at `frame_steps` (f,)
    record          every argument, seed, versions, sha256 of the weights
    state           the sampler's last state by name, for `resume`
    """

    images: Tensor
    codes: Tensor
    log_condition: Tensor
    exact: bool
    failed_at: Tensor
    labels: Tensor | None
    chain: Tensor
    frames: Tensor
    frame_steps: Tensor
    frame_chains: Tensor
    record: Mapping[str, Any]
    state: Mapping[str, Tensor]

    @property
    def steps(self) -> int:
        """Steps taken since the start, resumed ones included; fewer than asked for after Ctrl-C."""
        return len(self.log_condition) - 1

    def save(self, folder: str | Path, overwrite: bool = False) -> None:
        """Write grid.png, chain.gif (the walk), samples.safetensors and run.json, all or nothing.

        Raises FileExistsError for a folder with files in it, which `overwrite` allows only if they are an earlier run;
        ValueError for the working directory, NotADirectoryError or PermissionError where no folder can be made.
        """
        saving.write(
            Path(folder),
            {name: getattr(self, name) for name in saving.TENSORS} | self._state_beyond(),
            self.labels,
            {**self.record, "steps": self.steps, "exact": self.exact},
            overwrite,
        )

    @staticmethod
    def load(folder: str | Path) -> Samples:
        """Read a saved run. Raises FileNotFoundError, or DamagedFileError for files that were cut or altered."""
        tensors, record = saving.read(Path(folder))
        state = {k.removeprefix("state/"): v for k, v in tensors.items() if k.startswith("state/")}
        state |= {"h": tensors["codes"], "terms.image": tensors["images"], "failed_at": tensors["failed_at"]}
        parts = {name: tensors[name] for name in saving.TENSORS}
        return Samples(**parts, exact=record["exact"], labels=tensors.get("labels"), record=record, state=state)

    def resume(self, pipeline: Pipeline, steps: int, sampler: Choice | None = None, progress: bool = True) -> Samples:
        """`steps` more, to the same bits as if the run had not stopped; give it what `sample` was given.

        Raises ValueError naming what differs if the weights, the condition, the sampler or its settings are others.
        """
        kernel = _kernel(pipeline, sampler)
        now = _described(pipeline, kernel)
        differing = records.differences({key: self.record.get(key) for key in now}, now)
        if differing:
            raise ValueError(f"a run must be resumed with what it was begun with, but {'; '.join(differing)}")
        device, dtype = records.of_device(pipeline.generator, self.codes)
        if steps < 0:
            raise ValueError(f"steps must be at least 0, got {steps}")
        state = unpack(kernel.init(self.codes.to(device, dtype)), self.state)
        every = max(1, (self.steps + steps) // self.record["frames"]) if self.record["frames"] else 0
        record = {**self.record, "frame_every": every}
        more = _run(kernel, state, steps, record, self.labels, self.frame_chains, progress, pictured=True)
        kept = self.frame_steps % every == 0 if every else torch.zeros(len(self.frame_steps), dtype=torch.bool)
        joined = replace(
            more,
            log_condition=torch.cat([self.log_condition, more.log_condition[1:]]),
            chain=torch.cat([self.chain, more.chain]),
            frames=torch.cat([self.frames[kept], more.frames]),
            frame_steps=torch.cat([self.frame_steps[kept], more.frame_steps]),
        )
        return _require_finite(joined)

    def _state_beyond(self) -> dict[str, Tensor]:
        """What the state holds beyond the tensors that have a name of their own."""
        named = {"h", "terms.image", "failed_at"}
        return {f"state/{key}": value for key, value in self.state.items() if key not in named}


class ChainError(RuntimeError):
    """Chains met NaN or infinity. `samples` holds all chains; the failed ones stopped at their last finite code."""

    def __init__(self, message: str, samples: Samples):
        super().__init__(message)
        self.samples = samples


def sample(
    pipeline: Pipeline,
    n: int,
    steps: int,
    seed: int,
    sampler: Choice | None = None,
    progress: bool = True,
    *,
    start: Tensor | None = None,
    thin: int | None = None,
    frames: int = 40,
) -> Samples:
    """Walk n chains for `steps` steps and return where they end.

    sampler    a Sampler made for this pipeline, a function that makes one from it, or None for the one it recommends
    progress   a bar on a terminal
    start      first codes (n, *latent); None: draws of the pipeline's start, of its prior, or standard normals
    thin       keep the codes of every thin-th step in `chain`; None keeps none, and memory does not grow with the steps
    frames     pictures of the walk to keep for the animation, about

    Chain i depends on (seed, i) alone. Ctrl-C returns what there is. Raises ValueError for what does not fit, and
    ChainError, which holds the results, if chains met NaN or infinity.

    >>> import ppgn
    >>> digits = ppgn.load("mnist")
    >>> sevens = digits.given(ppgn.conditions.class_label(digits.classifier, 7))
    >>> samples = ppgn.sample(sevens, n=2, steps=3, seed=0, progress=False)
    >>> samples.images.shape, samples.log_condition.shape
    (torch.Size([2, 1, 28, 28]), torch.Size([4, 2]))
    """
    if steps < 0 or n < 1 or frames < 0 or (thin is not None and thin < 1):
        raise ValueError(
            f"n and thin must be at least 1, steps and frames at least 0, got {n=}, {thin=}, {steps=}, {frames=}"
        )
    kernel = _kernel(pipeline, sampler)
    labels = _labels(pipeline, n)
    state = kernel.init(_start(pipeline, n, seed, start))
    record = {
        "n": n,
        "seed": seed,
        "thin": thin,
        "frames": frames,
        "asked_steps": steps,
        "device": str(state.h.device),
        "dtype": str(state.h.dtype),
        "frame_every": max(1, steps // frames) if frames else 0,
        "start": "given" if start is not None else records.describe(_density_of_start(pipeline)) or "standard normals",
        **_described(pipeline, kernel),
        "versions": records.versions(),
    }
    shown = chains_to_show(state.terms.image, labels, frames)
    return _require_finite(_run(kernel, state, steps, record, labels, shown, progress))


def _kernel(pipeline: Pipeline, sampler: Choice | None) -> Sampler[Any]:
    """The sampler itself. Raises ValueError if there is none, it walks another pipeline, or a network may train."""
    for name, network in records.networks(pipeline):
        require_eval(network, name)
    choice = sampler if sampler is not None else pipeline.sampler
    if choice is None:
        raise ValueError(
            "sampler must be given: this pipeline recommends none; try ppgn.samplers.mala_approx(pipeline, ...)"
        )
    kernel = choice if isinstance(choice, Sampler) else choice(pipeline)
    if kernel.target is not None and kernel.target is not pipeline:
        raise ValueError(
            "sampler must walk the pipeline that is sampled, but was built from another; build it after .given()"
        )
    return kernel


def _described(pipeline: Pipeline, kernel: Sampler[Any]) -> dict[str, Any]:
    """What a resumed run must share with the first."""
    return {
        "sampler": {"name": kernel.name, **records.describe(kernel.settings)},
        "condition": records.describe(pipeline.condition),
        "prior": records.describe(pipeline.prior),
        "origin": dict(pipeline.origin),
        "batch_size": pipeline.batch_size,
        "weights": records.weights(pipeline),
    }


def _start(pipeline: Pipeline, n: int, seed: int, start: Tensor | None) -> Tensor:
    device, dtype = records.of_device(pipeline.generator, start)
    rng = streams(seed, n)
    if start is not None:
        if pipeline.latent_shape is not None:
            require_shape("start", start.shape, (n, *pipeline.latent_shape), "one code per chain")
        elif len(start) != n:
            raise ValueError(f"start must hold one code per chain, n = {n}, got {len(start)}")
        return start.detach().to(device, dtype)
    density = _density_of_start(pipeline)
    if density is not None:
        return density.sample(n, rng).to(device, dtype)
    if pipeline.latent_shape is None:
        raise ValueError("start must be given, or the pipeline needs a latent_shape to draw codes of")
    return rng.normal(torch.empty((n, *pipeline.latent_shape), device=device, dtype=dtype), 0, "start")


def _density_of_start(pipeline: Pipeline) -> Density | None:
    if pipeline.start is not None:
        return pipeline.start
    return pipeline.prior if isinstance(pipeline.prior, Density) else None


def _labels(pipeline: Pipeline, n: int) -> Tensor | None:
    if not isinstance(pipeline.condition, ClassLabel):
        return None
    label = pipeline.condition.label.cpu()
    if label.ndim == 1 and len(label) != n:
        raise ValueError(f"label must be one number or one per chain: n = {n}, got {len(label)} labels")
    return label.expand(n).clone()


def _run(
    kernel: Sampler[Any],
    state: Any,
    steps: int,
    record: Mapping[str, Any],
    labels: Tensor | None,
    shown: Tensor,
    progress: bool,
    pictured: bool = False,
) -> Samples:
    notes = Notes(record["thin"] or 0, record["frame_every"], shown, pictured)
    trace = take(kernel, state, steps, streams(record["seed"], record["n"]), notes, progress)
    return _samples(kernel, trace, record, labels, shown)


def _samples(
    kernel: Sampler[Any], trace: Trace, record: Mapping[str, Any], labels: Tensor | None, shown: Tensor
) -> Samples:
    state = {name: value.cpu() for name, value in pack(trace.state).items()}
    return Samples(
        images=state["terms.image"],
        codes=state["h"],
        log_condition=trace.log_condition,
        exact=kernel.exact,
        failed_at=state["failed_at"],
        labels=labels,
        chain=trace.chain,
        frames=trace.frames,
        frame_steps=trace.frame_steps,
        frame_chains=shown,
        record={**record, "interrupted": trace.interrupted},
        state=state,
    )


def _require_finite(samples: Samples) -> Samples:
    failed = (samples.failed_at >= 0).nonzero().flatten().tolist()
    if not failed:
        return samples
    first = ", ".join(f"chain {i} at step {int(samples.failed_at[i])}" for i in failed[:8])
    more = f" and {len(failed) - 8} more" if len(failed) > 8 else ""
    raise ChainError(
        f"codes and gradients must stay finite, but met NaN or inf: {first}{more}; they stopped at their last finite "
        f"code, the other {len(samples.codes) - len(failed)} chains are whole (error.samples)",
        samples,
    )
