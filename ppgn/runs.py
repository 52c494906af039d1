"""From a kernel to a trace: what `sample` and `Samples.resume` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ppgn import named, records
from ppgn.checks import require_eval
from ppgn.pipeline import Pipeline
from ppgn.random import streams
from ppgn.statistics import Statistics
from ppgn.trace import Notes, Trace, take
from ppgn.types import Sampler

Choice = Sampler[Any] | Callable[[Pipeline], Sampler[Any]]


def kernel_of(
    pipeline: Pipeline, choice: Choice | None, record: Mapping[str, Any], labels: Tensor | None
) -> Sampler[Any]:
    """The sampler itself: the one given, that of the name in the record, or the one that the pipeline recommends.

    Raises ValueError if there is none, it walks another pipeline, or a network may train.
    """
    for name, network in records.networks(pipeline):
        require_eval(network, name)
    if choice is None and record["named"]:
        return named.build(pipeline, record["named"], record["warmup"], labels)
    choice = choice if choice is not None else pipeline.sampler
    if choice is None:
        if record["reason"]:  # auto was asked, and the prior knows no density or the condition varies
            raise ValueError(
                "sampler must be given: auto needs a prior with a density and a condition that stays the same, or a "
                "pipeline that recommends one"
            )
        raise ValueError("sampler must be given: this pipeline recommends none; try sampler='auto'")
    kernel = choice if isinstance(choice, Sampler) else choice(pipeline)
    if kernel.target is not None and kernel.target is not pipeline:
        raise ValueError(
            "sampler must walk the pipeline that is sampled, but was built from another; build it after .given()"
        )
    return kernel


def groups_of(pipeline: Pipeline, n: int, labels: Tensor | None, name: str | None) -> Tensor | None:
    """(n,) which chains are asked for the same, where the sampler of that name goes by it; None: all are.

    labels where they tell them apart, else numbers: two chains of one label may still have other pictures to fill.
    """
    if name not in ("auto", "smc"):
        return labels
    rows = [str(records.describe(pipeline.condition.rows(torch.tensor([i])))) for i in range(n)]
    first = {text: i for i, text in reversed(list(enumerate(rows)))}
    apart = torch.tensor([first[text] for text in rows])
    both = apart if labels is None else torch.stack([apart, labels], 1)
    if labels is not None and len(labels.unique()) == len(apart.unique()) == len(both.unique(dim=0)):
        return labels
    return apart if len(first) > 1 else None


def described(pipeline: Pipeline, kernel: Sampler[Any]) -> dict[str, Any]:
    """What a resumed run must share with the first."""
    return {
        "sampler": {"name": kernel.name, **records.describe(kernel.settings)},
        "generator": records.describe(pipeline.generator),
        "condition": records.describe(pipeline.condition),
        "prior": records.describe(pipeline.prior),
        "origin": records.describe(pipeline.origin),
        "batch_size": pipeline.batch_size,
        "weights": records.weights(replace(pipeline, encoder=None)),  # which no walk uses
    }


def stretches(
    kernel: Sampler[Any],
    trace: Trace,
    steps: int,
    record: Mapping[str, Any],
    statistics: Statistics,
    shown: Tensor,
    every: int,
    progress: bool,
) -> Iterator[Trace]:
    """`steps` more than `trace`, a trace for each `every` of them; ends early with a trace that did."""
    state = trace.state
    rng = streams(record["seed"], record["n"])
    notes = Notes(
        statistics=statistics,
        # kernels that finish are no walks: their moments on the way are no draws
        warmup=record["warmup"] if kernel.finished is None else sys.maxsize,
        every=record["thin"] or 1,
        codes=record["thin"] is not None,
        frame_every=record["frame_every"],
        shown=shown,
        pictured=state.step if len(trace.frames) or state.step else -1,
    )
    left = steps
    with tqdm(total=steps, disable=None if progress else True, unit="step") as bar:
        while True:
            trace = take(kernel, state, min(left, every), rng, notes, bar)
            yield trace
            taken = trace.state.step - state.step
            state, left, notes = trace.state, left - taken, replace(notes, pictured=trace.state.step)
            if left <= 0 or taken < every or trace.interrupted:
                return
