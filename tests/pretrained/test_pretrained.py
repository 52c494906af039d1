from __future__ import annotations

import shutil

import pytest
import torch

import ppgn
from ppgn import files, pretrained
from ppgn.pretrained import catalogue


@pytest.mark.usefixtures("global_randomness_untouched")
@pytest.mark.parametrize("variant", [None, "annealed", "ppgn-h", "joint", "noiseless"])
def test_every_variant_walks(variant):
    pipeline = ppgn.load("mnist", variant, settings={"levels": 18} if variant in (None, "annealed") else {})
    condition = ppgn.conditions.class_label(pipeline.classifier, 5)
    samples = ppgn.sample(pipeline.given(condition), n=8, steps=20, seed=0, progress=False)
    assert samples.log_condition[-1].median() > samples.log_condition[0].median() + 0.1


def test_networks_are_frozen_and_in_eval_mode():
    for card in pretrained.cards("mnist"):
        network = pretrained.network("mnist", card.name)
        assert not any(module.training for module in network.modules())
        assert not any(p.requires_grad for p in network.parameters())


def test_cards_say_what_the_files_are():
    found = pretrained.cards("mnist")
    assert {card.name for card in found} >= {
        "encoder",
        "generator",
        "generator-noiseless",
        "dae",
        "ladder",
        "classifier",
        "judge",
    }
    for card in found:
        assert card.sha256 == files.sha256(card.path)
        assert card.command.startswith("ppgn train ")
        assert card.measured
        assert card.architecture.split()[0] == files.read_tensors(card.path)[1]["architecture"]


def test_cards_say_whose_the_weights_are_and_what_they_work_on():
    for card in pretrained.cards("mnist"):
        assert (card.licence, card.source, card.revision) == ("MIT", "trained here, by command", None)
        config = files.read_tensors(card.path)[1]["config"]
        own = {"judge": None, "captioner": None, "image-dae": (1, 28, 28)}  # the last: images are their own codes
        assert card.latent_shape == (own[card.name] if card.name in own else (config["code"],))
        assert card.value_range == ((0.0, 1.0) if "image_shape" in config else None)


def test_the_judge_is_independent():
    by_name = {card.name: card for card in pretrained.cards("mnist")}
    judge, condition = by_name["judge"], by_name["classifier"]
    assert judge.architecture.split()[0] != condition.architecture.split()[0]
    assert judge.seed != condition.seed
    assert judge.data != condition.data


def test_the_bundle_is_small():
    assert sum(path.stat().st_size for path in (catalogue.WEIGHTS / "mnist").iterdir()) < 20e6


def test_classifiers_know_real_test_digits(mnist_file):
    from ppgn import data, evaluation

    test = data.load(mnist_file, "test")
    for name in ("classifier", "judge"):
        card = pretrained.card("mnist", name)
        accuracy = evaluation.agreement(pretrained.network("mnist", name), data.to_float(test.images), test.labels)
        assert accuracy == pytest.approx(card.measured["test accuracy"], abs=2e-4)


def test_unknown_names_list_those_there_are():
    with pytest.raises(ValueError, match=r"model must be one of .*mnist.*, got 'mnits'"):
        ppgn.load("mnits")
    with pytest.raises(ValueError, match=r"got 'user/digits'; a saved pipeline is loaded by .*from_pretrained"):
        ppgn.load("user/digits")
    with pytest.raises(ValueError, match=r"variant of mnist must be one of .*ppgn-h.*, got 'ppgn-z'"):
        ppgn.load("mnist", variant="ppgn-z")
    with pytest.raises(ValueError, match=r"mnist has the networks encoder.*, got 'jugde'"):
        pretrained.network("mnist", "jugde")


@pytest.fixture
def copied(tmp_path, monkeypatch):
    shutil.copytree(catalogue.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(catalogue, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights" / "mnist"


def test_an_altered_weights_file(copied):
    path = copied / "generator-noiseless.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(files.DamagedFileError, match=r"generator-noiseless\.safetensors must have sha256 .* got"):
        ppgn.load("mnist")


def test_a_truncated_weights_file(copied):
    path = copied / "classifier.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(files.DamagedFileError, match="altered or cut"):
        ppgn.load("mnist")


def test_other_settings_replace_the_recommended_ones():
    def settings(variant="ppgn-h", **changed):
        pipeline = pretrained.load("mnist", variant, settings=changed)
        return pipeline.sampler(pipeline).settings

    recommended = settings()
    assert settings("annealed", gamma=2.0) == {**settings("annealed"), "gamma": 2.0}
    assert settings(eps_noise=0.5) == {**recommended, "eps_noise": 0.5}
    released = settings(mode="released", step_size=0.3)
    assert (released["eps_prior"], released["eps_noise"], released["step_size"]) == (1e-5, 1e-17, 0.3)


def test_a_setting_of_another_sampler_names_the_variants_that_take_it():
    with pytest.raises(ValueError, match=r"variant annealed walks by annealed, .*not eps_prior; .*: ppgn-x, ppgn-h"):
        pretrained.load("mnist", settings={"eps_prior": 1.0})
    with pytest.raises(ValueError, match=r"variant joint walks by mala_approx, .*not levels; .*: annealed$"):
        pretrained.load("mnist", "joint", settings={"levels": 3})
    with pytest.raises(ValueError, match=r"not speed$"):
        pretrained.load("mnist", settings={"speed": 3})


def test_an_annealed_walk_starts_from_codes_under_its_first_noise():
    clean, noisy = (pretrained.load("mnist", v).start.std for v in ("ppgn-h", "annealed"))
    assert torch.allclose(noisy**2, clean**2 + 20.0**2)
    assert torch.allclose(pretrained.load("mnist", settings={"sigma_max": 5.0}).start.std ** 2, clean**2 + 25)


def test_the_start_has_the_moments_of_real_codes():
    pipeline = ppgn.load("mnist", "ppgn-h")
    h = pipeline.start.sample(3000, ppgn.random.streams(0, 3000))
    error = (h.mean(0) - pipeline.start.mean).abs() / pipeline.start.std
    assert error.max() < 5 / 3000**0.5
    assert torch.isfinite(pipeline.start.log_prob(h)).all()
