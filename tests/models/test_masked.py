"""Masked convolutions: what an output depends on is what its mask says, no more and no less."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from ppgn import models
from ppgn.models.masked import HorizontalConv2d, MaskedConv2d, VerticalConv2d, channel_mask


def depends(layer, channels, height, width):
    """(out, H, W, in, H, W): does an output depend on an input?"""
    return jacobian(lambda x: layer(x[None])[0], torch.zeros(channels, height, width)) != 0


def positions(height, width):
    """Rows and columns of an output (H, W, 1, 1) and of an input (1, 1, H, W)."""
    i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return i[:, :, None, None], j[:, :, None, None], i, j


def test_a_channel_sees_earlier_ones_and_by_kind_its_own():
    assert channel_mask(4, 3, 1, "A").sum() == 0
    assert channel_mask(4, 3, 1, "B").sum() == 12
    assert channel_mask(3, 3, 3, "A").tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert channel_mask(3, 3, 3, "B").tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_channels_that_groups_do_not_divide_are_shared_out_in_order():
    """Four channels of three groups: 0, 0, 1, 2."""
    assert channel_mask(4, 3, 3, "B").tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_parts_repeat_the_order():
    whole, part = channel_mask(12, 5, 3, "B", parts=2), channel_mask(6, 5, 3, "B")
    assert torch.equal(whole, torch.cat([part, part]))


@pytest.mark.parametrize("kind", ["A", "B"])
def test_a_masked_convolution_sees_what_comes_before_within_its_kernel(kind):
    i, j, k, l = positions(6, 7)  # noqa: E741
    before = (k < i) | ((k == i) & (l < j)) | ((k == i) & (l == j) & (kind == "B"))
    near = ((k - i).abs() <= 1) & ((l - j).abs() <= 2)
    layer = models.build(lambda: MaskedConv2d(1, 1, (3, 5), kind), seed=0)
    assert torch.equal(depends(layer, 1, 6, 7)[0, :, :, 0], before & near)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_colours_see_earlier_colours_of_their_own_pixel(kind):
    layer = models.build(lambda: MaskedConv2d(3, 6, 3, kind, groups=3), seed=0)
    seen = depends(layer, 3, 3, 3)[:, 1, 1]
    assert torch.equal(seen[:, :, 1, 1], channel_mask(6, 3, 3, kind) > 0)
    assert seen[:, :, 0].all()
    assert seen[:, :, 1, 0].all()
    assert not seen[:, :, 1, 2].any()
    assert not seen[:, :, 2].any()


@pytest.mark.parametrize("kind", ["A", "B"])
def test_a_vertical_convolution_sees_rows_above(kind):
    i, j, k, l = positions(7, 6)  # noqa: E741
    rows = (k >= i - 2) & ((k <= i) if kind == "B" else (k < i))
    layer = models.build(lambda: VerticalConv2d(1, 1, 5, kind), seed=0)
    assert torch.equal(depends(layer, 1, 7, 6)[0, :, :, 0], rows & ((l - j).abs() <= 2))


@pytest.mark.parametrize("kind", ["A", "B"])
def test_a_row_from_its_window_is_the_row_of_the_whole(kind):
    layer = models.build(lambda: VerticalConv2d(2, 3, 3, kind), seed=0)
    x = torch.linspace(-1, 1, 2 * 5 * 4).view(1, 2, 5, 4)
    window = x[:, :, 2:3] if kind == "A" else x[:, :, 2:4]
    assert torch.allclose(layer.row(window), layer(x)[:, :, 3:4], atol=1e-6)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_a_horizontal_convolution_sees_its_row_to_the_left(kind):
    i, j, k, l = positions(3, 7)  # noqa: E741
    left = (k == i) & (l >= j - 2) & ((l <= j) if kind == "B" else (l < j))
    layer = models.build(lambda: HorizontalConv2d(1, 2, 2, kind, parts=2), seed=0)
    assert torch.equal(depends(layer, 1, 3, 7)[1, :, :, 0], left)


def test_masks_are_not_among_the_weights():
    assert set(MaskedConv2d(1, 2, 3, "A").state_dict()) == {"weight", "bias"}
    assert set(HorizontalConv2d(1, 2, 1, "A", bias=False).state_dict()) == {"weight"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: channel_mask(3, 3, 1, "C"), 'kind must be "A" or "B", got \'C\''),
        (
            lambda: channel_mask(2, 3, 3, "A"),
            "groups must be at least 1 and at most the channels of a part, got 3 groups",
        ),
        (lambda: channel_mask(5, 3, 1, "A", parts=2), "out_channels must be a multiple of parts, got 5 channels in 2"),
        (lambda: MaskedConv2d(1, 1, (3, 4), "A"), "kernel sides must be odd, got 3x4"),
        (lambda: VerticalConv2d(1, 1, 3, "C"), 'kind must be "A" or "B"'),
        (lambda: VerticalConv2d(1, 1, 1, "A"), "kernel must be odd and at least 3, got 1"),
        (lambda: HorizontalConv2d(1, 1, 0, "A"), "reach must be at least 1 pixel, got 0"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
