from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from targets import linear
from torch import nn

import ppgn


def codes(n=3):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_terms_are_the_closed_form():
    problem, label, h = linear(), [0, 2, 4], codes()
    terms = problem.pipeline(label)(h)
    x = h @ problem.a.T + problem.b
    logits = x @ problem.w.T + problem.c
    error = torch.eye(5, dtype=torch.float64)[label] - logits.softmax(1)
    assert torch.allclose(terms.image.flatten(1), x)
    assert torch.allclose(terms.prior, x @ problem.r.T + problem.s - h)
    assert torch.allclose(terms.condition, error @ problem.w @ problem.a)
    assert torch.allclose(terms.log_condition, logits.log_softmax(1)[[0, 1, 2], label])
    assert not any(t.requires_grad for t in terms)


def test_no_gradient_flows_through_the_prior():
    """The encoder refuses to be differentiated; the terms come all the same."""

    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.flatten(1)[:, :3].clone()

        @staticmethod
        def backward(ctx, gradient):
            raise AssertionError("a gradient went through R_h")

    pipeline = linear().pipeline(0)
    pipeline = replace(pipeline, prior=ppgn.priors.joint(lambda x: Refuses.apply(x.requires_grad_(x.is_leaf))))
    assert torch.isfinite(pipeline(codes()).prior).all()


def test_given_shares_all_but_the_condition():
    pipeline = linear().pipeline(0)
    other = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 3))
    assert other.generator is pipeline.generator
    assert other.prior is pipeline.prior
    assert not torch.equal(other(codes()).condition, pipeline(codes()).condition)


def test_micro_batches_change_nothing():
    pipeline = linear().pipeline([0, 1, 2])
    whole, parts = pipeline(codes()), replace(pipeline, batch_size=2)(codes())
    for a, b in zip(whole, parts, strict=True):
        assert torch.allclose(a, b, atol=1e-14)


def test_the_callers_code_is_left_alone():
    h = codes()
    linear().pipeline(0)(h)
    assert not h.requires_grad
    with torch.no_grad():
        assert torch.isfinite(linear().pipeline(0)(h).condition).all()
    assert not torch.is_inference_mode_enabled()


def test_generator_in_train_mode():
    with pytest.raises(ValueError, match="generator must be in eval mode"):
        ppgn.Pipeline(nn.Linear(2, 2), ppgn.priors.none(), ppgn.conditions.unconditional())


def test_batch_size():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        replace(linear().pipeline(0), batch_size=0)


def test_a_start_must_be_a_density():
    prior = ppgn.priors.dae(lambda h: h, 0.1)
    with pytest.raises(TypeError, match=r"start must be a Density, with log_prob and sample.* DAE has none"):
        replace(linear().pipeline(0), start=prior)
