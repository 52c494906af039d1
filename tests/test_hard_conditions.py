"""Conditions that most codes cannot meet at all: log p(y|x) is -inf."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from targets import logistic_posterior

import ppgn
from ppgn import samplers


@dataclass(frozen=True)
class Beyond:
    """p(y | x) is 1 where x_1 > 1.5, and 0 elsewhere."""

    def log_prob(self, x):
        x1 = x.flatten(1)[:, 0]
        return torch.where(x1 > 1.5, 0.0 * x1, -torch.inf)

    def rows(self, index):
        return self


def run(sampler, n=8, steps=40):
    pipeline = replace(logistic_posterior(Beyond()), latent_shape=(2,))
    return ppgn.sample(pipeline, n, steps, 1, sampler, progress=False)


@pytest.mark.filterwarnings("ignore:.* mean acceptance")  # the Langevin moves of some are lost at the edge
@pytest.mark.parametrize("name", ["isir", "mala+isir", "best_of_n", "rejection", "smc"])
def test_impossible_starts_are_left(name):
    """Two codes of a hundred are possible; the chains begin at codes that are not."""
    samples = run(name, n=200, steps=100)
    assert (samples.codes[:, 0] > 1.5).all()
    assert (samples.log_condition[-1] == 0).all()
    normal = torch.distributions.Normal(0.0, 1.0)
    edge = torch.tensor(1.5)
    mean = (normal.log_prob(edge).exp() / (1 - normal.cdf(edge))).item()  # of a normal cut off below
    if name != "best_of_n":
        assert abs(samples.codes[:, 0].mean().item() - mean) < 4 * 0.4 / 200**0.5


def test_chains_that_stay_where_nothing_is_possible():
    with pytest.raises(ValueError, match="log condition must be finite at the start"):
        run("mala")
    with pytest.warns(ppgn.SamplingWarning, match=r"of 50 chains are still where the condition is impossible"):
        run(lambda p: samplers.isir(p, 1), n=50, steps=2)
