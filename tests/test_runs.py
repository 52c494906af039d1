"""What of a run is worked out before its first step."""

from __future__ import annotations

import torch

import ppgn
from ppgn import conditions, runs


def test_populations_are_of_chains_that_are_asked_for_the_same():
    """By what their conditions say, not by labels alone: here two targets under one label, as pictures with holes."""

    def guide(x):
        return x.flatten(1)[:, :3]

    prior = ppgn.priors.gaussian((4,))
    generator = torch.nn.Unflatten(1, (1, 2, 2)).eval()
    two = torch.tensor([0.0, 0.0, 1.0, 1.0])
    for condition, expected in [
        (conditions.class_label(guide, 1), None),
        (conditions.class_label(guide, [2, 0, 2, 2]), [2, 0, 2, 2]),
        (conditions.class_label(guide, [2, 0, 2, 2]) + conditions.class_label(guide, [0, 1, 1, 1]), [0, 1, 2, 2]),
        (conditions.class_label(guide, 1) + conditions.regression(lambda x: x.mean((1, 2, 3)), two, noise=1.0),
         [0, 0, 2, 2]),
    ]:  # fmt: skip
        pipeline = ppgn.Pipeline(generator, prior, condition, latent_shape=(4,))
        asked = conditions.class_asked(condition)
        labels = None if asked is None else asked.label.expand(4)
        found = runs.groups_of(pipeline, 4, labels, "smc")
        if expected is None:
            assert found is None or len(found.unique()) == 1
        else:
            assert found.tolist() == expected
        assert runs.groups_of(pipeline, 4, labels, "mala") is labels
