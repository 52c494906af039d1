"""The five variants of the paper, by name: each is there, walks by its rule, and goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ppgn
from ppgn import data, files, pretrained, samplers
from ppgn.pretrained import catalogue

FIVE = ["ppgn-x", "dgn-am", "ppgn-h", "joint", "noiseless"]
SCHEDULE = {"is": "linear", "start": 2.0, "end": 0.5, "steps": 4}


def settings(variant, **changed):
    pipeline = pretrained.load("mnist", variant, settings=changed)
    return pipeline.sampler(pipeline).settings


def asked(variant, label=5, objective="log_prob", **changed):
    pipeline = pretrained.load("mnist", variant, settings=changed)
    return pipeline.given(ppgn.conditions.class_label(pipeline.classifier, label, objective=objective))


def test_the_papers_five_are_there():
    assert set(FIVE) < set(pretrained.describe("mnist")["variants"])


@pytest.mark.usefixtures("global_randomness_untouched")
@pytest.mark.parametrize("variant", FIVE)
def test_each_climbs_and_none_is_exact(variant):
    samples = ppgn.sample(asked(variant), n=8, steps=20, seed=0, progress=False)
    assert samples.log_condition[-1].median() > samples.log_condition[0].median() + 0.1
    assert not samples.exact
    assert samples.images.shape == (8, 1, 28, 28)
    assert 0 <= samples.images.min() <= samples.images.max() <= 1


@pytest.mark.parametrize("variant", ["ppgn-x", "dgn-am"])
def test_a_saved_run_goes_on_to_the_same_bits(variant, tmp_path):
    pipeline = asked(variant)
    whole = ppgn.sample(pipeline, n=3, steps=6, seed=0, progress=False)
    ppgn.sample(pipeline, n=3, steps=2, seed=0, progress=False).save(tmp_path / "cut")
    more = ppgn.Samples.load(tmp_path / "cut").resume(pipeline, 4, progress=False)
    assert torch.equal(whole.codes, more.codes)
    assert torch.equal(whole.log_condition, more.log_condition)


@pytest.mark.parametrize("variant", ["ppgn-x", "dgn-am"])
def test_a_pipeline_is_passed_on(variant, tmp_path):
    pipeline = asked(variant)
    pretrained.save(pipeline, tmp_path / "mine")
    here, there = (
        ppgn.sample(one, n=2, steps=3, seed=0, progress=False)
        for one in (pipeline, pretrained.from_pretrained(tmp_path / "mine"))
    )
    assert torch.equal(here.codes, there.codes)


def test_ppgn_x_walks_on_pixels():
    pipeline = ppgn.load("mnist", "ppgn-x")
    assert pipeline.latent_shape == pipeline.start.latent_shape == (1, 28, 28)
    h = pipeline.start.sample(2, ppgn.random.streams(0, 2)).float()
    assert torch.equal(pipeline.generator(h), h.clamp(0, 1))
    card = pretrained.card("mnist", "image-dae")
    assert card.measured["sigma"] == pipeline.prior.sigma
    assert card.measured["test error over sigma^2"] < 0.1  # what a code of 128 takes away of the noise of 784 pixels


def test_ppgn_x_starts_as_real_images_do(mnist_file):
    x = data.to_float(data.load(mnist_file).part("0:30000").images)
    start = ppgn.load("mnist", "ppgn-x").start
    torch.testing.assert_close(start.mean, x.mean(0))
    torch.testing.assert_close(start.std, x.std(0).clamp(min=0.01))


def test_the_image_denoiser_knows_the_noise_it_was_trained_on(mnist_file):
    """The card's figure, on a part of the test images."""
    x = data.to_float(data.load(mnist_file, "test").images[:500])
    card = pretrained.card("mnist", "image-dae")
    sigma = card.measured["sigma"]
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        left = pretrained.network("mnist", "image-dae")(x + sigma * noise) - x
    error = float(left.square().mean() / sigma**2)
    assert error == pytest.approx(card.measured["test error over sigma^2"], rel=0.1)


@pytest.mark.parametrize("objective", ["logit", "log_prob"])
def test_dgn_am_takes_the_authors_step(objective):
    """h <- (1 - decay) clip(h + step g / mean|g|), from standard normals to the mean and three deviations of codes."""
    pipeline = asked("dgn-am", objective=objective)
    codes, _ = files.read_tensors(catalogue.WEIGHTS / "mnist" / "codes.safetensors")
    highest = codes["mean"] + 3 * codes["std"]
    sampler = pipeline.sampler(pipeline)
    h = pipeline.start.sample(4, ppgn.random.streams(0, 4)).float()
    assert (pipeline.start.mean == 0).all()
    assert (pipeline.start.std == 1).all()
    state = sampler.init(h)
    g = state.terms.condition
    moved = h + 4.0 * g / g.abs().mean(1, keepdim=True)
    expected = 0.99 * torch.minimum(moved.clamp(min=0), highest)
    after = sampler.step(state, ppgn.random.streams(0, 4))
    torch.testing.assert_close(after.h, expected)
    assert (after.h == 0.99 * highest).any()
    assert isinstance(pipeline.prior, ppgn.priors.NoPrior)


def test_dgn_am_moves_nowhere_without_a_condition():
    pipeline = ppgn.load("mnist", "dgn-am")
    samples = ppgn.sample(pipeline, n=2, steps=3, seed=0, progress=False)
    first = pipeline.start.sample(2, ppgn.random.streams(0, 2)).float()
    highest = pipeline.sampler(pipeline).settings["bounds"][1]
    torch.testing.assert_close(samples.codes, 0.99**3 * torch.minimum(first.clamp(min=0), highest))


def test_schedules_and_bounds_as_a_record_tells_them():
    found = settings("dgn-am", step_size=SCHEDULE, bounds=[0.0, [1.0] * 128])
    assert found["step_size"] == samplers.linear(2.0, 0.5, 4)
    assert torch.equal(found["bounds"][1], torch.ones(128))
    told = ppgn.records.describe(settings("dgn-am"))
    assert ppgn.records.describe(settings("dgn-am", **told)) == told
    assert settings("ppgn-h", eps_noise={**SCHEDULE, "is": "geometric"})["eps_noise"] == samplers.geometric(2.0, 0.5, 4)
    assert settings("ppgn-x", eps_noise=samplers.linear(1.0, 0.5, 3))["eps_noise"] == samplers.linear(1.0, 0.5, 3)
    redrawn = samplers.redrawn(0.1, 0.2, every=3, seed=1)
    assert settings("ppgn-h", eps_prior=ppgn.records.describe(redrawn))["eps_prior"] == redrawn
    released = settings("ppgn-x", mode="released")
    assert (released["eps_noise"], released["bounds"]) == (1e-17, (0.0, 30.0))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"step_size": {"is": "sine"}}, r'step_size must be a number or a schedule, as {"is": "linear".*got .*sine'),
        ({"step_size": {"is": "linear", "start": 1.0}}, r"step_size must be a number or a schedule"),
        ({"step_size": {**SCHEDULE, "steps": 0}}, r"steps must be at least 1, got 0"),
        ({"bounds": [0.0, {"percent": 3}]}, r"bounds must be numbers, .*deviations.*got {'percent': 3}"),
        ({"bounds": [0.0, "high"]}, r"bounds must be numbers, .*got 'high'"),
        ({"eps_noise": 1.0}, r"variant dgn-am walks by activation_max, .*not eps_noise; .*: ppgn-x, ppgn-h, joint"),
    ],
)
def test_bad_settings_are_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        settings("dgn-am", **changed)


def test_altered_moments_of_images(tmp_path, monkeypatch):
    import shutil

    from ppgn.pretrained import bundled

    shutil.copytree(catalogue.WEIGHTS / "mnist", tmp_path / "mnist")
    for module in (catalogue, bundled):
        monkeypatch.setattr(module, "WEIGHTS", Path(tmp_path))
    path = tmp_path / "mnist" / "images.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(files.DamagedFileError, match=r"images\.safetensors must have sha256"):
        ppgn.load("mnist", "ppgn-x")
