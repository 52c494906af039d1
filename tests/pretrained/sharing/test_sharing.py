"""Saved pipelines come back to the same bits."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from saved_pipelines import here, net, same, walk
from torch import nn

import ppgn
from ppgn import models, pretrained
from ppgn.pretrained.natural_images import Encoding
from ppgn.pretrained.sharing import parts

# a process without a network: sockets cannot be made, and pickles cannot be read
SCRIPT = """
import os, pickle, socket, sys

class Refused(socket.socket):
    def __init__(self, *args, **kwargs):
        raise AssertionError("a socket was opened")

socket.socket = Refused
import torch
from torch import nn
import ppgn

def refused(*args, **kwargs):
    raise AssertionError("a pickle was read")

pickle.load = pickle.loads = torch.load = refused
torch.set_num_threads(1)
torch.manual_seed(5)  # other first weights than the saved ones
folder, key = sys.argv[1:]
modules = {"foreign": lambda: {"generator": nn.Sequential(nn.Linear(4, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8)))}}
before = torch.random.get_rng_state()
given = modules.get(key, dict)()
pipeline = ppgn.pretrained.from_pretrained(folder, modules=given)
samples = ppgn.sample(pipeline, n=2, steps=3, seed=0, progress=False)
samples.save(folder + "-samples")
"""


def fresh(folder, key="ours"):
    """The samples that a new process without a network draws from the saved pipeline."""
    environment = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": "", "HOME": str(folder.parent)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), key], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return ppgn.Samples.load(f"{folder}-samples")


@pytest.mark.parametrize("variant", ["ppgn-h", "joint"])
def test_a_bundle_gives_the_same_bits_in_a_fresh_process_without_a_network(tmp_path, variant):
    digits = ppgn.load("mnist", variant, batch_size=1)
    sevens = digits.given(ppgn.conditions.class_label(digits.classifier, [7, 3]))
    pretrained.save(sevens, tmp_path / "digits")
    assert same(fresh(tmp_path / "digits"), here(sevens))


def test_the_annealed_default_comes_back_with_its_ladder_and_start(tmp_path):
    digits = ppgn.load("mnist")
    pretrained.save(digits, tmp_path / "digits")
    loaded = pretrained.from_pretrained(tmp_path / "digits")
    assert loaded.sampler(loaded).settings == digits.sampler(digits).settings
    assert torch.equal(loaded.start.std, digits.start.std)
    assert (loaded.latent_shape, loaded.origin) == ((128,), digits.origin)
    assert isinstance(loaded.classifier, ppgn.models.ConvClassifier)
    assert not any(module.training for module in loaded.generator.modules())
    assert not any(p.requires_grad for p in loaded.generator.parameters())


def test_a_run_of_the_saved_pipeline_is_resumed_by_the_loaded_one(sevens, folder):
    whole = ppgn.sample(sevens, n=2, steps=4, seed=0, progress=False)
    more = here(sevens).resume(pretrained.from_pretrained(folder), steps=1, progress=False)
    assert same(whole, more)


def test_a_foreign_generator_is_brought_by_the_caller(foreign, tmp_path, monkeypatch):
    classifier = ppgn.models.build(lambda: ppgn.models.ConvClassifier((3, 8, 8), 3, width=2, code=4), 0).eval()
    pipeline = foreign.given(ppgn.conditions.class_label(classifier, [2, 0]))
    pretrained.save(pipeline, tmp_path / "mine")
    assert same(fresh(tmp_path / "mine", "foreign"), here(pipeline))
    with pytest.raises(ValueError, match=r"generator must be given, modules=\{'generator': network\}.*Sequential"):
        pretrained.from_pretrained(tmp_path / "mine")
    given = net()
    before = given[0].weight.clone()
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules={"generator": given})
    assert torch.equal(given[0].weight, before)  # a copy took the weights
    assert torch.equal(loaded.generator[0].weight, pipeline.generator[0].weight)


@pytest.mark.parametrize("source", ["torchvision/squeezenet1_1", "timm/resnet10t"])
def test_a_classifier_by_name_is_built_again_without_a_download(foreign, tmp_path, source):
    classifier = pretrained.classifier(source, weights=None, classes=3, size=32, class_names=["a", "b", "c"], seed=3)
    images = ppgn.models.build(lambda: ppgn.models.UpconvGenerator(4, (1, 16, 16), (4, 4)), 0).eval()
    pipeline = ppgn.Pipeline(
        images,
        foreign.prior,
        ppgn.conditions.class_label(classifier, ["b", "c"]),
        classifier=classifier,
        latent_shape=(4,),
        sampler=walk,
    )
    pretrained.save(pipeline, tmp_path / "mine")
    assert same(fresh(tmp_path / "mine"), here(pipeline))
    loaded = pretrained.from_pretrained(tmp_path / "mine").classifier
    assert loaded.class_names == ("a", "b", "c")
    assert loaded.preprocessing == classifier.preprocessing
    assert not any(p.requires_grad for p in loaded.parameters())


def test_an_ensemble_comes_back_with_its_members(foreign, tmp_path):
    own = ppgn.models.build(lambda: ppgn.models.ConvClassifier((3, 8, 8), 3, width=2, code=4), 0).eval()
    both = pretrained.ensemble([own, pretrained.classifier(foreign.condition.classifier)], average="prob")
    pipeline = foreign.given(ppgn.conditions.class_label(both, [2, 0]))
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.classifier.1": foreign.condition.classifier}
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules=modules)
    assert same(here(loaded), here(pipeline))
    assert loaded.condition.classifier.average == "prob"


def test_a_generator_of_anybodys_comes_back_with_its_range_and_prior(foreign, tmp_path):
    network = nn.Sequential(nn.Linear(4, 192), nn.Tanh(), nn.Unflatten(1, (3, 8, 8)))
    prior = ppgn.priors.truncated_gaussian((4,), threshold=2.0)
    generator = pretrained.generator(network, latent_shape=(4,), prior=prior)
    pipeline = ppgn.Pipeline(generator, condition=foreign.condition, sampler=walk)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": network, "condition.classifier": foreign.condition.classifier}
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules=modules)
    assert same(here(loaded), here(pipeline))
    assert (loaded.generator.value_range, loaded.latent_shape) == ((-1.0, 1.0), (4,))
    assert torch.equal(loaded.generator.prior.threshold, prior.threshold)


def test_modules_that_do_not_fit_or_are_unknown(foreign, tmp_path):
    pretrained.save(foreign, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"modules must be among generator, condition\.classifier, got genrator"):
        pretrained.from_pretrained(tmp_path / "mine", modules={"genrator": net()})
    with pytest.raises(ValueError, match="must hold the 2 tensors of Linear: 2 missing"):
        pretrained.from_pretrained(tmp_path / "mine", modules={"generator": nn.Linear(4, 192)})


def test_precision_is_kept(foreign, tmp_path):
    double = dataclasses.replace(foreign, generator=foreign.generator.double())
    pretrained.save(double, tmp_path / "mine")
    modules = {"generator": net(), "condition.classifier": nn.Sequential(nn.Flatten(), nn.Linear(192, 3))}
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules=modules)
    assert loaded.generator[0].weight.dtype == torch.float64
    assert loaded.condition.classifier[1].weight.dtype == torch.float32
    assert loaded.prior.std.dtype == foreign.prior.std.dtype
    assert loaded.condition.label.tolist() == [2, 0]


def test_a_network_that_serves_twice_is_saved_once(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "classifier.safetensors", "config.json", "encoder.safetensors", "generator.safetensors",
        "prior.denoiser.safetensors", "tensors.safetensors",
    ]  # fmt: skip
    loaded = pretrained.from_pretrained(folder)
    assert loaded.condition.classifier is loaded.classifier


@pytest.mark.parametrize(
    "sampler",
    [
        lambda p: ppgn.samplers.ula(p, ppgn.samplers.linear(0.1, 0.01, steps=5), gamma=2.0),
        lambda p: ppgn.samplers.activation_max(p, bounds=(-1.0, torch.ones(4))),
        lambda p: ppgn.samplers.mala(p, 0.1, warmup=2, moves=2),
        lambda p: ppgn.samplers.cycle(ppgn.samplers.isir(p, 3), ppgn.samplers.mala(p, 0.1)),
        lambda p: ppgn.samplers.restarting(ppgn.samplers.ula(p, 0.1), 2, ppgn.priors.gaussian((4,), mean=1.0)),
        lambda p: ppgn.samplers.restarting(
            ppgn.samplers.cycle(ppgn.samplers.isir(p, 3), ppgn.samplers.mala(p, 0.1)), 1, p.prior
        ),
        lambda p: ppgn.samplers.mala_approx(p, ppgn.samplers.redrawn(0.01, 0.1, every=2, seed=3), 0.1, 0.1),
        lambda p: ppgn.samplers.best_of_n(p, 4),
        lambda p: ppgn.samplers.rejection(p, draws=64),
        lambda p: ppgn.samplers.mala_approx(
            p, 1e-5, 1.0, 0.0, mode="released", step_size=ppgn.samplers.geometric(1.0, 0.1, 9)
        ),
    ],
)
def test_every_sampler_comes_back_to_the_same_bits(foreign, tmp_path, sampler):
    pipeline = dataclasses.replace(foreign, sampler=sampler)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.classifier": foreign.condition.classifier}
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules=modules)
    assert loaded.sampler(loaded).exact == sampler(pipeline).exact
    assert same(here(loaded), here(pipeline))


def test_all_priors_and_samplers_can_be_saved():
    """A new one has to be listed."""
    iterators, ramps = {"chain", "walk"}, {"linear", "geometric", "redrawn"}
    builders = {name for name in ppgn.samplers.__all__ if name.islower()} - iterators - ramps
    assert builders == {*parts.KERNELS, "cycle", "restarting"}
    assert {name for name in ppgn.priors.__all__ if name.islower()} | ramps <= parts.RECORDS.keys()


def test_smc_comes_back_with_its_groups(foreign, tmp_path):
    groups = torch.arange(20) // 10
    pipeline = dataclasses.replace(
        foreign.given(ppgn.conditions.class_label(foreign.condition.classifier, 1)),
        sampler=lambda p: ppgn.samplers.smc(p, 0.1, groups, proposal="pcn"),
    )
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.classifier": foreign.condition.classifier}
    loaded = pretrained.from_pretrained(tmp_path / "mine", modules=modules)
    assert torch.equal(loaded.sampler(loaded).settings["groups"], groups)


def test_an_autoencoder_is_generator_and_encoder_of_one_file():
    """As in `natural`'s joint variant; its bound method could not be saved, and the error says what can."""
    coder = ppgn.models.build(lambda: ppgn.models.TinyAutoencoder(), 0).eval()
    kept = parts.Kept()
    assert parts.encode(coder, "generator", kept) == {"network": "generator"}
    described = parts.encode(ppgn.priors.joint(Encoding(coder).eval()), "prior", kept)
    assert described == {"is": "joint", "encoder": {"is": "Encoding", "autoencoder": {"network": "generator"}}}
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(parts.decode(described, kept).encoder(x), coder.encode(x))
    with pytest.raises(TypeError, match=r"the method .*encode; give a module whose forward calls it"):
        parts.encode(ppgn.priors.joint(coder.encode), "prior", kept)


def other_gaussian(sampler):
    return dataclasses.replace(sampler, name="mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": lambda h: h}, r"generator must be a network \(an nn.Module\).*got the function .*<lambda>"),
        ({"prior": SimpleNamespace(score=None)}, r"prior must be .* one of all_of, any_of.*got a SimpleNamespace"),
        ({"condition": SimpleNamespace(log_prob=None, rows=None)}, "condition must be .* got a SimpleNamespace"),
        (
            {"sampler": lambda p: ppgn.samplers.ula(p, lambda step: 0.1)},
            r"the sampler's step_size must be .*linear.* got the function .*<lambda>",
        ),
        ({"sampler": lambda p: other_gaussian(walk(p))}, r"sampler must be one of activation_max.*got 'mine'"),
        (
            {"sampler": lambda p: ppgn.samplers.restarting(lambda lap: walk(p), 2, ppgn.priors.gaussian((4,)))},
            "restarting must have one sampler for all laps to be saved, not a function of the lap",
        ),
        (
            {"sampler": lambda p: dataclasses.replace(walk(p), exact=True)},
            "sampler must be the mala_approx of ppgn.samplers",
        ),
    ],
)
def test_what_cannot_be_saved_is_named_and_nothing_is_written(foreign, tmp_path, change, message):
    pipeline = dataclasses.replace(foreign, **change)
    with pytest.raises(TypeError, match=message):
        pretrained.save(pipeline, tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_an_encoder_cut_from_the_condition_is_the_same_network_again(tmp_path):
    """One file of weights for both, and the same bits."""
    source = pretrained.classifier("torchvision/squeezenet1_1", weights=None, classes=5, fit="whole", size=48)
    cut = pretrained.encoder(source, h1=5, h=8, pool=8)
    code = cut(torch.zeros(1, 3, 32, 32)).shape[1:]
    generator = models.build(lambda: models.UpconvGenerator(code, (3, 32, 32), (8, 8, 4)), 0).eval()
    condition = ppgn.conditions.class_label(source, 2)
    pipeline = ppgn.Pipeline(generator, ppgn.priors.joint(cut), condition, latent_shape=code, sampler=walk)
    pretrained.save(pipeline, tmp_path / "mine")
    assert sorted(path.stem for path in (tmp_path / "mine").glob("*.safetensors")) == ["generator", "prior.encoder"]
    loaded = pretrained.from_pretrained(tmp_path / "mine")
    assert loaded.prior.encoder.classifier.network is loaded.condition.classifier.network
    assert same(here(loaded), here(pipeline))
