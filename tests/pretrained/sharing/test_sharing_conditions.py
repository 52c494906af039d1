"""Saved pipelines come back under their conditions; every kind of one by itself: tests/conditions/test_contract.py."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from saved_pipelines import here, same

import ppgn
from ppgn import pretrained


@pytest.mark.parametrize("views", [{"shift": 1, "n": 2}, {"shift": 0, "n": 1, "scale": (1.0, 1.2)}])
def test_views_and_a_truncated_prior_come_back_to_the_same_bits(foreign, tmp_path, views):
    prior = ppgn.priors.truncated_gaussian((4,), threshold=1.5, mean=0.25, std=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    condition = ppgn.conditions.views(foreign.condition, **views)
    pipeline = dataclasses.replace(foreign, prior=prior, condition=condition)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.condition.classifier": foreign.condition.classifier}
    assert same(here(pretrained.from_pretrained(tmp_path / "mine", modules=modules)), here(pipeline))


def test_known_pixels_come_back_to_the_same_bits(foreign, tmp_path):
    hole = torch.zeros(8, 8, dtype=torch.bool)
    hole[2:5] = True
    condition = ppgn.conditions.inpaint(torch.full((3, 8, 8), 0.25), hole, noise=0.5, inside=foreign.condition)
    pipeline = foreign.given(condition)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.inside.classifier": foreign.condition.classifier}
    assert same(here(pretrained.from_pretrained(tmp_path / "mine", modules=modules)), here(pipeline))


def test_turns_come_back_to_the_same_bits(foreign, tmp_path):
    hole = ppgn.masks.square(8, 3)
    turns = [foreign.condition, ppgn.conditions.inpaint(torch.full((3, 8, 8), 0.25), hole, inside=foreign.condition)]
    pipeline = foreign.given(ppgn.conditions.in_turn(turns, every=2, again=False))
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.conditions.0.classifier": foreign.condition.classifier}
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules=modules)
    assert same(here(loaded), here(pipeline))
    assert (loaded.condition.every, loaded.condition.again) == (2, False)
