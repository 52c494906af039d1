"""Activation maximisation by the bundled generator, under a classifier of random weights in SqueezeNet's place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ppgn
from ppgn import files
from ppgn.pretrained import cards, catalogue, inverted, squeezenet_inverter


@pytest.fixture(scope="module")
def condition():
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(192, 5)).eval()
    return ppgn.conditions.class_label(classifier, [1, 3], objective="logit")


@pytest.fixture(scope="module")
def codes():
    return files.read_tensors(catalogue.WEIGHTS / "squeezenet" / "codes.safetensors")[0]


def test_a_unit_is_climbed_within_what_real_codes_reach(condition, codes):
    samples = ppgn.sample(squeezenet_inverter(batch_size=1).given(condition), 2, 8, 0, progress=False)
    assert samples.images.shape == (2, 3, 128, 128)
    assert (samples.log_condition[-1] > samples.log_condition[0]).all()
    assert samples.codes.min() >= 0
    assert (samples.codes <= codes["mean"] + inverted.HIGHEST * codes["std"]).all()
    assert samples.record["sampler"]["name"] == "activation_max"


def test_settings_replace_the_recommended_ones(condition):
    pipeline = squeezenet_inverter(settings={"decay": 0.5}).given(condition)
    assert pipeline.sampler(pipeline).settings["decay"] == 0.5
    with pytest.raises(TypeError, match="gamma"):
        squeezenet_inverter(settings={"gamma": 2}).sampler(pipeline)


def test_first_codes_are_about_the_mean_of_real_ones(codes):
    start = squeezenet_inverter().start
    assert torch.equal(start.mean, codes["mean"])
    assert torch.equal(start.std, inverted.SPREAD * codes["std"])


def test_the_card_tells_what_was_inverted():
    (card,) = cards("squeezenet")
    assert "--cut 8,13,4" in card.command
    assert card.latent_shape == (512, 4, 4)
    assert card.value_range == (0.0, 1.0)
    assert card.measured["training code error over variance"] < 0.7
    with pytest.raises(ValueError, match=r"squeezenet is no whole pipeline: .*squeezenet_inverter"):
        ppgn.load("squeezenet")
