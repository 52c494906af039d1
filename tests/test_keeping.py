from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from targets import linear

import ppgn
from ppgn import kept, samplers


def run(pipeline, n=3, steps=12, thin=2, warmup=2, **options):
    return ppgn.sample(pipeline, n, steps, 0, progress=False, thin=thin, warmup=warmup, **options)


def test_exactly_the_draws_above_are_kept_with_their_chain_and_step():
    pipeline = linear().pipeline([0, 1, 2])
    samples = run(pipeline)
    above = samples.series["log_condition"].median().item()
    draws = kept(pipeline, samples, above)
    wanted = [
        (2 + 2 * (moment + 1), chain)
        for moment in range(5)
        for chain in range(3)
        if samples.series["log_condition"][moment, chain] > above
    ]
    assert list(zip(draws.step.tolist(), draws.chain.tolist(), strict=True)) == wanted
    assert 0 < len(wanted) < 15
    for i, (step, chain) in enumerate(wanted):
        assert draws.log_condition[i] == samples.log_condition[step, chain]
        assert torch.equal(draws.codes[i], samples.chain[(step - 4) // 2, chain])
    assert torch.equal(draws.images, pipeline.generator(draws.codes))


def test_everything_nothing_and_parts(tmp_path):
    pipeline = linear().pipeline([0, 1, 2])
    run(pipeline).save(tmp_path / "out")
    samples = ppgn.Samples.load(tmp_path / "out")
    everything = kept(pipeline, samples, -math.inf)
    assert torch.equal(everything.codes, samples.chain.flatten(0, 1))
    parts = kept(replace(pipeline, batch_size=4), samples, -math.inf)
    assert torch.allclose(parts.images, everything.images, rtol=1e-12)
    nothing = kept(pipeline, samples, 0.0)
    assert [tuple(part.shape) for part in nothing] == [(0, 1, 2, 2), (0, 3), (0,), (0,), (0,)]


def test_draws_of_a_chain_that_stopped_are_left_out():
    pipeline = linear().pipeline([0, 1, 2])
    samples = run(pipeline)
    failed = replace(samples, failed_at=torch.tensor([-1, 8, -1]))
    draws = kept(pipeline, failed, -math.inf)
    assert draws.step[draws.chain == 1].tolist() == [4, 6]
    assert draws.step[draws.chain == 0].tolist() == [4, 6, 8, 10, 12]


def test_a_unit_is_kept_by_its_activation_and_restarts_by_their_ends():
    problem = linear()
    pipeline = problem.pipeline(0, objective="logit")
    start = ppgn.priors.gaussian((3,))
    samples = run(
        pipeline, steps=9, thin=3, warmup=0,
        sampler=lambda p: samplers.restarting(samplers.mala_approx(p, 0.0, 0.1, 0.0), 3, start),
    )  # fmt: skip
    draws = kept(pipeline, samples, above=1.5)
    logits = problem.pipeline(0).condition.classifier(draws.images)[:, 0]
    assert torch.allclose(draws.log_condition, logits)
    assert (logits > 1.5).all()
    assert set(draws.step.tolist()) <= {3, 6, 9}


def test_what_cannot_be_kept():
    pipeline = linear().pipeline([0, 1, 2])
    with pytest.raises(ValueError, match="the run must have kept codes: give sample thin="):
        kept(pipeline, run(pipeline, thin=None), 0.0)
    with pytest.raises(ValueError, match="pipeline must be the run's, but its generator has weights"):
        kept(linear(seed=1).pipeline([0, 1, 2]), run(pipeline), 0.0)
