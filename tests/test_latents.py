"""Grids have as much probability in each cell, paths their ends, and great circles keep lengths."""

from __future__ import annotations

import math

import pytest
import torch

from ppgn import latents


def codes(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shown(z):
    """A generator whose image is its code."""
    return z[:, :, None, None]


def test_the_codes_of_a_grid_are_quantiles_of_the_normal_law():
    z = latents.latent_grid(shown, 10, like=codes(1))[:, :, 0, 0].view(10, 10, 2)
    share = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    places = (torch.arange(10, dtype=torch.float64) + 0.5) / 10
    assert torch.allclose(share[..., 0], places.expand(10, 10), atol=1e-12)  # to the right
    assert torch.allclose(share[..., 1], places.flip(0)[:, None].expand(10, 10), atol=1e-12)  # upwards


def test_a_grid_of_one_is_the_mode():
    z = latents.latent_grid(shown, 1)
    assert z.dtype == torch.float32
    assert torch.equal(z, torch.zeros(1, 2, 1, 1))


def test_a_grid_keeps_no_graph():
    layer = torch.nn.Linear(2, 3)
    assert not latents.latent_grid(lambda z: layer(z)[:, :, None, None], 3).requires_grad


@pytest.mark.parametrize("spherical", [False, True])
def test_paths_begin_and_end_where_they_should(spherical):
    a, b = codes(3, 4, 2, 2), codes(3, 4, 2, 2, seed=1)
    path = latents.interpolate(a, b, 5, spherical=spherical)
    assert path.shape == (3, 5, 4, 2, 2)
    assert torch.allclose(path[:, 0], a, atol=1e-12)
    assert torch.allclose(path[:, -1], b, atol=1e-12)
    back = latents.interpolate(b, a, 5, spherical=spherical).flip(1)
    assert torch.allclose(path, back, atol=1e-12)


def test_straight_paths_have_equal_steps():
    path = latents.interpolate(codes(2, 7), codes(2, 7, seed=1), 6)
    steps = path.diff(dim=1)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), atol=1e-12)


def test_great_circles_keep_the_length_and_turn_by_equal_angles():
    a, b = (torch.nn.functional.normalize(codes(3, 50, seed=i), dim=1) for i in (0, 1))
    path = latents.interpolate(a, b, 7, spherical=True)
    assert torch.allclose(path.norm(dim=2), torch.ones(3, 7, dtype=torch.float64), atol=1e-12)
    turns = (path[:, 1:] * path[:, :-1]).sum(2).acos()
    assert torch.allclose(turns, ((a * b).sum(1).acos() / 6)[:, None].expand(3, 6), atol=1e-7)


def test_between_codes_that_are_almost_parallel_the_way_is_straight():
    a = codes(2, 5)
    b = a * (1 + 1e-7) + 1e-9
    path = latents.interpolate(a, b, 4, spherical=True)
    assert torch.allclose(path, latents.interpolate(a, b, 4), atol=1e-12)


def test_a_row_does_not_depend_on_the_others():
    a, b = codes(4, 6), codes(4, 6, seed=1)
    alone = latents.interpolate(a[2:3], b[2:3], 5, spherical=True)
    assert torch.equal(latents.interpolate(a, b, 5, spherical=True)[2:3], alone)


def test_what_cannot_be_walked():
    with pytest.raises(ValueError, match="n must be at least 1 code a side, got 0"):
        latents.latent_grid(shown, 0)
    a = codes(1, 3)
    with pytest.raises(ValueError, match=r"codes must be \(B, \*latent\) twice, got \(1, 3\) and \(1, 2\)"):
        latents.interpolate(a, a[:, :2], 3)
    with pytest.raises(ValueError, match="n must be at least 2, the ends, got 1"):
        latents.interpolate(a, a, 1)
    with pytest.raises(ValueError, match=r"must not be 0 or opposite for a great circle, got cosines \[-1"):
        latents.interpolate(a, -a, 3, spherical=True)
    with pytest.raises(ValueError, match=r"must not be 0 or opposite for a great circle, got cosines \[nan"):
        latents.interpolate(a, 0 * a, 3, spherical=True)
