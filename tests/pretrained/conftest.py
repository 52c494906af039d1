from __future__ import annotations

import pytest
import torch
from saved_pipelines import net, walk
from torch import nn

import ppgn
from ppgn import pretrained


@pytest.fixture
def foreign():
    """A pipeline whose generator and classifier are other people's networks."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = net()
        classifier = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).eval()
    return ppgn.Pipeline(
        generator,
        ppgn.priors.gaussian((4,), std=torch.tensor([1.0, 2.0, 3.0, 4.0])),
        ppgn.conditions.class_label(classifier, [2, 0]),
        latent_shape=(4,),
        sampler=walk,
    )


@pytest.fixture
def folder(sevens, tmp_path):
    """A saved bundle."""
    pretrained.save(sevens, tmp_path / "digits", description="Handwritten digits.", licence="mit")
    return tmp_path / "digits"
