"""The DCGAN discriminator: layout, norms, sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ppgn import models
from ppgn.models.dcgan_discriminator import DCGANDiscriminator


def build(shape=(1, 28, 28), widths=(4, 8), norm="none"):
    return models.build(lambda: DCGANDiscriminator(shape, widths, norm), 0)


def examples(nc=3, ndf=64):
    """The discriminator of pytorch/examples, as it is written there."""
    return nn.Sequential(
        nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf * 2, ndf * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 4), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf * 4, ndf * 8, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 8), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid(),
    )  # fmt: skip


def test_with_batch_norm_it_is_the_one_of_pytorch_examples():
    theirs = models.build(lambda: examples(ndf=4), 0).eval()
    ours = build((3, 64, 64), (4, 8, 16, 32), "batch").eval()
    ours.load_state_dict({f"main.{key}": value for key, value in theirs.state_dict().items()})
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(torch.sigmoid(ours(x)), theirs(2 * x - 1).flatten(), atol=1e-6)


@pytest.mark.parametrize("norm", ["none", "spectral"])
def test_each_image_is_judged_by_itself(norm):
    network = build(norm=norm).eval()
    x = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(network(x)[2:3], network(x[2:3]), atol=1e-6)
    assert torch.equal(network.judge(network.features(x)), network(x))


def test_spectral_norms_are_one():
    network = build(norm="spectral").train()
    for _ in range(50):
        network(torch.zeros(1, 1, 28, 28))
    for layer in network.eval().main:
        if isinstance(layer, nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
def test_it_is_built_again_from_its_configuration(norm):
    network = build((3, 32, 20), (4, 8, 8), norm).eval()
    again = DCGANDiscriminator(**network.config).eval()
    again.load_state_dict(network.state_dict())
    x = torch.rand(2, 3, 32, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(x), network(x))


def test_bad_arguments():
    with pytest.raises(ValueError, match="sides must be at least 16 for 4 widths, got 28x15"):
        DCGANDiscriminator((1, 28, 15), (1, 1, 1, 1))
    with pytest.raises(ValueError, match="norm must be none, batch or spectral, got 'layer'"):
        DCGANDiscriminator(norm="layer")
