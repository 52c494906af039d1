"""Generators' weights as other repositories publish them, by names and shapes read in their code."""

from __future__ import annotations

import pytest
import torch

from ppgn import files, models, pretrained
from ppgn.pretrained.caffe.deepsim import XDREAM

UP = ["deconv5", "conv5_1", "deconv4", "conv4_1", "deconv3", "conv3_1", "deconv2", "deconv1", "deconv0"]


@pytest.fixture
def narrow(monkeypatch):
    """Generators of the same layers and names with a 16th of the weights: full ones take 224 MB each."""
    from ppgn.models import caffe_layouts

    wide = caffe_layouts.deepsim_layers

    def layers(layer="fc6"):
        found = []
        for one in wide(layer):
            if one["name"] == "defc7":
                one = {**one, "inputs": 1000 if layer == "fc8" else 4096}
            sizes = {key: _less(one[key]) for key in ("inputs", "outputs") if key in one}
            found.append({**one, **sizes, **({"shape": [16, 4, 4]} if "shape" in one else {})})
        return found

    monkeypatch.setattr(caffe_layouts, "deepsim_layers", layers)
    monkeypatch.setattr(caffe_layouts, "CODES", {"fc6": (256,), "fc7": (256,), "fc8": (1000,), "pool5": (16, 6, 6)})
    return lambda layer: models.build(lambda: models.deepsim(layer), seed=0).eval()


def _less(channels: int) -> int:
    return channels if channels in (3, 1000) else max(channels // 16, 1)


def code(generator):
    return torch.randn(2, *generator.latent_shape, generator=torch.Generator().manual_seed(0))


def weights(generator):
    return {name: value for name, value in generator.state_dict().items() if name != "mean"}


@pytest.mark.parametrize("layer", ["fc6", "fc8", "pool5"])
@pytest.mark.parametrize("key", ["{}", "G.{}", "{layer}.1.{part}"])
def test_upconvgan(narrow, tmp_path, layer, key):
    """Its published files, its own state_dict, and the first conversion with a `.1.` in each name."""
    generator = narrow(layer)
    state = {}
    for name, value in weights(generator).items():
        of, part = name.rsplit(".", 1)
        state[key.format(name, layer=of, part=part)] = value
    torch.save(state, tmp_path / "upconvGAN.pt")
    read = pretrained.read_deepsim(tmp_path / "upconvGAN.pt")
    assert torch.equal(read(code(read)), generator(code(generator)))
    assert not read.training
    assert files.fingerprint(read) == files.fingerprint(generator)


@pytest.mark.parametrize("layer", ["fc6", "fc8", "pool5"])
def test_xdream(narrow, layer):
    """Names of its own, and no biases in the transposed convolutions."""
    generator = narrow(layer)
    for name in UP:
        generator.get_submodule(name).bias.data.zero_()
    theirs = {ours: name for name, ours in XDREAM.items()}
    state = {}
    for name, value in weights(generator).items():
        of, part = name.rsplit(".", 1)
        if of not in UP or part == "weight":
            state[f"{theirs[of]}.{part}"] = value
    read = pretrained.read_deepsim(state, size=227)
    assert torch.equal(read(code(read)), generator(code(generator))[..., 14:241, 14:241])


def test_errors(narrow):
    state = weights(narrow("fc6"))
    with pytest.raises(ValueError, match=r"must hold defc7\.weight .* or Rconv6\.weight \(pool5\), got a"):
        pretrained.read_deepsim({"a": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"1 missing: defc6\.bias"):
        pretrained.read_deepsim({name: value for name, value in state.items() if name != "defc6.bias"})
    with pytest.raises(ValueError, match=r"1 unknown: conv1_1\.weight"):
        pretrained.read_deepsim({**state, "conv1_1.weight": torch.zeros(1)})
