from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from torch import nn

import ppgn
from ppgn import files, pretrained
from ppgn.pretrained import hub, parts

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


def here(pipeline):
    return ppgn.sample(pipeline, n=2, steps=3, seed=0, progress=False)


def same(a, b):
    return torch.equal(a.images, b.images) and torch.equal(a.codes, b.codes)


def walk(pipeline):
    return ppgn.samplers.mala_approx(pipeline, eps_prior=0.01, eps_condition=0.01, eps_noise=0.1)


def net():
    return nn.Sequential(nn.Linear(4, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8))).eval()


@pytest.fixture
def foreign():
    """A pipeline whose generator and classifier are other people's networks."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = net()
        classifier = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).eval()
    return ppgn.Pipeline(
        generator,
        ppgn.priors.gaussian((4,), std=torch.tensor([1.0, 2.0, 3.0, 4.0])),
        ppgn.conditions.class_label(classifier, [2, 0]),
        latent_shape=(4,),
        sampler=walk,
    )


@pytest.fixture
def folder(sevens, tmp_path):
    """A saved bundle."""
    pretrained.save(sevens, tmp_path / "digits", description="Handwritten digits.", licence="mit")
    return tmp_path / "digits"


def edited(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


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


def test_a_source_that_is_no_library(foreign, tmp_path):
    classifier = pretrained.classifier("timm/resnet10t", weights=None, classes=3)
    pipeline = dataclasses.replace(foreign, classifier=classifier)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.classifier": foreign.condition.classifier}
    for source, error in (("os/system", files.DamagedFileError), ("timm/hf-hub:user/net", ValueError)):
        edited(tmp_path / "mine", lambda c, source=source: c["networks"]["classifier"].update(source=source))
        with pytest.raises(error, match=r"source must be of torchvision or timm|timm must know the network"):
            pretrained.from_pretrained(tmp_path / "mine", modules=modules)


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
        "README.md", "classifier.safetensors", "config.json", "generator.safetensors", "prior.denoiser.safetensors",
        "tensors.safetensors",
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


@pytest.mark.parametrize("views", [{"shift": 1, "n": 2}, {"shift": 0, "n": 1, "scale": (1.0, 1.2)}])
def test_views_and_a_truncated_prior_come_back_to_the_same_bits(foreign, tmp_path, views):
    prior = ppgn.priors.truncated_gaussian((4,), threshold=1.5, mean=0.25, std=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    condition = ppgn.conditions.views(foreign.condition, **views)
    pipeline = dataclasses.replace(foreign, prior=prior, condition=condition)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.condition.classifier": foreign.condition.classifier}
    assert same(here(pretrained.from_pretrained(tmp_path / "mine", modules=modules)), here(pipeline))


def test_known_pixels_come_back_to_the_same_bits(foreign, tmp_path):
    hole = torch.zeros(8, 8, dtype=torch.bool)
    hole[2:5] = True
    condition = ppgn.conditions.inpaint(torch.full((3, 8, 8), 0.25), hole, noise=0.5, inside=foreign.condition)
    pipeline = foreign.given(condition)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.inside.classifier": foreign.condition.classifier}
    assert same(here(pretrained.from_pretrained(tmp_path / "mine", modules=modules)), here(pipeline))


def test_all_priors_and_samplers_can_be_saved():
    """A new one has to be listed."""
    iterators, ramps = {"chain", "walk"}, {"linear", "geometric"}
    builders = {name for name in ppgn.samplers.__all__ if name.islower()} - iterators - ramps
    assert builders == {*parts.KERNELS, "cycle"}
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


def other_gaussian(sampler):
    return dataclasses.replace(sampler, name="mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": lambda h: h}, r"generator must be a network \(an nn.Module\).*got the function .*<lambda>"),
        ({"prior": SimpleNamespace(score=None)}, r"prior must be .* one of class_label, dae.*got a SimpleNamespace"),
        ({"condition": SimpleNamespace(log_prob=None, rows=None)}, "condition must be .* got a SimpleNamespace"),
        (
            {"sampler": lambda p: ppgn.samplers.ula(p, lambda step: 0.1)},
            r"the sampler's step_size must be .*linear.* got the function .*<lambda>",
        ),
        ({"sampler": lambda p: other_gaussian(walk(p))}, r"sampler must be one of activation_max.*got \['mine'\]"),
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


def test_a_folder_is_replaced_only_if_asked_and_only_an_earlier_pipeline(sevens, folder, tmp_path):
    with pytest.raises(FileExistsError, match="must be new or empty"):
        pretrained.save(sevens, folder)
    pretrained.save(sevens, folder, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"only an earlier result, with a config\.json"):
        pretrained.save(sevens, tmp_path / "other", overwrite=True)


def test_the_readme_loads_it(folder):
    text = (folder / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: ppgn\nlicense: mit\n")
    assert 'ppgn.pretrained.from_pretrained("digits")' in text
    assert "Handwritten digits." in text
    assert files.sha256(folder / "generator.safetensors") in text


def test_the_readme_of_foreign_networks_says_what_to_bring(foreign, tmp_path):
    pretrained.save(foreign, tmp_path / "mine")
    text = (tmp_path / "mine" / "README.md").read_text()
    assert 'modules={"generator": generator, "condition.classifier": condition_classifier}' in text
    assert "torch.nn.modules.container.Sequential" in text
    assert "Licence: not stated" in text


def test_an_altered_file(folder):
    path = folder / "generator.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(files.DamagedFileError, match=r"generator\.safetensors must have sha256 .* got"):
        pretrained.from_pretrained(folder)


@pytest.mark.parametrize("name", ["prior.denoiser.safetensors", "tensors.safetensors", "config.json"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"a saved pipeline must have a {name}"):
        pretrained.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c.update(schema=2, ppgn="9.0"), ValueError, r"must have schema 1, got 2; .* by ppgn 9\.0"),
        (lambda c: c.pop("schema"), ValueError, "must have schema 1, got None"),
        (lambda c: c.pop("prior"), files.DamagedFileError, "must describe a whole pipeline, but lacks prior"),
        (lambda c: c.update(networks=[]), files.DamagedFileError, "must describe a whole pipeline, but lacks networks"),
        (lambda c: c.update(sampler=3), files.DamagedFileError, "sampler must be described by its name and settings"),
        (
            lambda c: c["networks"]["generator"].pop("file"),
            files.DamagedFileError,
            r"must be a plain name\.safetensors with its sha256, got None",
        ),
        (
            lambda c: c["networks"]["generator"].update(architecture="Nope"),
            files.DamagedFileError,
            r"architecture must be one of .*CodeDenoiser, .*got 'Nope'",
        ),
        (
            lambda c: c["networks"]["generator"]["config"].update(speed=3),
            files.DamagedFileError,
            "config must be that of UpconvGenerator with its weights, but .*speed",
        ),
        (
            lambda c: c["networks"]["generator"]["config"].update(code=10**9),
            files.DamagedFileError,
            "(?s)config must be that of UpconvGenerator with its weights, but .*size mismatch",
        ),
        (
            lambda c: c["networks"]["generator"].update(file="../../x"),
            files.DamagedFileError,
            r"must be a plain name\.safetensors with its sha256, got '../../x'",
        ),
        (
            lambda c: c["networks"]["generator"].update(file="../../x.safetensors"),
            files.DamagedFileError,
            "must be a plain name",
        ),
        (
            lambda c: c["networks"]["generator"].update(file="weights.pt"),
            files.DamagedFileError,
            r"must be a plain name\.safetensors with its sha256, got 'weights\.pt'",
        ),
        (
            lambda c: c["sha256"].pop("generator.safetensors"),
            files.DamagedFileError,
            r"with its sha256, got 'generator\.safetensors'",
        ),
        (lambda c: c["prior"].update({"is": "os.system"}), files.DamagedFileError, "part must be one of class_label"),
        (lambda c: c["prior"].update(speed=1), files.DamagedFileError, "dae must be described by denoiser, sigma"),
        (lambda c: c["prior"].pop("sigma"), files.DamagedFileError, "dae must be described by denoiser, sigma"),
        (
            lambda c: c["sampler"].update({"is": "eval"}),
            files.DamagedFileError,
            "sampler must be one of activation_max",
        ),
        (lambda c: c["generator"].update(network="x"), files.DamagedFileError, "network must be one of generator"),
    ],
)
def test_a_config_that_no_save_wrote(folder, change, error, message):
    edited(folder, change)
    with pytest.raises(error, match=message):
        pretrained.from_pretrained(folder)


def test_pickles_in_the_folder_are_never_opened(folder, monkeypatch):
    for name in ("generator.pt", "pytorch_model.bin", "config.pkl"):
        (folder / name).write_bytes(pickle.dumps(print))
    for module, name in ((pickle, "load"), (pickle, "loads"), (torch, "load")):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: pytest.fail("a pickle was read"))
    pretrained.from_pretrained(folder)


def test_what_is_neither_folder_nor_repository(folder):
    with pytest.raises(FileNotFoundError, match=r"must be a folder, or .*'mnist' is neither; bundled ones"):
        pretrained.from_pretrained("mnist")
    with pytest.raises(ValueError, match="revision belongs to a repository on huggingface"):
        pretrained.from_pretrained(folder, revision="main")


@pytest.fixture
def online(folder, tmp_path, monkeypatch):
    """The saved folder as user/digits on huggingface.co; the files asked for are kept, with their revisions."""
    for name in hub.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PPGN_HOME", str(tmp_path / "home"))
    calls = []

    def download(repo, file, *, revision, cache_dir, local_files_only):
        calls.append((file, revision))
        path = cache_dir / "models--user--digits" / "snapshots" / "0123456789abcdef" / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((folder / file).read_bytes())
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return calls


def test_from_huggingface_all_files_are_of_one_commit(sevens, online):
    loaded = pretrained.from_pretrained("user/digits", revision="v1")
    assert same(here(loaded), here(sevens))
    assert online[0] == ("config.json", "v1")
    assert {revision for file, revision in online if file.endswith("safetensors")} == {"0123456789abcdef"}
    assert loaded.origin["repository"] == "user/digits"
    assert loaded.origin["revision"] == "0123456789abcdef"
    assert {one.source for one in hub.cached()} == {"user/digits at 01234567"}


def test_a_file_altered_on_huggingface(online, folder):
    path = folder / "classifier.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(files.DamagedFileError, match=r"user/digits/classifier\.safetensors at .* must have sha256"):
        pretrained.from_pretrained("user/digits")


@pytest.fixture
def uploads(monkeypatch):
    """huggingface.co's side of a push: what it was asked, and the files it was given."""
    asked = {"visible": "private"}

    class Api:
        def create_repo(self, repo, *, private, exist_ok):
            asked.update(repo=repo, private=private, exist_ok=exist_ok)

        def model_info(self, repo):
            return SimpleNamespace(private=asked["visible"] == "private")

        def upload_folder(self, *, repo_id, folder_path, commit_message, delete_patterns):
            config = files.read_json(files.Path(folder_path) / "config.json")
            readme = (files.Path(folder_path) / "README.md").read_text()
            asked.update(uploaded=repo_id, config=config, message=commit_message, readme=readme)
            return SimpleNamespace(oid="c0ffee")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    for name in hub.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    return asked


def test_push_uploads_a_saved_pipeline(sevens, uploads):
    assert pretrained.push(sevens, "user/digits", private=True, licence="mit", message="first") == "c0ffee"
    assert (uploads["repo"], uploads["private"], uploads["exist_ok"]) == ("user/digits", True, True)
    assert (uploads["uploaded"], uploads["message"]) == ("user/digits", "first")
    assert uploads["config"]["licence"] == "mit"
    assert 'from_pretrained("user/digits")' in uploads["readme"]
    assert "\n# digits\n" in uploads["readme"]


def test_push_does_not_publish_what_was_to_be_private(sevens, uploads):
    uploads["visible"] = "public"
    with pytest.raises(ValueError, match="user/digits must be private as asked, but it is there and public"):
        pretrained.push(sevens, "user/digits", private=True)
    assert "uploaded" not in uploads


def test_push_says_before_any_work_what_is_wrong(sevens, uploads, monkeypatch):
    with pytest.raises(ValueError, match="repo must be \"user/name\", got 'digits'"):
        pretrained.push(sevens, "digits")
    monkeypatch.setenv("PPGN_OFFLINE", "1")
    with pytest.raises(OSError, match="push to user/digits needs the network, but offline mode is set"):
        pretrained.push(sevens, "user/digits")
    assert "repo" not in uploads
