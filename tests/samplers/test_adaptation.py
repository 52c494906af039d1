"""What the warm-up of `mala` learns, and that it stops learning."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from targets import Logistic, assert_moments, drawn, logistic_posterior, normal_start, posterior_of

from ppgn import samplers
from ppgn.random import streams
from ppgn.states import pack


def states(sampler, h0, rng, first, stop):
    return list(islice(samplers.chain(sampler, h0, rng), first, stop))


STD = torch.logspace(-1.5, 0.5, 10, dtype=torch.float64)  # scales 100 apart


def ten():
    """Independent normals of unlike scales in ten dimensions."""
    return posterior_of(lambda h: -0.5 * (h / STD).square().sum(1), torch.full((10,), 3.5))


@pytest.mark.parametrize("first", [1e-5, 10.0])
@pytest.mark.parametrize("options", [{}, {"precondition": True}, {"pooled": True}, {"acceptance": 0.8}], ids=str)
def test_the_acceptance_asked_for_is_reached(first, options):
    """From steps 1,000 times too short and too long. The average of log steps is accepted a little more often."""
    n, pipeline, asked = 64, ten(), options.get("acceptance", 0.574)
    sampler = samplers.mala(pipeline, first, warmup=1000, **options)
    h0 = drawn(pipeline, n) / 3.5 * STD
    seen = torch.stack([state.acceptance for state in states(sampler, h0, streams(0, n), 1001, 1300)])
    assert abs(seen.mean().item() - asked) < 0.05
    assert (seen.mean(0) - asked).square().mean().sqrt() < 0.1


@pytest.mark.parametrize("options", [{}, {"pooled": True, "precondition": True}], ids=str)
def test_nothing_is_learnt_after_the_warmup(options):
    pipeline, n = ten(), 8
    sampler = samplers.mala(pipeline, 0.01, warmup=60, **options)
    before, at, *_, later = states(sampler, drawn(pipeline, n), streams(0, n), 59, 200)
    first, frozen, after = (pack(state.tuning) for state in (before, at, later))
    assert not torch.equal(first["log_average"], frozen["log_average"])
    for name, value in frozen.items():
        assert torch.equal(after[name], value), name
    assert not torch.equal(at.h, later.h)


def test_without_a_warmup_nothing_is_ever_learnt():
    sampler = samplers.mala(logistic_posterior(Logistic(4.0, 1.0)), 0.3)
    first, *_, later = states(sampler, normal_start(5), streams(0, 5), 0, 50)
    for name, value in pack(first.tuning).items():
        assert torch.equal(pack(later.tuning)[name], value), name


def test_pooled_chains_share_one_step_and_others_do_not():
    pipeline, n = ten(), 16
    for pooled in (True, False):
        sampler = samplers.mala(pipeline, 0.01, warmup=50, pooled=pooled, precondition=True)
        (state,) = states(sampler, drawn(pipeline, n), streams(0, n), 60, 61)
        tuning = state.tuning
        assert bool((tuning.log_average == tuning.log_average[0]).all()) is pooled
        assert bool((tuning.scale == tuning.scale[0]).all()) is pooled


@pytest.mark.parametrize("precondition", [False, True])
@pytest.mark.parametrize("kernel", ["mala", "cycle"])
def test_a_chain_adapts_by_itself(kernel, precondition):
    """Chain 0 among eight and alone, in double precision: nothing but rounding, tuning included."""
    pipeline = ten()

    def run(n):
        sampler = samplers.mala(pipeline, 0.01, warmup=80, precondition=precondition)
        sampler = samplers.cycle(samplers.isir(pipeline, 3), sampler) if kernel == "cycle" else sampler
        return states(sampler, drawn(pipeline, n), streams(4, n), 120, 121)[0]

    batch, alone = run(8), run(1)
    assert torch.allclose(batch.h[0], alone.h[0], rtol=1e-9)
    for name in ("log_step", "log_average", "scale"):
        assert torch.allclose(getattr(batch.tuning, name)[0], getattr(alone.tuning, name)[0], rtol=1e-9), name


def test_the_scales_learnt_are_the_targets():
    """Pooled: of 64 chains and 900 codes each; up to one common factor."""
    pipeline, n = ten(), 64
    sampler = samplers.mala(pipeline, 0.01, warmup=2000, pooled=True, precondition=True)
    (state,) = states(sampler, drawn(pipeline, n) / 3.5 * STD, streams(0, n), 2000, 2001)
    ratio = (state.tuning.scale[0] / STD).log()
    assert (ratio - ratio.mean()).abs().max() < 4 * math.sqrt(1 / (2 * 300))  # at least 300 independent codes


def test_a_preconditioned_walk_mixes_where_a_plain_one_cannot():
    """Scales 100 apart: after 300 steps the wide coordinate is forgotten by one only."""
    pipeline, n = ten(), 500
    h0 = drawn(pipeline, n) / 3.5 * STD
    h0[:, -1] = 2 * STD[-1]
    plain = samplers.mala(pipeline, 0.01, warmup=1000, pooled=True)
    scaled = samplers.mala(pipeline, 0.01, warmup=1000, pooled=True, precondition=True)
    assert_moments(states(scaled, h0, streams(0, n), 1300, 1301)[0].h, torch.zeros(10), STD**2)
    assert states(plain, h0, streams(0, n), 1300, 1301)[0].h[:, -1].mean() > 8 * STD[-1] / math.sqrt(n)


def test_image_shaped_codes_have_image_shaped_scales():
    prior = ten().prior
    flat = samplers.mala(ten(), 0.01, warmup=40, precondition=True)
    h0 = prior.sample(4, streams(0, 4)).double()
    wide = ten()
    wide = type(wide)(wide.generator, _Reshaped(prior), wide.condition)
    shaped = samplers.mala(wide, 0.01, warmup=40, precondition=True)
    a = states(flat, h0, streams(0, 4), 60, 61)[0]
    b = states(shaped, h0.view(4, 2, 5, 1), _Flat(streams(0, 4)), 60, 61)[0]
    assert torch.allclose(a.h, b.h.flatten(1), rtol=1e-9)
    assert torch.allclose(a.tuning.scale, b.tuning.scale.flatten(1), rtol=1e-9)


class _Reshaped:
    """The same prior on codes (2, 5, 1)."""

    def __init__(self, prior):
        self.prior = prior

    def score(self, h, x):
        return self.prior.score(h.flatten(1), x).view_as(h)

    def log_prob(self, h):
        return self.prior.log_prob(h.flatten(1))

    def sample(self, n, rng, step=0):
        return self.prior.sample(n, rng, step).view(n, 2, 5, 1)


class _Flat:
    """The noise of flat codes in another shape."""

    def __init__(self, rng):
        self.rng = rng

    def normal(self, like, step, purpose="move"):
        return self.rng.normal(like.flatten(1), step, purpose).view_as(like)

    def uniform(self, like, step, purpose="accept"):
        return self.rng.uniform(like, step, purpose)


@pytest.mark.parametrize(("options", "message"), [
    ({"warmup": -1}, "warmup must be at least 0 steps, got -1"),
    ({"warmup": 10, "acceptance": 1.0}, r"acceptance must lie between 0 and 1, got 1\.0"),
    ({"precondition": True}, "precondition needs a warmup to learn the scales in, got warmup=0"),
])  # fmt: skip
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        samplers.mala(logistic_posterior(Logistic(4.0, 1.0)), 0.1, **options)
