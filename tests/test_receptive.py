from __future__ import annotations

import pytest
import torch
from torch import nn

import ppgn
from ppgn import receptive_field


def stack(*layers):
    return nn.Sequential(*layers).eval()


def by_arithmetic(layers, row, size):
    """(first, length) of a line of units by the rule of kernels and strides, cut to the image."""
    first = last = row
    for kernel, stride, padding, dilation in reversed(layers):
        first, last = first * stride - padding, last * stride - padding + dilation * (kernel - 1)
    first, last = max(0, first), min(size - 1, last)
    return first, last - first + 1


LAYERS = [(5, 2, 1, 1), (3, 1, 0, 2), (3, 2, 1, 1)]  # kernel, stride, padding, dilation


@pytest.mark.parametrize("position", [(0, 0), (3, 5), (4, 7)])
def test_fields_of_convolutions_are_those_of_kernels_and_strides(position):
    channels = [2, 3, 4, 5]
    network = stack(
        *(
            nn.Conv2d(a, b, kernel, stride, padding, dilation)
            for a, b, (kernel, stride, padding, dilation) in zip(channels, channels[1:], LAYERS, strict=False)
        )
    )
    found = receptive_field(network, "2", position, (29, 41), channels=2)
    rows, columns = (by_arithmetic(LAYERS, at, size) for at, size in zip(position, (29, 41), strict=True))
    assert found == (rows[0], columns[0], rows[1], columns[1])


def test_pooling_relu_and_normalisation_pass_it_on():
    network = stack(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.LocalResponseNorm(3),
        nn.Conv2d(4, 4, 3, groups=2), nn.LeakyReLU(), nn.AvgPool2d(2), nn.Dropout(),
    )  # fmt: skip
    layers = [(3, 1, 0, 1), (2, 2, 0, 1), (3, 1, 0, 1), (2, 2, 0, 1)]
    assert receptive_field(network, "8", (1, 2), 28, channels=1) == (
        *(by_arithmetic(layers, at, 28)[0] for at in (1, 2)), 10, 10,
    )  # fmt: skip


def test_layers_on_the_way_have_their_own_and_global_ones_see_everything():
    network = stack(nn.Conv2d(3, 2, 3, padding=1), nn.InstanceNorm2d(2), nn.Conv2d(2, 2, 1))
    assert receptive_field(network, "0", (4, 4), 9) == (3, 3, 3, 3)
    assert receptive_field(network, "0", (0, 8), 9) == (0, 7, 2, 2)
    assert receptive_field(network, "2", (4, 4), 9) == (0, 0, 9, 9)


def test_the_centre_is_a_position():
    network = stack(nn.Conv2d(3, 2, 3, padding=1))
    assert receptive_field(network, "0", "center", 9) == receptive_field(network, "0", (4, 4), 9)


def test_weights_of_zero_count_and_nothing_of_the_network_changes():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Dropout()).train()
    nn.init.zeros_(network[0].weight)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert receptive_field(network, "0", (2, 2), 8) == (2, 2, 3, 3)
    assert network.training
    assert network[0].weight.dtype == torch.float32
    assert not network[0]._forward_hooks
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.slow
def test_caffenet_conv5_in_the_middle_sees_163_pixels_from_32_on():
    """What the authors cut out of their pictures of hidden units, typed in by hand in their third script."""
    caffenet = ppgn.models.build(ppgn.models.caffenet, seed=0).eval()
    assert receptive_field(caffenet, "conv5", (6, 6), 227) == (32, 32, 163, 163)


@pytest.mark.parametrize(
    ("layer", "position", "message"),
    [
        ("7", (0, 0), "layer must be one of Sequential's"),
        ("0", (8, 0), r"position must lie within the layer's 6 x 6, got \(8, 0\)"),
        ("0", (0, -1), "position must lie within"),
        ("1", (0, 0), r"must give maps \(B, C, H, W\) .* got shape \(1, 72\)"),
    ],
)
def test_bad_input(layer, position, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(stack(nn.Conv2d(3, 2, 3), nn.Flatten()), layer, position, 8)


class Constant(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full_like(x, self.value)


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_a_unit_that_sees_nothing(value):
    with pytest.raises(ValueError, match=r"unit at \(0, 0\) of '0' must be a number that depends on pixels"):
        receptive_field(stack(Constant(value)), "0", (0, 0), 4)
