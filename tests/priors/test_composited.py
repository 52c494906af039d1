"""A prior that is shown what is known of the image."""

from __future__ import annotations

import torch
from torch import nn

import ppgn
from ppgn import priors
from ppgn.conditions import inpaint

HOLE = torch.tensor([[True, False], [False, True]])


def rows(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_score_is_that_at_the_composite():
    prior, known = priors.joint(lambda x: 2 * x.flatten(1)), inpaint(rows(1, 2, 2, seed=0), HOLE)
    h, x = rows(3, 4, seed=1), rows(3, 1, 2, 2, seed=2)
    expected = 2 * torch.where(HOLE, x, known.image).flatten(1) - h
    assert torch.equal(priors.composited(prior, known).score(h, x), expected)


def test_every_row_keeps_its_picture_in_parts_of_a_batch():
    pictures = rows(5, 1, 2, 2, seed=3)
    holes = torch.stack([HOLE, ~HOLE, HOLE, HOLE, ~HOLE])
    known = inpaint(pictures, holes)
    prior = priors.composited(priors.joint(lambda x: x.flatten(1)), known)
    generator = nn.Unflatten(1, (1, 2, 2)).eval()
    h = rows(5, 4, seed=4)
    whole, parts = (
        ppgn.Pipeline(generator, prior, known, latent_shape=(4,), batch_size=size)(h).prior for size in (None, 2)
    )
    assert torch.equal(whole, parts)
    assert torch.equal(whole, torch.where(holes[:, None], h.view(5, 1, 2, 2), pictures).flatten(1) - h)
