"""The folder of a saved pipeline: what is in it, and what is told of one that was damaged or altered."""

from __future__ import annotations

import dataclasses
import json
import pickle

import pytest
import torch

from ppgn import files, pretrained


def edited(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_a_folder_is_replaced_only_if_asked_and_only_an_earlier_pipeline(sevens, folder, tmp_path):
    with pytest.raises(FileExistsError, match="must be new or empty"):
        pretrained.save(sevens, folder)
    pretrained.save(sevens, folder, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"only an earlier pipeline, .* holds thesis\.tex"):
        pretrained.save(sevens, tmp_path / "other", overwrite=True)


@pytest.mark.parametrize("config", ["{}", '{"model_type": "bert"}', "[", '{"schema": 1, "ppgn": "1", "sha256": []}'])
def test_a_folder_of_somebody_elses_is_not_replaced(sevens, tmp_path, config):
    """Many tools write a config.json."""
    theirs = tmp_path / "bert"
    theirs.mkdir()
    (theirs / "config.json").write_text(config)
    (theirs / "model.safetensors").write_text("weights")
    with pytest.raises(FileExistsError, match=r"only an earlier pipeline, .* holds model\.safetensors"):
        pretrained.save(sevens, theirs, overwrite=True)
    assert (theirs / "model.safetensors").read_text() == "weights"


def test_a_saved_pipeline_with_files_of_others_beside_it_is_not_replaced(sevens, folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds notes\.txt"):
        pretrained.save(sevens, folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"


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
        (lambda c: c["prior"].update({"is": "os.system"}), files.DamagedFileError, "part must be one of all_of"),
        (lambda c: c["prior"].update(speed=1), files.DamagedFileError, "dae must be described by denoiser, sigma"),
        (lambda c: c["prior"].pop("sigma"), files.DamagedFileError, "dae must be described by denoiser, sigma"),
        (
            lambda c: c["sampler"].update({"is": "eval"}),
            files.DamagedFileError,
            "sampler must be one of activation_max",
        ),
        (lambda c: c.update(sampler={"is": "restarting"}), files.DamagedFileError, "but KeyError: 'sampler'"),
        (
            lambda c: c.update(
                sampler={"is": "restarting", "sampler": c["sampler"], "every": "2", "start": c["start"]}
            ),
            files.DamagedFileError,
            "every of restarting must be int, got a str",
        ),
        (
            lambda c: c.update(sampler={"is": "restarting", "sampler": c["sampler"], "every": 2, "start": None}),
            files.DamagedFileError,
            "start of restarting must be Density, got a NoneType",
        ),
        (lambda c: c["generator"].update(network="x"), files.DamagedFileError, "network must be one of generator"),
        (
            lambda c: c["networks"].update(generator=[]),
            files.DamagedFileError,
            "must describe each network .*generator",
        ),
        (
            lambda c: c["sha256"].update({"generator.safetensors": None}),
            files.DamagedFileError,
            r"have a sha256 for each file, not so generator\.safetensors",
        ),
        (
            lambda c: c["networks"]["generator"].update(architecture=[]),
            files.DamagedFileError,
            r"architecture must be one of .*, got \[\]",
        ),
        (
            lambda c: c["prior"].update(denoiser=3),
            files.DamagedFileError,
            "denoiser of dae must be .*Callable.* got a int",
        ),
        (lambda c: c["prior"].update(sigma="a"), files.DamagedFileError, "sigma of dae must be float, got a str"),
        (lambda c: c.update(prior=c["condition"]), files.DamagedFileError, "prior must be Prior, got a ClassLabel"),
        (lambda c: c.update(condition=c["prior"]), files.DamagedFileError, "condition must be Condition, got a DAE"),
        (lambda c: c.update(generator=c["prior"]), files.DamagedFileError, "generator must be Module, got a DAE"),
        (lambda c: c.update(start=[1]), files.DamagedFileError, "start must be .*Density.*, got a tuple"),
        (lambda c: c.update(latent_shape="128"), files.DamagedFileError, "latent_shape must be .*, got a str"),
        (lambda c: c.update(batch_size=-1), files.DamagedFileError, "batch_size must be at least 1, got -1"),
        (lambda c: c["sampler"].update(eps_prior="a"), files.DamagedFileError, "eps_prior of mala_approx must be"),
        (lambda c: c.update(sampler={"is": "cycle"}), files.DamagedFileError, "samplers"),
        (
            lambda c: c["condition"].update(label={"integers": "a"}),
            files.DamagedFileError,
            "must describe a pipeline as `save` does, but TypeError",
        ),
    ],
)
def test_a_config_that_no_save_wrote(folder, change, error, message):
    edited(folder, change)
    with pytest.raises(error, match=message):
        pretrained.from_pretrained(folder)


def test_a_config_that_is_too_deep(folder):
    (folder / "config.json").write_text('{"a":' * 100_000)
    with pytest.raises(files.DamagedFileError, match=r"config\.json must be JSON"):
        pretrained.from_pretrained(folder)


def test_a_source_that_is_no_library(foreign, tmp_path):
    classifier = pretrained.classifier("timm/resnet10t", weights=None, classes=3)
    pipeline = dataclasses.replace(foreign, classifier=classifier)
    pretrained.save(pipeline, tmp_path / "mine")
    modules = {"generator": foreign.generator, "condition.classifier": foreign.condition.classifier}
    for source, error in (("os/system", files.DamagedFileError), ("timm/hf-hub:user/net", ValueError)):
        edited(tmp_path / "mine", lambda c, source=source: c["networks"]["classifier"].update(source=source))
        with pytest.raises(error, match=r"source must be of torchvision or timm|timm must know the network"):
            pretrained.from_pretrained(tmp_path / "mine", modules=modules)


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
