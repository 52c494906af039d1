"""What the tests of saved pipelines share: another maker's network, a walk, and samples to compare."""

from __future__ import annotations

import torch
from torch import nn

import ppgn


def net():
    return nn.Sequential(nn.Linear(4, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8))).eval()


def walk(pipeline):
    return ppgn.samplers.mala_approx(pipeline, eps_prior=0.01, eps_condition=0.01, eps_noise=0.1)


def here(pipeline):
    return ppgn.sample(pipeline, n=2, steps=3, seed=0, progress=False)


def same(a, b):
    return torch.equal(a.images, b.images) and torch.equal(a.codes, b.codes)
