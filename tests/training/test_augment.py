"""DiffAugment: what each change does by hand, and that gradients pass it."""

from __future__ import annotations

import pytest
import torch

from ppgn.training.augment import DiffAugment

ALL = DiffAugment(colour=True, translation=1 / 8, cutout=1 / 2)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=20, channels=3, side=16, dtype=torch.float64):
    return torch.rand(n, channels, side, side, generator=rng(9), dtype=dtype)


def test_without_a_change_the_images_stay_and_nothing_is_drawn():
    x, generator = images(), rng()
    assert DiffAugment()(x, generator) is x
    assert torch.equal(generator.get_state(), rng().get_state())


@pytest.mark.parametrize("part", [ALL, DiffAugment(True), DiffAugment(translation=0.2), DiffAugment(cutout=0.3)])
def test_changes_follow_the_generator_and_differ_from_image_to_image(part):
    x = images(1).expand(20, -1, -1, -1)
    one, again, other = part(x, rng()), part(x, rng()), part(x, rng(1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len({tuple(row.flatten().tolist()) for row in one}) > 5


def test_gradients_of_first_and_second_order_pass():
    part = images(2, side=4)
    x = part.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ALL(x, rng()), x)
    assert torch.autograd.gradgradcheck(lambda x: ALL(x, rng()) ** 2, x)


def test_the_colour_of_each_image_changes_as_published():
    """Brightness moves the mean by the number drawn; saturation keeps the grey; contrast spreads about the mean."""
    x = images(400)
    changed = DiffAugment(colour=True)(x, rng())
    moved = (changed - x).mean((1, 2, 3))
    assert moved.abs().max() < 0.25
    assert moved.std().item() == pytest.approx(0.5 / 12**0.5, rel=0.1)
    grey, grey_before = changed.mean(1), x.mean(1)
    contrast = grey.std((1, 2)) / grey_before.std((1, 2))
    assert 0.5 <= contrast.min() < 0.52
    assert 1.48 < contrast.max() <= 1.5
    saturation = (changed - changed.mean(1, keepdim=True)).std((1, 2, 3)) / contrast
    saturation = saturation / (x - x.mean(1, keepdim=True)).std((1, 2, 3))
    assert 0 <= saturation.min() < 0.05
    assert 1.95 < saturation.max() <= 2


def test_a_translation_moves_whole_pixels_and_fills():
    x = images(200, 1, 8)
    moved = DiffAugment(translation=1 / 8, fill=0.25)(x, rng())
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), value=0.25)
    seen = set()
    for i in range(200):
        found = [
            (r, c)
            for r in range(3)
            for c in range(3)
            if torch.allclose(moved[i], padded[i, :, r : r + 8, c : c + 8], atol=1e-12)
        ]
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) == 9


@pytest.mark.parametrize(("part", "side"), [(1 / 2, 4), (3 / 8, 3)])
def test_a_square_is_cut_out_anywhere(part, side):
    x = images(500, 2, 8) + 1
    cut = DiffAugment(cutout=part, fill=0.0)(x, rng()) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    rows, columns = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
    assert torch.equal(cut[:, 0].sum((1, 2)), rows * columns)
    assert rows.max() == columns.max() == side
    assert rows.min() == columns.min() == (side + 1) // 2
    corners = torch.stack([cut[:, 0].any(2).int().argmax(1), cut[:, 0].any(1).int().argmax(1)], 1).unique(dim=0)
    assert len(corners) > 20
    assert torch.equal(torch.where(cut, x, DiffAugment(cutout=part, fill=0.0)(x, rng())), x)


@pytest.mark.parametrize("name", ["translation", "cutout"])
def test_parts_lie_within_the_image(name):
    with pytest.raises(ValueError, match=rf"{name} must be a part of the height in \[0, 1\], got 1.5"):
        DiffAugment(**{name: 1.5})
