"""A compiled step is the step, but for rounding."""

from __future__ import annotations

import shutil
from itertools import islice

import pytest
import torch
from targets import Logistic, logistic_posterior, normal_start

import ppgn
from ppgn import samplers
from ppgn.random import streams

needs_compiler = pytest.mark.skipif(not shutil.which("g++") and not shutil.which("clang++"), reason="needs a compiler")
# what torch's own compiler warns of while it starts
quiet = pytest.mark.filterwarnings("ignore")


def walked(sampler, n, steps=40):
    return next(islice(samplers.chain(sampler, normal_start(n), streams(0, n)), steps, None))


@pytest.mark.slow
@needs_compiler
@quiet
@pytest.mark.parametrize("options", [{"moves": 3}, {"warmup": 30}, {"warmup": 30, "precondition": True}])
def test_compiled_is_the_same_walk(options):
    pipeline = logistic_posterior(Logistic(4.0, 1.0))
    plain = walked(samplers.mala(pipeline, 0.3, **options), 7)
    fast = walked(samplers.mala(pipeline, 0.3, **options, compiled=True), 7)
    assert torch.allclose(plain.h, fast.h, rtol=1e-9)
    assert torch.allclose(plain.log_prob, fast.log_prob, rtol=1e-9)
    assert torch.allclose(plain.acceptance, fast.acceptance, atol=1e-9)
    for kept, fresh in zip(fast.terms, pipeline(fast.h), strict=True):
        assert torch.allclose(kept, fresh)


@pytest.mark.slow
@needs_compiler
@quiet
def test_real_networks_compile(digits):
    prior = ppgn.priors.gaussian((128,), std=0.5)
    pipeline = ppgn.Pipeline(digits.generator, prior, ppgn.conditions.class_label(digits.classifier, [3, 7]))
    start, ends = prior.sample(2, streams(0, 2)).float(), []
    for compiled in (False, True):
        chain = samplers.chain(samplers.mala(pipeline, 1e-3, compiled=compiled), start, streams(0, 2))
        ends.append(next(islice(chain, 4, None)).h)
    assert not torch.equal(ends[0], start)
    assert torch.allclose(*ends, atol=1e-4)


@quiet
def test_what_cannot_be_traced_is_said():
    class Nosy(Logistic):
        def log_prob(self, x):
            return super().log_prob(x) if x.sum() > 0 else super().log_prob(2 * x)

    sampler = samplers.mala(logistic_posterior(Nosy(4.0, 1.0)), 0.1, compiled=True)
    with pytest.raises(RuntimeError, match="networks whose control flow does not look at values, and a C"):
        walked(sampler, 3, steps=1)
