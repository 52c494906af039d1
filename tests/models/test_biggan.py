"""BigGAN-deep against a second, plain computation from the same weights, and the published numbers of parameters."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ppgn import models
from ppgn.models.biggan import BLOCKS, _Attention

SMALL = {"latent": 4, "width": 8, "classes": 3, "steps": 11}


def filled(truncation=0.5):
    """A small network with statistics, attention and class table that all differ from their defaults."""
    network = models.build(lambda: models.BigGANDeep(128, truncation, **SMALL), 0).eval().requires_grad_(False)
    rng = torch.Generator().manual_seed(1)
    for name, buffer in network.named_buffers():
        buffer.copy_(torch.rand(buffer.shape, generator=rng) + (0.5 if "vars" in name else -0.5))
    for layer in network.generator.layers:
        if isinstance(layer, _Attention):
            layer.gamma.fill_(0.7)
    network.generator.bn.weight.uniform_(0.5, 1.5, generator=rng)
    network.generator.bn.bias.uniform_(-0.5, 0.5, generator=rng)
    return network


class Plain:
    """The forward pass of pytorch-pretrained-biggan, written from its description, on a dictionary of weights."""

    def __init__(self, weights, row):
        self.w, self.row = weights, row

    def norm(self, x, name, h):
        mean, variance = (self.w[f"{name}.running_{kind}"][self.row] for kind in ("means", "vars"))
        x = (x - mean[None, :, None, None]) / torch.sqrt(variance + 1e-4)[None, :, None, None]
        if f"{name}.weight" in self.w:
            gain, bias = self.w[f"{name}.weight"][None], self.w[f"{name}.bias"][None]
        else:
            gain, bias = 1 + h @ self.w[f"{name}.scale.weight"].T, h @ self.w[f"{name}.offset.weight"].T
        return torch.relu(x * gain[:, :, None, None] + bias[:, :, None, None])

    def conv(self, x, name, padding=0):
        return functional.conv2d(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"), padding=padding)

    def block(self, x, name, h, doubles, after):
        y = self.conv(self.norm(x, f"{name}.bn_0", h), f"{name}.conv_0")
        y = self.norm(y, f"{name}.bn_1", h)
        if doubles:
            y, x = (v.repeat_interleave(2, 2).repeat_interleave(2, 3) for v in (y, x))
        y = self.conv(y, f"{name}.conv_1", 1)
        y = self.conv(self.norm(y, f"{name}.bn_2", h), f"{name}.conv_2", 1)
        y = self.conv(self.norm(y, f"{name}.bn_3", h), f"{name}.conv_3")
        return y + x[:, :after]

    def attention(self, x, name):
        b, c, height, width = x.shape
        theta, phi, g = (self.conv(x, f"{name}.snconv1x1_{part}") for part in ("theta", "phi", "g"))
        phi, g = functional.max_pool2d(phi, 2), functional.max_pool2d(g, 2)
        out = torch.zeros(b, c // 2, height, width)
        for i in range(height):  # each position by itself
            for j in range(width):
                weight = (
                    torch.einsum("bc,bcuv->buv", theta[:, :, i, j], phi).flatten(1).softmax(1).view(b, *g.shape[2:])
                )
                out[:, :, i, j] = torch.einsum("buv,bcuv->bc", weight, g)
        return x + self.w[f"{name}.gamma"] * self.conv(out, f"{name}.snconv1x1_o_conv")


def test_a_block_by_hand():
    network = filled()
    plain = Plain(network.state_dict(), row=5)  # truncation 0.5 of 0, 0.1, ... 1
    rng = torch.Generator().manual_seed(2)
    h = torch.randn(2, 8, generator=rng)
    for i in (2, 3):  # one that keeps its size and one that doubles it and halves its channels
        doubles, before, after = BLOCKS[128][i]
        x = torch.randn(2, 8 * before, 4, 4, generator=rng)
        expected = plain.block(x, f"generator.layers.{i}", h, doubles, 8 * after)
        assert torch.allclose(network.generator.layers[i](x, h), expected, atol=1e-4)


def test_attention_by_hand():
    network = filled()
    x = torch.randn(2, 16, 6, 8, generator=torch.Generator().manual_seed(2))
    expected = Plain(network.state_dict(), 5).attention(x, "generator.layers.8")
    assert not torch.allclose(expected, x, atol=0.01)
    assert torch.allclose(network.generator.layers[8](x, torch.zeros(2, 8)), expected, atol=1e-5)


def test_the_whole_by_hand():
    """The linear layer's output has its channels last; of the last convolution three channels are the image."""
    network = filled()
    plain, w = Plain(network.state_dict(), 5), network.state_dict()
    h = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    x = (h @ w["generator.gen_z.weight"].T + w["generator.gen_z.bias"]).view(2, 4, 4, 128).permute(0, 3, 1, 2)
    place = 0
    for i, (doubles, _, after) in enumerate(BLOCKS[128]):
        if i == 8:
            x = network.generator.layers[8](x, h)  # by hand above; position by position it takes long at this size
            place = 1
        x = plain.block(x, f"generator.layers.{i + place}", h, doubles, 8 * after)
    x = plain.conv(plain.norm(x, "generator.bn", h), "generator.conv_to_rgb", 1)[:, :3].tanh()
    assert x.shape == (2, 3, 128, 128)
    assert torch.allclose(network(h), (x + 1) / 2, atol=1e-4)


@pytest.mark.parametrize(("size", "millions"), [(128, 50.4), (256, 55.9), (512, 56.2)])
def test_the_published_numbers_of_parameters(size, millions):
    with torch.device("meta"):
        network = models.BigGANDeep(size)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions


def test_statistics_between_two_truncations_are_interpolated():
    norm, x = filled(0.25).generator.bn, torch.zeros(1, 8, 1, 1)
    mean = (norm.running_means[2] + norm.running_means[3]) / 2
    variance = (norm.running_vars[2] + norm.running_vars[3]) / 2
    expected = -mean / (variance + 1e-4).sqrt() * norm.weight + norm.bias
    assert torch.allclose(norm(x, torch.zeros(1, 8)).flatten(), expected, atol=1e-5)


def test_no_truncation_takes_the_last_statistics():
    norm = filled(1.0).generator.bn
    expected = -norm.running_means[10] / (norm.running_vars[10] + 1e-4).sqrt() * norm.weight + norm.bias
    assert torch.allclose(norm(torch.zeros(1, 8, 1, 1), torch.zeros(1, 8)).flatten(), expected, atol=1e-5)


def test_embeddings_are_those_of_one_hot_labels():
    network = filled()
    one_hot = torch.eye(3)
    assert torch.equal(network.embedding(torch.tensor([2, 0])), network.embeddings(one_hot[[2, 0]]))
    assert torch.equal(network.embedding(1), network.embeddings(one_hot[1]))


def test_errors():
    with pytest.raises(ValueError, match=r"size must be one of \[128, 256, 512\], got 64"):
        models.BigGANDeep(64)
    with pytest.raises(ValueError, match=r"truncation must be in \(0, 1\], got 0"):
        models.BigGANDeep(128, 0)
