"""Units of networks: which number is taken, by what name, and what is refused before the first step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ppgn
from ppgn import pretrained
from ppgn.conditions import class_label, unit
from ppgn.layers import at_position


class Tokens(nn.Module):
    """(B, 1, H, W) -> tokens (B, H, W), a row of pixels each; and a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Flatten(0, 1)
        self.act = nn.ReLU()
        self.unused = nn.Identity()
        self.pair = nn.LSTM(4, 2, batch_first=True)

    def forward(self, x):
        tokens = self.act(self.scale(x) - 0.5)
        self.pair(tokens)
        return self.act(tokens + 1)


@pytest.fixture
def network():
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(384, 5))
    return pretrained.classifier(layers.eval(), channels=1)


@pytest.fixture
def x():
    return torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def test_the_activation_is_the_layers_own(network, x):
    maps = network.network[2](network.network[1](network.network[0](x)))
    for position, expected in [
        ("center", maps[:, 4, 4, 4]), ("mean", maps[:, 4].mean((1, 2))), ((1, 7), maps[:, 4, 1, 7])
    ]:  # fmt: skip
        assert torch.equal(unit(network, "2", 4, position).log_prob(x), expected)
        assert torch.equal(unit(network, "network.2", 4, position).log_prob(x), expected)
    rows = unit(network, "2", [0, 5, 2]).log_prob(x)
    assert torch.equal(rows, maps[[0, 1, 2], [0, 5, 2], 4, 4])


def test_the_softmax_is_across_channels_at_the_position(network, x):
    maps = network.network[2](network.network[1](network.network[0](x)))
    log_p = maps[:, :, 4, 4].log_softmax(1)
    assert torch.allclose(unit(network, "2", 4, objective="log_prob").log_prob(x), log_p[:, 4])
    released = unit(network, "2", 4, objective="released")
    assert torch.allclose(released.log_prob(x), log_p[:, 4])
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(released.log_prob(leaf).sum(), leaf)
    (raw,) = torch.autograd.grad(unit(network, "2", 4).log_prob(leaf).sum(), leaf)
    assert torch.allclose(gradient, (1 - log_p[:, 4].exp()).view(-1, 1, 1, 1) * raw, atol=1e-7)


def test_a_class_is_a_unit_of_the_output(network, x):
    for objective, of_unit in (("logit", "activation"), ("log_prob", "log_prob")):
        known = class_label(network, 3, objective=objective).log_prob(x)
        assert torch.equal(unit(network, "", 3, objective=of_unit).log_prob(x), known)
    assert torch.equal(unit(network, "4", 3).log_prob(x), class_label(network, 3, objective="logit").log_prob(x))


def test_tokens_and_layers_used_twice():
    x, network = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(1)), Tokens().eval()
    last = (x[:, 0] - 0.5).relu() + 1
    assert torch.equal(unit(network, "act", 3, 1).log_prob(x), last[:, 1, 3])
    assert torch.equal(unit(network, "act", 3).log_prob(x), last[:, 2, 3])
    assert torch.equal(unit(network, "act", 3, "mean").log_prob(x), last[..., 3].mean(1))
    with pytest.raises(ValueError, match="layer 'unused' must be used when the network sees an image"):
        unit(network, "unused", 0).log_prob(x)
    with pytest.raises(TypeError, match="layer 'pair' must give a tensor, got a tuple"):
        unit(network, "pair", 0).log_prob(x)


def test_hooks_of_others_stay_and_ours_go(network, x):
    calls = []
    network.network[2].register_forward_hook(lambda *_: calls.append(1))
    unit(network, "2", 1).log_prob(x)
    assert len(calls) == 1
    assert [len(module._forward_hooks) for module in network.modules()].count(1) == 1

    def fails(module, inputs):
        raise RuntimeError("mine")

    network.network[3].register_forward_pre_hook(fails)
    with pytest.raises(RuntimeError, match="mine"):
        unit(network, "2", 1).log_prob(x)
    assert sum(len(module._forward_hooks) for module in network.modules()) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("netwrk.2", 0), ValueError, r"layer must be one of ImageClassifier's \(the closest .*network.2.*got 'net"),
        (("conv5", 0), ValueError, r"layer must be one of .*the closest are network, .*got 'conv5'"),
        (("2", -1), ValueError, "channel must be one whole number from 0 on"),
        (("2", 1.5), ValueError, "channel must be one whole number from 0 on"),
        (("2", 0, "middle"), ValueError, "position must be 'center', 'mean'.*got 'middle'"),
    ],
)  # fmt: skip
def test_bad_arguments_are_told_when_it_is_built(network, arguments, error, message):
    with pytest.raises(error, match=message):
        unit(network, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2", 6), r"channel must lie in 0..5 in layer '2', got 6"),
        (("2", [0, 1]), "channel must be one number or one per row: 3 rows, got 2 channels"),
        (("2", 0, (8, 0)), r"position must lie within the layer's 8 x 8, got \(8, 0\)"),
        (("2", 0, 3), "position must lie within the layer's 8 x 8, got 3"),
        (("4", 0, (0, 0)), r"a layer must give maps .* to have position \(0, 0\), got shape \(3, 5\)"),
    ],
)
def test_what_the_images_show_is_told_before_the_first_step(network, arguments, message):
    decoder = nn.Sequential(nn.Linear(4, 144), nn.Sigmoid(), nn.Unflatten(1, (1, 12, 12)))
    generator = pretrained.generator(decoder, latent_shape=(4,), value_range=(0, 1))
    pipeline = ppgn.Pipeline(generator, condition=unit(network, *arguments))
    walk = ppgn.samplers.ula(pipeline, 0.01)
    with pytest.raises(ValueError, match=message):
        walk.init(torch.zeros(3, 4))


def test_other_bad_input(network, x):
    with pytest.raises(TypeError, match=r"network must be an .* whose layers have names, got function"):
        unit(lambda x: x, "2", 0)
    with pytest.raises(ValueError, match="network must be in eval mode"):
        unit(nn.Sequential(nn.Conv2d(1, 2, 3)), "0", 0)
    with pytest.raises(ValueError, match="objective must be one of"):
        unit(network, "2", 0, objective="logit")
    two = nn.ModuleDict({"a": nn.Sequential(nn.ReLU()), "b": nn.Sequential(nn.ReLU())}).eval()
    with pytest.raises(ValueError, match=r"layer '0' could be any of a\.0, b\.0; give the whole name"):
        unit(two, "0", 0)
    with pytest.raises(ValueError, match="a layer must give maps"):
        at_position(torch.zeros(3), "center")


def test_a_walk_climbs_it(network):
    """The activation at the end is above nearly all of 500 draws of the prior."""
    decoder = nn.Sequential(nn.Linear(8, 144), nn.Sigmoid(), nn.Unflatten(1, (1, 12, 12)))
    for i, parameter in enumerate(decoder.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
    generator = pretrained.generator(decoder, latent_shape=(8,), value_range=(0, 1))
    neuron = unit(network, "2", [0, 1, 2, 3])
    pipeline = ppgn.Pipeline(generator, condition=neuron)
    climb = lambda p: ppgn.samplers.activation_max(p, ppgn.samplers.linear(0.3, 0.01, 60), 0.01)  # noqa: E731
    samples = ppgn.sample(pipeline, 4, 60, 0, climb, progress=False)
    draws = generator(torch.randn(500, 8, generator=torch.Generator().manual_seed(9)))
    found = neuron.rows(torch.zeros(500, dtype=torch.int64)).channels(draws)[:, :4]
    assert (samples.log_condition[-1] > found.quantile(0.99, dim=0)).all()
