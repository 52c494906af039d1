"""From settings to pipelines: networks by name, noise in names, rules of the step."""

from __future__ import annotations

import pytest

from ppgn import files, models, pretrained
from ppgn.ablation.parts import Given, built, network

BASE = {"model": "mnist", "variant": "ppgn-h", "steps": 2}
FREE = {"mode": "released", "eps_prior": 0.0, "eps_condition": 1.0}


def kernel(**settings):
    pipeline = built({**BASE, **settings}, Given())
    return pipeline.sampler(pipeline)


def test_noise_stands_in_the_name(tmp_path):
    for noise in (0.05, 0.5):
        path = tmp_path / f"dae-{noise:g}" / "model.safetensors"
        path.parent.mkdir()
        models.save(pretrained.network("mnist", "dae"), path, {"trained": {"sigma": noise}})
    pattern = f"{tmp_path}/dae-{{noise}}/model.safetensors"
    for noise in (0.05, 0.5):
        assert built({**BASE, "denoiser": pattern, "denoiser_noise": noise}, Given()).prior.sigma == noise
    with pytest.raises(FileNotFoundError, match=r"dae-0\.25/model"):
        built({**BASE, "denoiser": pattern, "denoiser_noise": 0.25}, Given())
    for settings in ({"denoiser": pattern}, {"denoiser": "dae", "denoiser_noise": 1.0}, {"generator_noise": 1.0}):
        with pytest.raises(ValueError, match=r"goes with (denoiser|generator)_noise if it has \{noise\} in it"):
            built({**BASE, **settings}, Given())


def test_networks_of_the_bundle_have_points_in_their_names():
    found = built({**BASE, "generator": "generator-{noise}", "generator_noise": 0.01}, Given()).generator
    assert files.fingerprint(found) == files.fingerprint(pretrained.network("mnist", "generator-0.01"))


def test_networks_of_other_bundles_by_name():
    found = network("fashion/classifier", "mnist", Given())
    assert files.fingerprint(found) == files.fingerprint(pretrained.network("fashion", "classifier"))
    with pytest.raises(ValueError, match="fashion has the networks"):
        network("fashion/clasifier", "mnist", Given())


def test_variants_of_other_kernels_walk_by_mala_approx_where_a_mode_is_told():
    found = kernel(variant="dgn-am", **FREE, eps_noise=0.5)
    assert (found.name, found.settings["eps_noise"], found.settings["mode"]) == ("mala_approx", 0.5, "released")
    assert kernel(variant="dgn-am").name == "activation_max"
    with pytest.raises(
        ValueError, match="variant dgn-am walks by MALA-approx if numbers are given: it needs all three"
    ):
        kernel(variant="dgn-am", **FREE)


def test_numbers_of_the_annealed_walk():
    found = kernel(variant="annealed", corrector=0.1, sigma_min=0.5, gamma=2.0)
    told = {name: found.settings[name] for name in ("corrector", "sigma_min", "gamma", "levels")}
    assert told == {"corrector": 0.1, "sigma_min": 0.5, "gamma": 2.0, "levels": 2}
    with pytest.raises(ValueError, match="needs that, perhaps gamma, no epsilons; got mode, step_size, corrector"):
        kernel(mode="calibrated", step_size=1.0, corrector=0.5)
