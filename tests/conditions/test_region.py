"""Classes inside masks, and maps of what lies where."""

from __future__ import annotations

import asked
import pytest
import torch

import ppgn
from ppgn.conditions import class_label, painted, region, segmentation, views


@pytest.fixture
def x():
    return asked.images()


@pytest.fixture
def label():
    return class_label(asked.classifier(), [0, 1, 2])


def test_it_sees_the_mask_alone_and_paints_there_alone(label, x):
    mask = asked.half()
    inside = region(label, mask, fill=0.25)
    assert torch.equal(inside.log_prob(x), label.log_prob(torch.where(mask, x, 0.25)))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(inside.log_prob(leaf).sum(), leaf)
    assert (gradient[..., ~mask] == 0).all()
    assert (gradient[..., mask] != 0).any()


def test_a_crop_is_the_masks_box(label, x):
    assert torch.equal(
        region(label, asked.half(), crop=True).log_prob(x), label.log_prob(x[..., 2:11, 1:10].contiguous())
    )


def test_masks_of_rows(label, x):
    masks = torch.stack([asked.half(), asked.half().T, ~asked.half()])
    whole = region(label, masks).log_prob(x)
    for i in range(3):
        own = region(class_label(label.classifier, i), masks[i]).log_prob(x[i : i + 1])
        assert torch.allclose(whole[i], own[0])
    one = region(label, masks[:1])
    assert one.mask.shape == (12, 12)


def test_a_map_is_a_sum_of_regions(x):
    guide, halves = asked.classifier(), asked.half().long()
    whole = painted(guide, halves, {0: "bee", 1: 4}, fill=0.5)
    apart = [region(class_label(guide, label), halves == value, fill=0.5) for value, label in ((0, 1), (1, 4))]
    assert torch.allclose(whole.log_prob(x), sum(one.log_prob(x) for one in apart))


def test_a_segmentation_is_the_sum_over_known_pixels(x):
    network = asked.dense()
    maps = (asked.numbers(3, 12, 12, seed=9) * 4).long()
    maps[:, 3:6] = -1
    logits = torch.nn.functional.interpolate(network(x), (12, 12), mode="bilinear", align_corners=False)
    expected = -torch.nn.functional.cross_entropy(logits, maps, ignore_index=-1, reduction="none").sum((1, 2))
    assert torch.allclose(segmentation(network, maps).log_prob(x), expected)
    assert torch.allclose(segmentation(network, maps[1]).log_prob(x)[1], expected[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: region(c, torch.ones(4, 4)), r"mask must be bool \(H, W\) or \(B, H, W\), got torch.float32"),
        (lambda c: region(c, torch.zeros(4, 4, dtype=torch.bool)), "mask must be true somewhere"),
        (lambda c: region(c, asked.half(), fill=2.0), r"fill must lie in \[0, 1\], got 2.0"),
        (lambda c: region(c, asked.half().repeat(3, 1, 1), crop=True), "crop needs one mask for all chains, got 3"),
        (lambda c: painted(c.classifier, torch.zeros(4, 4), {0: 1}), "labels_map must be whole numbers"),
        (lambda c: painted(c.classifier, torch.zeros(4, 4).long(), {3: 1}), r"values of the map, \[0\], got \[3\]"),
        (lambda c: segmentation(asked.dense(), torch.zeros(4, 4)), "labels_map must be whole numbers"),
        (lambda c: segmentation(asked.dense(), -torch.ones(4, 4).long()), "labels_map must hold classes from 0 on"),
    ],
)
def test_bad_masks_and_maps(label, make, message):
    with pytest.raises(ValueError, match=message):
        make(label)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: region(c, torch.ones(4, 4, dtype=torch.bool)), r"mask must be 12x12 as the image.*got \(4, 4\)"),
        (lambda c: region(c, asked.half().repeat(2, 1, 1)), r"one for each of 3 rows, got \(2, 12, 12\)"),
        (lambda c: segmentation(asked.dense(), torch.full((12, 12), 4)), "network must give logits.*more than 4"),
        (lambda c: segmentation(asked.dense(), torch.ones(2, 12, 12).long()), "one per row: 3 rows, got 2"),
    ],
)
def test_what_the_images_show(label, x, make, message):
    with pytest.raises(ValueError, match=message):
        make(label).log_prob(x)


def test_views_inside_a_region_are_the_regions():
    """What is seen is a moved picture of the region, never what is beside it."""
    mask = asked.half()
    bright = region(views(ppgn.conditions.realism(lambda x: x.flatten(1).sum(1)), shift=3, n=2), mask)
    outside = torch.where(mask, 0.0, torch.ones(2, 1, 12, 12))
    shown = bright.drawn(ppgn.random.streams(0, 2), 1, outside)
    assert torch.equal(shown.log_prob(outside), torch.zeros(2))
