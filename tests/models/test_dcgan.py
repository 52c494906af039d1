"""DCGAN's generator against the original computed by hand, and in the layout of pytorch/examples."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from ppgn import models, pretrained


@pytest.fixture(scope="module")
def house_numbers(third_party):
    network = models.DCGANGenerator(100, 3, (256, 128, 64), kernel=5, linear=True, eps=1e-8)
    return pretrained.load_weights(network, third_party("svhn_dcgan_generator")).eval().requires_grad_(False)


def test_the_original_by_hand(house_numbers, third_party):
    w = load_file(third_party("svhn_dcgan_generator"))
    z = torch.randn(16, 100, generator=torch.Generator().manual_seed(0))

    def norm(x, i):
        gain = w[f"bn{i}.weight"] / (w[f"bn{i}.running_var"] + 1e-8).sqrt()
        shape = (1, -1, *[1] * (x.ndim - 2))
        shift = w[f"bn{i}.bias"] - w[f"bn{i}.running_mean"] * gain
        return (x * gain.view(shape) + shift.view(shape)).relu()

    def up(x, i):
        return functional.conv_transpose2d(x, w[f"ct{i}.weight"], stride=2, padding=2, output_padding=1)

    x = norm(z @ w["fc.weight"].T, 0).view(-1, 256, 4, 4)
    expected = (up(norm(up(norm(up(x, 1), 1), 2), 2), 3).tanh() + 1) / 2
    assert torch.allclose(house_numbers(z), expected, atol=1e-5)


def test_house_numbers_are_in_colour_and_differ(house_numbers):
    x = house_numbers(torch.randn(64, 100, generator=torch.Generator().manual_seed(0)))
    assert x.shape == (64, 3, 32, 32)
    assert 0.2 < x.mean() < 0.7
    assert x.mean((1, 2, 3)).std() > 0.08
    smooth = (x[..., 1:] - x[..., :-1]).abs().mean()
    assert smooth < 0.5 * (x - x.mean((2, 3), keepdim=True)).abs().mean()  # pictures, not noise


def test_the_layout_of_pytorch_examples():
    """Their `_netG` for 64 pixels, layer by layer, with its own weights."""
    theirs = models.build(
        lambda: nn.Sequential(
            nn.ConvTranspose2d(10, 32, 4, 1, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
            nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
            nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(True),
            nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), nn.Tanh(),
        ),
        0,
    )  # fmt: skip
    z = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))
    theirs(z[:, :, None, None])  # gives the batch norms statistics of their own
    theirs.eval()
    weights = {f"main.{name}": value for name, value in theirs.state_dict().items()}
    ours = pretrained.load_weights(models.DCGANGenerator(10, 3, (32, 16, 8, 4)), weights).eval()
    assert torch.allclose(ours(z), (theirs(z[:, :, None, None]) + 1) / 2, atol=1e-6)


def test_the_standard_network_has_its_parameters():
    """3,576,704: the generator of the PyTorch tutorial, nz = 100, ngf = 64."""
    with torch.device("meta"):
        network = models.DCGANGenerator()
    assert sum(p.numel() for p in network.parameters()) == 3_576_704


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize(("widths", "side"), [((8, 4, 4), 32), ((8, 8, 4, 4), 64), ((8, 8, 8, 4, 4), 128)])
def test_every_width_doubles_the_image(linear, kernel, widths, side):
    network = models.build(lambda: models.DCGANGenerator(6, 1, widths, kernel, linear), 0).eval()
    assert network(torch.zeros(2, 6)).shape == (2, 1, side, side) == (2, *network.image_shape)


def test_other_kernels():
    with pytest.raises(ValueError, match="kernel must be 4 or 5, which double an image exactly, got 3"):
        models.DCGANGenerator(kernel=3)
