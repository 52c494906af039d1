"""Holes that a run fills: the pictures as a person wants them, beside G(h)."""

from __future__ import annotations

import warnings

import pytest
import torch
from PIL import Image
from targets import linear

import ppgn
from ppgn.conditions import in_turn, inpaint, views

KNOWN = torch.tensor([[[0.25, 0.5], [0.75, 1.0]]], dtype=torch.float64)
HOLE = torch.tensor([[True, False], [False, False]])


def run(condition, n=3, steps=4, **options):
    pipeline = linear().pipeline([0, 1, 2]).given(condition)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ppgn.SamplingWarning)
        return pipeline, ppgn.sample(pipeline, n, steps, 0, progress=False, **options)


def wrapped(condition):
    label = linear().pipeline([0, 1, 2]).condition
    return {
        "alone": condition,
        "with a class inside": inpaint(KNOWN, HOLE, inside=label),
        "in a sum": 0.5 * condition + label,
        "under views": views(condition, shift=1, n=1),
        "one of two turns": in_turn([label, condition], every=2),
    }


@pytest.mark.parametrize("name", ["alone", "with a class inside", "in a sum", "under views", "one of two turns"])
def test_the_filled_images_are_the_known_pixels_and_g_of_h_in_the_hole(name):
    pipeline, samples = run(wrapped(inpaint(KNOWN, HOLE))[name])
    assert torch.equal(samples.images, pipeline.generator(samples.codes))
    assert torch.equal(samples.filled[:, 0, 0, 0], samples.images[:, 0, 0, 0])
    assert torch.equal(samples.filled[..., ~HOLE], KNOWN.expand(3, 1, 2, 2)[..., ~HOLE])


def test_each_row_has_its_own():
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    holes = ppgn.masks.square(2, 1, at=[(0, 0), (1, 0), (1, 1)])
    _, samples = run(inpaint(images, holes))
    assert torch.equal(samples.filled, torch.where(holes[:, None], samples.images, images))


def test_there_are_none_without_a_hole_or_with_two():
    label = linear().pipeline([0, 1, 2]).condition
    both = in_turn([inpaint(KNOWN, HOLE), inpaint(KNOWN, ~HOLE)], every=1)
    for condition in (label, both):
        assert run(condition)[1].filled is None


def test_they_are_saved_loaded_and_made_again_by_resumed_and_killed_runs(tmp_path):
    condition = inpaint(KNOWN, HOLE)
    pipeline, whole = run(condition, steps=6)
    _, begun = run(condition, steps=4, checkpoint=tmp_path / "run.safetensors")
    begun.save(tmp_path / "begun")
    loaded = ppgn.Samples.load(tmp_path / "begun")
    assert torch.equal(loaded.filled, begun.filled)
    loaded.save(tmp_path / "again")
    for folder in ("begun", "again"):
        with Image.open(tmp_path / folder / "filled.png") as filled, Image.open(tmp_path / folder / "grid.png") as grid:
            assert filled.size == grid.size
            assert filled.tobytes() != grid.tobytes()
    resumed = loaded.resume(pipeline, 2, progress=False)
    _, gone_on = run(condition, steps=6, checkpoint=tmp_path / "run.safetensors")
    for samples in (resumed, gone_on):
        assert torch.equal(samples.filled, whole.filled)
    run(linear().pipeline([0, 1, 2]).condition)[1].save(tmp_path / "plain")
    assert not (tmp_path / "plain" / "filled.png").exists()
