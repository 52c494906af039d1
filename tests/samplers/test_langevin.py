from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
import torch
from targets import Counted, gaussian_target, linear

import ppgn
from ppgn import samplers
from ppgn.random import streams
from ppgn.types import Terms


def last(sampler, h0, rng, steps):
    return next(islice(samplers.chain(sampler, h0, rng), steps, None))


def test_variance_on_a_gaussian_is_the_closed_form():
    """h <- (1 - a) h + e3 z has variance e3^2 / (a (2 - a)), a = e1 * precision: not the target's 1/precision."""
    eps_prior, eps_noise, precision, n = 0.05, 0.2, 4.0, 40_000
    sampler = samplers.mala_approx(gaussian_target(precision), eps_prior, 1.0, eps_noise)
    h = last(sampler, torch.zeros(n // 8, 8, dtype=torch.float64), streams(0, n // 8), 120).h
    a = eps_prior * precision
    expected = eps_noise**2 / (a * (2 - a))
    standard_error = expected * math.sqrt(2 / n)
    assert abs(h.var().item() - expected) < 4 * standard_error
    assert abs(expected - 1 / precision) > 4 * standard_error  # the test tells the two apart
    assert abs(h.mean().item()) < 4 * math.sqrt(expected / n)


def numpy_released(problem, label, h, noise, eps, step_size, entry_only):
    """The authors' loop in numpy, from the equations alone."""
    a, b, w, c, r, s = (t.numpy() for t in (problem.a, problem.b, problem.w, problem.c, problem.r, problem.s))
    for i, z in enumerate(noise):
        x = h @ a.T + b
        logits = x @ w.T + c
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        error = np.eye(5)[label] - p
        if entry_only:
            error = error * np.eye(5)[label]
        d = eps[0] * (x @ r.T + s - h) + eps[1] * error @ w @ a + eps[2] * z
        h = np.clip(h + step_size(i) * d / np.abs(d).mean(1, keepdims=True), 0, 30)
    return h


@pytest.mark.parametrize("objective", ["log_prob", "released"])
def test_released_mode_is_the_authors_loop(objective):
    problem, label, n, steps = linear(), [0, 1, 4], 3, 50
    pipeline = problem.pipeline(label, objective=objective)
    step_size = samplers.linear(1.0, 0.1, steps=steps)
    sampler = samplers.mala_approx(pipeline, 1e-2, 1.0, 0.1, mode="released", step_size=step_size)
    h0 = torch.randn(n, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noise = [streams(5, n).normal(h0, i).numpy() for i in range(steps)]
    by_hand = numpy_released(problem, label, h0.numpy(), noise, (1e-2, 1.0, 0.1), step_size, objective == "released")
    assert np.abs(last(sampler, h0, streams(5, n), steps).h.numpy() - by_hand).max() < 1e-8


def test_paper_mode_is_equation_11():
    problem, label = linear(), [2, 3]
    pipeline = problem.pipeline(label)
    h0 = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.5, -0.5]], dtype=torch.float64)
    h = last(samplers.mala_approx(pipeline, 0.1, 0.2, 0.3), h0, streams(0, 2), 1).h
    x = h0 @ problem.a.T + problem.b
    p = torch.softmax(x @ problem.w.T + problem.c, 1)
    gradient = (torch.eye(5, dtype=torch.float64)[label] - p) @ problem.w @ problem.a
    prior = x @ problem.r.T + problem.s - h0
    expected = h0 + 0.1 * prior + 0.2 * gradient + 0.3 * streams(0, 2).normal(h0, 0)
    assert torch.allclose(h, expected, atol=1e-14)


def test_activation_max_is_the_authors_rule():
    problem = linear()
    pipeline = problem.pipeline([1, 2], objective="logit")
    bounds = (0.0, torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64))
    sampler = samplers.activation_max(pipeline, step_size=0.2, decay=0.01, bounds=bounds)
    h0 = torch.full((2, 3), 0.4, dtype=torch.float64)
    expected = h0
    for _ in range(5):
        g = (problem.w @ problem.a)[[1, 2]]
        expected = 0.99 * torch.clamp(expected + 0.2 * g / g.abs().mean(1, keepdim=True), torch.zeros(3), bounds[1])
    assert torch.allclose(last(sampler, h0, streams(0, 2), 5).h, expected, atol=1e-14)


def test_activation_max_climbs_a_real_unit(digits):
    condition = ppgn.conditions.class_label(digits.classifier, 3, objective="logit")
    sampler = samplers.activation_max(digits.given(condition), step_size=samplers.linear(0.5, 1e-10, 40))
    states = list(islice(samplers.chain(sampler, torch.zeros(4, 128), streams(0, 4)), 41))
    assert (states[-1].terms.log_condition > states[0].terms.log_condition + 5).all()


def test_one_generator_call_a_step(sevens):
    generator = Counted(sevens.generator).eval()
    pipeline = ppgn.Pipeline(generator, sevens.prior, sevens.condition)
    last(samplers.mala_approx(pipeline, 1e-5, 1.0, 1e-17), torch.zeros(2, 128), streams(0, 2), 10)
    assert generator.calls == 11  # the start and ten steps


def test_image_is_of_the_code_at_every_state(sevens):
    for state in islice(samplers.chain(sevens.sampler(sevens), torch.ones(3, 128), streams(0, 3)), 4):
        assert torch.equal(state.terms.image, sevens.generator(state.h))


def test_epsilons_may_be_schedules():
    seen: list[int] = []

    def eps(step: int) -> float:
        seen.append(step)
        return 0.1 * step

    sampler = samplers.mala_approx(gaussian_target(1.0), eps, 1.0, 0.0)
    h = last(sampler, torch.ones(1, 1, dtype=torch.float64), streams(0, 1), 3).h
    assert seen == [0, 1, 2]
    assert h.item() == pytest.approx(1.0 * 0.9 * 0.8)


def test_a_chain_with_nowhere_to_go_stays():
    sampler = samplers.mala_approx(gaussian_target(1.0), 0.1, 1.0, 0.0, mode="released")
    h0 = torch.stack([torch.zeros(3), torch.ones(3)])
    h = last(sampler, h0, streams(0, 2), 1).h
    assert h[0].tolist() == [0, 0, 0]
    assert h[1].tolist() == [0, 0, 0]


def test_a_chain_that_fails_stops_alone():
    """Chain 1's score becomes NaN once it is below 0.5: it stays before, is marked with the step, and 0 walks on."""

    def target(h):
        score = torch.where((h < 0.5) & (torch.arange(2)[:, None] == 1), torch.nan, -h)
        return Terms(torch.zeros(2, 1, 1, 1), score, torch.zeros_like(h), torch.zeros(2))

    state = last(samplers.mala_approx(target, 0.2, 1.0, 0.0), torch.ones(2, 1), streams(0, 2), 8)
    assert state.failed_at.tolist() == [-1, 4]
    assert state.h[0].item() == pytest.approx(0.8**8)
    assert state.h[1].item() == pytest.approx(0.8**3)
    assert all(torch.isfinite(term).all() for term in state.terms)


def test_infinity_does_not_hide_behind_bounds():
    def target(h):
        return Terms(torch.zeros(1, 1, 1, 1), torch.full_like(h, 3e38), torch.zeros_like(h), torch.zeros(1))

    sampler = samplers.mala_approx(target, 1e3, 1.0, 0.0, bounds=(0.0, 30.0))
    assert last(sampler, torch.ones(1, 1), streams(0, 1), 1).failed_at.tolist() == [1]


def test_neither_is_exact(sevens):
    assert not samplers.mala_approx(sevens, 1e-5, 1.0, 1e-17).exact
    assert not samplers.activation_max(sevens).exact


def test_a_step_leaves_its_state_and_the_networks_alone(sevens):
    sampler = sevens.sampler(sevens)
    parameter = next(sevens.generator.parameters())
    first = sampler.init(torch.zeros(2, 128))
    kept = first.h.clone()
    sampler.step(first, streams(0, 2))
    assert torch.equal(first.h, kept)
    assert parameter.grad is None
    assert not parameter.requires_grad
    assert not first.h.requires_grad


def test_trainable_networks_get_no_gradient():
    pipeline = linear().pipeline(0)  # its parameters require gradients
    last(pipeline.sampler(pipeline), torch.zeros(2, 3, dtype=torch.float64), streams(0, 2), 3)
    assert all(p.grad is None and p.requires_grad for p in pipeline.generator.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "published"}, "mode must be 'paper' or 'released', got 'published'"),
        ({"step_size": 0.1}, "step_size belongs to mode='released'"),
        ({"bounds": (1.0, 0.0)}, "low < high"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        samplers.mala_approx(gaussian_target(1.0), 0.1, 1.0, 0.1, **arguments)


def test_nan_epsilon_is_named():
    sampler = samplers.mala_approx(gaussian_target(1.0), math.nan, 1.0, 0.1)
    with pytest.raises(ValueError, match="NaN at step 0"):
        last(sampler, torch.zeros(1, 1), streams(0, 1), 1)


@pytest.mark.parametrize("where", ["prior", "condition"])
@pytest.mark.parametrize(
    "build",
    [
        lambda target: samplers.mala_approx(target, 0.1, 0.1, 0.01),
        lambda target: samplers.mala_approx(target, 0.1, 0.1, 0.01, mode="released"),
        lambda target: samplers.ula(target, 0.01),
        lambda target: samplers.activation_max(target, step_size=0.1),
    ],
    ids=["paper", "released", "ula", "activation_max"],
)
def test_nan_is_seen_in_every_walk(build, where):
    calls = []

    def target(h):
        calls.append(1)
        bad = torch.zeros_like(h).index_fill(0, torch.tensor([1]), torch.nan if len(calls) > 3 else 0.0)
        terms = {"prior": torch.ones_like(h), "condition": torch.ones_like(h)}
        terms[where] = terms[where] + bad
        return Terms(torch.zeros(3, 1, 1, 1), terms["prior"], terms["condition"], torch.zeros(3))

    state = last(build(target), torch.ones(3, 2), streams(0, 3), 6)
    assert state.failed_at.tolist() == [-1, 3, -1]
    assert all(torch.isfinite(term).all() for term in state.terms)


def test_codes_are_checked_before_the_networks_see_them(sevens):
    with pytest.raises(TypeError, match=r"floating point, got torch\.int64"):
        sevens.sampler(sevens).init(torch.zeros(2, 128, dtype=torch.int64))
