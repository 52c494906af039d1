from __future__ import annotations

import itertools
import math

import pytest
import torch
from targets import assert_moments, gaussian_target, linear

import ppgn
from ppgn.random import streams
from ppgn.samplers import annealed, mala_approx, redrawn, restarting, ula

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
START = ppgn.priors.gaussian((1,), mean=5.0, std=0.5)


def states(sampler, steps, n=2, seed=0, h0=None):
    h0 = torch.zeros(n, 1).double() if h0 is None else h0
    return list(itertools.islice(ppgn.samplers.chain(sampler, h0, streams(seed, n)), steps + 1))


def test_the_first_lap_is_the_sampler_itself():
    walk = ula(gaussian_target(2.0), 0.1)
    plain, laps = states(walk, 5), states(restarting(walk, 5, START), 5)
    assert all(torch.equal(a.h, b.h) and a.step == b.step for a, b in zip(plain, laps, strict=True))


def test_every_lap_has_the_law_of_the_same_number_of_steps_from_the_start():
    """Of h <- (1 - a d) h + (2 d)^(1/2) z from N(5, 0.25), by hand, in laps after the first; laps are independent."""
    n, d, a, every = 20_000, 0.1, 2.0, 4
    seen = states(restarting(ula(gaussian_target(a), d), every, START), 3 * every, n)
    assert [state.step for state in seen] == list(range(3 * every + 1))
    keep = 1 - a * d
    for lap, k in itertools.product((1, 2), (1, 3, 4)):
        mean, variance = 5 * keep**k, 0.25 * keep ** (2 * k) + 2 * d * sum(keep ** (2 * i) for i in range(k))
        assert_moments(seen[lap * every + k].h, mean, variance)
    ends = torch.cat([seen[every * lap].h for lap in (1, 2, 3)], 1)
    correlation = torch.corrcoef(ends.T)
    assert correlation.fill_diagonal_(0).abs().max() < 4 / math.sqrt(n)


class Noted:
    """Streams that note which numbers were asked for."""

    def __init__(self, inner):
        self.inner, self.asked = inner, []

    def normal(self, like, step, purpose="move"):
        self.asked.append((purpose, step))
        return self.inner.normal(like, step, purpose)

    def uniform(self, like, step, purpose="accept"):
        self.asked.append((purpose, step))
        return self.inner.uniform(like, step, purpose)


def test_no_lap_uses_noise_of_another():
    """The annealed walk looks at the noise of the step after, at a lap's end too."""
    digits = ppgn.load("mnist")
    inner = annealed(digits, 2.0, 0.3, levels=2)
    rng, sampler = Noted(streams(0, 1)), restarting(inner, 3, digits.start)
    state, laps = sampler.init(digits.start.sample(1, rng)), []
    for _ in range(3):
        rng.asked.clear()
        for _ in range(3):
            state = sampler.step(state, rng)
        laps.append({one for one in rng.asked if one[0] == "move"})
    assert [len(lap) for lap in laps] == [4, 4, 4]
    assert not laps[0] & laps[1] | laps[1] & laps[2] | laps[0] & laps[2]


class Later:
    """Streams from a later step on, by hand."""

    def __init__(self, inner, steps):
        self.inner, self.steps = inner, steps

    def normal(self, like, step, purpose="move"):
        return self.inner.normal(like, step + self.steps, purpose)


def test_schedules_begin_anew():
    """A pull of the whole code in a lap's first step leaves nothing of it."""
    pull = mala_approx(gaussian_target(1.0), ppgn.samplers.linear(1.0, 0.0, steps=3), 0.0, 0.0)
    seen = states(restarting(pull, 3, START), 9)
    assert [seen[step].h.abs().max().item() for step in (1, 4, 7)] == [0, 0, 0]


def test_a_ladder_and_turns_begin_anew():
    """The second lap is, bit for bit, the sampler from a draw of the start under its own noise."""
    digits = ppgn.load("mnist")
    classes = [ppgn.conditions.class_label(digits.classifier, label) for label in (1, 7)]
    inner = annealed(digits.given(ppgn.conditions.in_turn(classes, every=2)), 4.0, 0.5, levels=2)
    seen = states(restarting(inner, 3, digits.start), 6, h0=digits.start.sample(2, streams(0, 2)))
    alone = inner.init(digits.start.sample(2, streams(0, 2), 1))
    for k in range(3):
        alone = inner.step(alone, Later(streams(0, 2), 4))
        assert torch.equal(seen[4 + k].h, alone.h)
        assert torch.equal(seen[4 + k].terms.log_condition, alone.terms.log_condition)


def test_numbers_may_differ_from_lap_to_lap():
    number = redrawn(0.1, 0.9, every=1, seed=4)
    target = gaussian_target(1.0)
    sampler = restarting(lambda lap: mala_approx(target, number(lap), 0.0, 0.0), 1, START)
    seen = states(sampler, 4)
    for lap in (1, 2, 3):
        begun = START.sample(2, streams(0, 2), lap)
        assert torch.allclose(seen[lap + 1].h, (1 - number(lap)) * begun)


@pytest.mark.parametrize("cut", [3, 4, 5, 9])
def test_a_run_goes_on_in_the_same_bits(tmp_path, cut):
    """Stopped before, at and after a restart, by `resume` and by a checkpoint."""
    problem = linear()
    pipeline = problem.pipeline([0, 1, 2])
    start = ppgn.priors.gaussian((3,), mean=1.0)

    def laps(pipeline):
        return restarting(mala_approx(pipeline, 0.1, 0.2, 0.05), 4, start)

    def run(steps, **options):
        return ppgn.sample(pipeline, 3, steps, seed=0, sampler=laps, thin=4, progress=False, **options)

    whole = run(11)
    run(cut).save(tmp_path / "out")
    resumed = ppgn.Samples.load(tmp_path / "out").resume(pipeline, 11 - cut, laps, progress=False)
    run(cut, checkpoint=tmp_path / "run.safetensors")
    gone_on = run(11, checkpoint=tmp_path / "run.safetensors")
    for again in (resumed, gone_on):
        for name in ("codes", "images", "log_condition", "chain"):
            assert torch.equal(getattr(again, name), getattr(whole, name)), name
    assert not whole.exact


def test_other_settings_are_told_when_a_run_is_resumed():
    problem = linear()
    pipeline = problem.pipeline(0)
    number = redrawn(1e-3, 1e-1, every=1, seed=0)

    def laps(every=4, mean=1.0, noise=0.05, number=number):
        start = ppgn.priors.gaussian((3,), mean=mean)
        return lambda p: restarting(lambda lap: mala_approx(p, number(lap), 0.2, noise), every, start)

    samples = ppgn.sample(pipeline, 2, 3, seed=0, sampler=laps(), progress=False)
    samples.resume(pipeline, 1, laps(), progress=False)
    for other, told in [
        (laps(every=5), r"sampler\.every: saved 4, now 5"),
        (laps(mean=2.0), r"sampler\.start\.mean: saved"),
        (laps(noise=0.1), r"sampler\.sampler\.eps_noise: saved 0\.05, now 0\.1"),
        (laps(number=redrawn(1e-3, 1e-1, every=1, seed=1)), r"sampler\.laps\.second\.eps_prior: saved"),
    ]:
        with pytest.raises(ValueError, match=told):
            samples.resume(pipeline, 1, other)


def breaking(step_of_chain_one):
    """The prior's score, NaN for chain 1 once its code has been pushed so many times by 1."""

    def terms(h):
        zero, score = torch.zeros_like(h), torch.ones_like(h)
        score = torch.where((torch.arange(len(h))[:, None] == 1) & (h >= step_of_chain_one), torch.nan, score)
        return ppgn.types.Terms(torch.zeros(len(h), 1, 1, 1), score, zero, zero[:, 0])

    return terms


def test_a_chain_that_failed_stays_and_says_when_in_steps_of_the_whole_run():
    """From 0 each step adds 1; the second lap, of steps 4 to 6, begins at 4.9 to 5.1 and is NaN from 6.5 on."""
    start = ppgn.priors.gaussian((1,), mean=5.0, std=0.01)
    seen = states(restarting(mala_approx(breaking(6.5), 1.0, 0.0, 0.0), 3, start), 9, n=3)
    assert [state.failed_at.tolist() for state in seen[4:]] == [[-1, -1, -1], *[[-1, 5, -1]] * 5]
    assert all(torch.equal(state.h[1], seen[4].h[1]) for state in seen[5:])
    assert not torch.equal(seen[7].h[0], seen[6].h[0] + 1)
    assert all(torch.isfinite(state.terms.prior).all() for state in seen)


def test_images_of_failed_chains_are_kept_and_the_others_walk_on():
    seen = states(restarting(mala_approx(breaking(2.5), 1.0, 0.0, 0.0), 4, START), 6, n=2)
    assert seen[4].failed_at.tolist() == [-1, 3]
    assert seen[6].failed_at.tolist() == [-1, 3]
    assert seen[6].h[1].item() == 2


def test_it_is_not_exact_and_refuses_what_does_not_fit():
    posterior = ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 1), ppgn.priors.gaussian((1,)), latent_shape=(1,))
    inner = ppgn.samplers.mala(posterior, 0.1)
    assert inner.exact
    assert not restarting(inner, 2, START).exact
    assert restarting(inner, 2, START).reports == inner.reports
    walk = ula(gaussian_target(1.0), 0.1)
    with pytest.raises(ValueError, match="every must be at least 1 step, got 0"):
        restarting(walk, 0, START)
    with pytest.raises(TypeError, match="start must be a Density"):
        restarting(walk, 2, torch.zeros(1))
    with pytest.raises(ValueError, match="needs a walk, but rejection ends when it is done"):
        restarting(ppgn.samplers.rejection(posterior), 2, START)
    mixed = restarting(lambda lap: inner if lap == 0 else walk, 1, START)
    with pytest.raises(ValueError, match="one kind of sampler, mala, but lap 1 walks by ula"):
        states(mixed, 2)
    others = restarting(lambda lap: ula(gaussian_target(1.0), 0.1), 1, START)
    with pytest.raises(ValueError, match="by one kind of sampler, ula, but lap 0 walks another"):
        states(others, 2)
