from __future__ import annotations

import hashlib
import json
import math

import pytest
import torch
from torch import nn

import ppgn
from ppgn import files, pretrained, records


def made(text):
    namespace = {}
    exec(text, namespace)
    return namespace["f"]


def test_functions_are_told_by_what_they_do():
    """Nested functions too, wherever in memory they lie; a saved run is resumed in another process."""
    nested = "def f(step):\n    return (lambda x: x * {})(step)"
    assert records.describe(made(nested.format(0.5))) == records.describe(made(nested.format(0.5)))
    assert records.describe(made(nested.format(0.5))) != records.describe(made(nested.format(0.25)))


def test_differences_are_named_leaf_by_leaf():
    saved = {"a": {"b": 1, "c": 2}, "d": "x" * 100}
    assert records.differences(saved, saved) == []
    found = records.differences(saved, {"a": {"b": 1, "c": 3}, "d": None})
    assert found[0] == "a.c: saved 2, now 3"
    assert found[1].startswith("d: saved 'xxx")
    assert found[1].endswith(" ..., now None")


def test_numbers_that_json_has_not_are_text():
    described = records.describe({"low": -math.inf, "bounds": torch.tensor([0.5, math.inf]), "nan": math.nan})
    assert described == {"low": "-inf", "bounds": [0.5, "inf"], "nan": "nan"}
    json.dumps(described, allow_nan=False)
    assert records.differences(described, described) == []


def test_large_tensors_are_told_by_their_sha256():
    image = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    described = records.describe(ppgn.conditions.inpaint(image, ppgn.masks.square(40, 10)))
    digest = hashlib.sha256(image.numpy().tobytes()).hexdigest()
    assert described["image"] == {"shape": [3, 40, 40], "dtype": "float32", "sha256": digest}
    assert len(json.dumps(described)) < 1000
    image[0, 0, 0] += 1
    assert records.describe(image) != described["image"]
    assert records.describe(image.bfloat16())["dtype"] == "bfloat16"
    assert records.describe(torch.arange(1000)) == list(range(1000))


def linear_generator(value_range):
    network = nn.Sequential(nn.Linear(3, 16), nn.Sigmoid(), nn.Unflatten(1, (1, 4, 4)))
    nn.init.zeros_(network[0].weight)
    nn.init.zeros_(network[0].bias)
    return pretrained.generator(network, latent_shape=(3,), value_range=value_range)


def member(mean):
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    nn.init.zeros_(network[1].weight)
    nn.init.zeros_(network[1].bias)
    return pretrained.classifier(network, mean=[mean], std=[1.0])


def test_settings_of_networks_inside_networks_are_told():
    """The weights are the same, what is computed is not."""
    assert records.describe(linear_generator((0, 1)))["value_range"] == [0, 1]
    ensembles = [pretrained.ensemble([member(0.0), member(mean)]) for mean in (0.0, 0.5)]
    assert files.fingerprint(ensembles[0]) == files.fingerprint(ensembles[1])
    found = records.differences(*map(records.describe, ensembles))
    assert len(found) == 1
    assert found[0].startswith("inside.members.1.preprocessing.mean: saved")
    digits = ppgn.load("mnist", "joint")
    assert records.describe(digits.generator)["code"] == digits.generator.config["code"]
    assert records.describe(digits.prior)["encoder"]["inside"]["network"]["is"] == "ConvClassifier"


@pytest.mark.parametrize("settings", [{"value_range": (0, 0.9)}, {"mean": 0.5}])
def test_a_run_is_not_resumed_with_other_settings_of_its_networks(settings):
    def target(value_range=(0, 1), mean=0.0):
        both = pretrained.ensemble([member(mean), member(0.0)])
        generator, normal = linear_generator(value_range), ppgn.priors.gaussian((3,))
        return ppgn.Pipeline(generator, normal, ppgn.conditions.class_label(both, 1), latent_shape=(3,))

    def walk(pipeline):
        return ppgn.samplers.ula(pipeline, 0.01)

    samples = ppgn.sample(target(), 2, 2, seed=0, sampler=walk, progress=False)
    json.dumps(samples.record, allow_nan=False)
    samples.resume(target(), 1, sampler=walk, progress=False)
    with pytest.raises(ValueError, match=f"{next(iter(settings))}: saved"):
        samples.resume(target(**settings), 1, sampler=walk, progress=False)
