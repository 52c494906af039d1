"""Of a long walk, the draws that meet the condition well enough: the authors keep those of p > 0.98."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ppgn import evaluation, records
from ppgn.pipeline import Pipeline
from ppgn.samples import Samples

PART = 64  # images made at a time, where the pipeline does not say


class Kept(NamedTuple):
    """m draws, in the order of their steps, then of their chains. All tensors are on the CPU."""

    images: Tensor  # (m, C, H, W)   G(codes)
    codes: Tensor  # (m, *latent)
    log_condition: Tensor  # (m,)   in the condition's own unit: nats of a class, an activation of a unit
    chain: Tensor  # (m,) int64
    step: Tensor  # (m,) int64, from 1 on


def kept(pipeline: Pipeline, samples: Samples, above: float) -> Kept:
    """The draws of a run with `thin=` whose condition was above a threshold.

    pipeline   the run's: its generator makes the images again
    above      in the unit of the condition: math.log(0.98) keeps a class of more than 98 %

    Draws of a chain that met NaN, from where it stopped, are left out. Draws are kept by their own condition, so that
    they are those of no walk any more: what is easily met is over-represented. Raises ValueError if the run kept no
    codes, or if its generator had other weights.

    >>> import math
    >>> import ppgn
    >>> digits = ppgn.load("mnist", "ppgn-h")
    >>> sevens = digits.given(ppgn.conditions.class_label(digits.classifier, 7))
    >>> samples = ppgn.sample(sevens, n=4, steps=8, seed=0, thin=2, progress=False)
    >>> draws = kept(sevens, samples, above=math.log(0.5))
    >>> bool((draws.log_condition > math.log(0.5)).all()), len(draws.images) <= 16
    (True, True)
    """
    if len(samples.chain) == 0:
        raise ValueError("the run must have kept codes: give sample thin=, as thin=10, and steps after the warm-up")
    _require_same(pipeline, samples)
    series, thin = samples.series["log_condition"], samples.record["thin"]
    step = samples.record["warmup"] + thin * torch.arange(1, len(series) + 1)
    whole = (samples.failed_at < 0) | (step[:, None] < samples.failed_at)
    moment, chain = ((series > above) & whole).nonzero(as_tuple=True)
    codes = samples.chain[moment, chain]
    return Kept(_images(pipeline, codes, samples), codes, series[moment, chain], chain, step[moment])


def _require_same(pipeline: Pipeline, samples: Samples) -> None:
    now = records.weights(pipeline).get("generator")
    then = samples.record["weights"].get("generator")
    if now != then:
        raise ValueError(f"pipeline must be the run's, but its generator has weights {now}, then they were {then}")


def _images(pipeline: Pipeline, codes: Tensor, samples: Samples) -> Tensor:
    if len(codes) == 0:
        return samples.images[:0]
    device, dtype = records.of_device(pipeline.generator, codes)
    size = pipeline.batch_size or PART
    return evaluation.in_parts(lambda part: pipeline.generator(part.to(device, dtype)).cpu(), codes, size)
