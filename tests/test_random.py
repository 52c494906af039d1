from __future__ import annotations

import math

import pytest
import torch

from ppgn.random import BLOCK_NUMBERS, BLOCK_STEPS, per_step, streams


def like(n, *row, dtype=torch.float32):
    return torch.empty(n, *row, dtype=dtype)


@pytest.mark.parametrize("row", [(1,), (100,), (3, 5, 7), (1 << 17,)])
def test_a_chain_sees_the_same_noise_in_any_batch(row):
    whole, alone = streams(3, 4), streams(3, 1, first=2)
    for step in (0, 1, BLOCK_STEPS - 1, BLOCK_STEPS, 5 * BLOCK_STEPS + 1):
        assert torch.equal(whole.normal(like(4, *row), step)[2], alone.normal(like(1, *row), step)[0])


def test_steps_may_be_asked_for_in_any_order():
    forwards = [streams(0, 2).normal(like(2, 5), step) for step in range(70)]
    rng = streams(0, 2)
    for step in (69, 3, 33, 3, 0):
        assert torch.equal(rng.normal(like(2, 5), step), forwards[step])


def test_everything_that_should_differ_differs():
    base = streams(0, 2).normal(like(2, 50), 7)
    assert not torch.equal(base[0], base[1])
    assert not torch.equal(base, streams(1, 2).normal(like(2, 50), 7))
    assert not torch.equal(base, streams(0, 2).normal(like(2, 50), 8))
    assert not torch.equal(base, streams(0, 2).normal(like(2, 50), 7 + BLOCK_STEPS))
    assert not torch.equal(base, streams(0, 2).normal(like(2, 50), 7, "start"))


def test_numbers_are_standard_normal_and_uncorrelated():
    n, steps, d = 50, 64, 64
    rng = streams(0, n)
    z = torch.stack([rng.normal(like(n, d, dtype=torch.float64), step) for step in range(steps)])
    count = z.numel()
    assert abs(z.mean().item()) < 4 / math.sqrt(count)
    assert abs(z.var().item() - 1) < 4 * math.sqrt(2 / count)
    assert abs((z**4).mean().item() - 3) < 4 * math.sqrt(96 / count)
    for a, b in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1]), (z[..., 1:], z[..., :-1])):
        assert abs((a * b).mean().item()) < 4 / math.sqrt(a.numel())


def test_shape_dtype_and_memory():
    rng = streams(0, 2)
    assert rng.normal(like(2, 3, dtype=torch.float64), 0).dtype == torch.float64
    rng.normal(like(2, 3, 64, 64), 0)
    assert max(block[:, 0].numel() for block in rng._blocks.values()) <= max(BLOCK_NUMBERS, 3 * 64 * 64)
    for step in range(0, 20 * BLOCK_STEPS, BLOCK_STEPS):
        rng.normal(like(2, 10), step)
    assert len(rng._blocks) == 1


def test_rows():
    some = streams(9, 5).rows([4, 1])
    assert torch.equal(some.normal(like(2, 3), 0), streams(9, 5).normal(like(5, 3), 0)[[4, 1]])


def test_training_noise_depends_on_seed_and_step_alone():
    at = per_step(4)
    a = torch.randn(5, generator=at(10))
    at(11)
    assert torch.equal(a, torch.randn(5, generator=per_step(4)(10)))
    assert not torch.equal(a, torch.randn(5, generator=at(11)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: streams(-1, 2), r"seed must be a whole number in \[0, 2\*\*64\), got -1"),
        (lambda: streams(0, 0), "at least 1 chain, got 0"),
        (lambda: streams(0, 3).normal(like(2, 4), 0), r"3 chains, got shape \(2, 4\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_seed_of_64_bits_is_its_own():
    draws = [streams(seed, 1).normal(like(1, 20), 0) for seed in (2**63, 2**63 + 5, 2**64 - 1, 0)]
    assert len({tuple(d.flatten().tolist()) for d in draws}) == 4
    with pytest.raises(TypeError):
        streams(1.5, 2)
    with pytest.raises(ValueError, match="whole number"):
        streams(True, 2)


def test_uniforms():
    u = torch.cat([streams(0, 100).uniform(like(100, 50, dtype=torch.float64), step) for step in range(4)])
    assert 0 <= u.min() < u.max() < 1
    assert abs(u.mean().item() - 0.5) < 4 * math.sqrt(1 / 12 / u.numel())
    assert torch.equal(streams(0, 3).uniform(like(3), 5), streams(0, 9).uniform(like(9), 5)[:3])
