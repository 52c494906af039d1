from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from targets import linear

import ppgn
from ppgn import files, samplers

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def run(pipeline, n=4, steps=6, seed=1, **options):
    return ppgn.sample(pipeline, n, steps, seed, progress=False, **options)


def test_the_record_of_a_run(sevens):
    samples = run(sevens)
    assert samples.images.shape == (4, 1, 28, 28)
    assert torch.equal(samples.images, sevens.generator(samples.codes))
    assert samples.log_condition.shape == (7, 4)
    assert torch.allclose(samples.log_condition[-1], sevens.condition.log_prob(samples.images))
    assert samples.labels.tolist() == [7] * 4
    assert not samples.exact
    assert samples.record["seed"] == 1
    assert samples.record["weights"]["generator"] == files.fingerprint(sevens.generator)
    assert {"generator", "prior.denoiser", "condition.classifier"} <= set(samples.record["weights"])
    assert {"ppgn", "torch", "python"} <= set(samples.record["versions"])


def test_the_same_seed_gives_the_same_bits_and_another_others(sevens):
    assert torch.equal(run(sevens).images, run(sevens).images)
    assert not torch.equal(run(sevens).images, run(sevens, seed=2).images)


def test_a_chain_is_the_same_alone_and_in_a_batch():
    """The noise bit for bit; the chain to rounding. Float64 and a linear target leave nothing but rounding."""
    problem = linear()
    batch = run(problem.pipeline(2), n=16, steps=60)
    alone = run(problem.pipeline(2), n=1, steps=60)
    assert torch.allclose(batch.codes[0], alone.codes[0], rtol=1e-9)


def test_a_real_chain_is_the_same_alone_and_in_a_batch_to_rounding(sevens):
    batch, alone = run(sevens, n=16, steps=10), run(sevens, n=1, steps=10)
    assert torch.allclose(batch.codes[0], alone.codes[0], atol=5e-3)  # of 4; differences of 1e-6 grow a step


def test_a_walk_does_not_depend_on_micro_batches():
    pipeline = linear().pipeline([0, 1, 2, 3, 4])
    whole = run(pipeline, n=5, steps=40)
    parts = run(replace(pipeline, batch_size=2), n=5, steps=40)
    assert torch.allclose(whole.codes, parts.codes, rtol=1e-9)


def test_saved_and_loaded(sevens, tmp_path):
    samples = run(sevens, thin=2)
    samples.save(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "chain.gif", "grid.png", "report.html", "run.json", "samples.safetensors",
    ]  # fmt: skip
    again = ppgn.Samples.load(tmp_path / "out")
    for name in ("images", "codes", "log_condition", "failed_at", "chain", "frames", "frame_steps", "labels"):
        assert torch.equal(getattr(again, name), getattr(samples, name)), name
    assert samples.chain.shape == (3, 4, 128)
    assert torch.equal(samples.chain[-1], samples.codes)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["sampler"]["name"] == "mala_approx"
    assert record["origin"] == {"model": "mnist", "variant": "ppgn-h"}
    assert record["steps"] == 6
    assert np.asarray(Image.open(tmp_path / "out" / "grid.png")).std() > 0
    with Image.open(tmp_path / "out" / "chain.gif") as walk:
        assert walk.n_frames == 7


@pytest.mark.parametrize("cut", [0, 1, 13, 40])
def test_resumed_is_the_same_bits_as_never_stopped(sevens, tmp_path, cut):
    whole = run(sevens, steps=41, thin=4)
    run(sevens, steps=cut, thin=4).save(tmp_path / "out")
    again = ppgn.Samples.load(tmp_path / "out").resume(sevens, 41 - cut, progress=False)
    assert torch.equal(again.codes, whole.codes)
    assert torch.equal(again.images, whole.images)
    assert torch.equal(again.log_condition, whole.log_condition)
    assert torch.equal(again.chain, whole.chain)
    assert again.steps == 41
    again.save(tmp_path / "again")


def test_resume_refuses_another_run(sevens, digits):
    samples = run(sevens, steps=1)
    eights = digits.given(ppgn.conditions.class_label(digits.classifier, 8))
    with pytest.raises(ValueError, match=r"begun with, but condition\.label: saved 7, now 8;"):
        samples.resume(eights, 1)
    with pytest.raises(ValueError, match=r"sampler\.eps_prior: saved 1\.75, now 0\.5"):
        samples.resume(sevens, 1, sampler=lambda p: samplers.mala_approx(p, 0.5, 1.0, 0.0))
    other = ppgn.load("mnist", variant="noiseless")
    with pytest.raises(ValueError, match=r"weights\.generator: saved '[0-9a-f]{55} \.\.\., now"):
        samples.resume(other.given(sevens.condition), 1)


def test_frames_can_be_left_out(sevens, tmp_path):
    samples = run(sevens, frames=0)
    assert len(samples.frames) == 0
    samples.save(tmp_path / "out")
    assert not (tmp_path / "out" / "chain.gif").exists()


def test_frames_are_bounded(sevens):
    assert 1 < len(run(sevens, n=2, steps=30, frames=5).frames) <= 7


def test_start_may_be_given(sevens):
    h0 = torch.full((4, 128), 0.5)
    samples = run(sevens, start=h0, steps=0)
    assert torch.equal(samples.codes, h0)


def test_without_a_start_codes_are_standard_normal():
    codes = run(replace(linear().pipeline(0)), n=2000, steps=0, frames=0).codes
    assert codes.shape == (2000, 3)
    assert abs(codes.mean().item()) < 4 / 6000**0.5
    assert abs(codes.var().item() - 1) < 4 * (2 / 6000) ** 0.5


def test_a_prior_with_a_density_is_the_start():
    pipeline = replace(linear().pipeline(0), prior=ppgn.priors.gaussian((3,), mean=5.0, std=0.1), latent_shape=None)
    codes = run(pipeline, n=500, steps=0).codes
    assert abs(codes.mean().item() - 5) < 4 * 0.1 / 1500**0.5


@pytest.fixture
def ctrl_c():
    """SIGINT interrupts, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_what_there_is(sevens):
    """A real SIGINT, somewhere in the walk; what comes back is a run of fewer steps, whole and resumable."""
    main = threading.main_thread().ident
    timer = threading.Timer(1.0, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    samples = run(sevens, n=2, steps=100_000, frames=10)
    timer.join()
    assert 0 < samples.steps < 100_000
    assert samples.record["interrupted"]
    assert torch.equal(samples.images, sevens.generator(samples.codes))
    whole = run(sevens, n=2, steps=samples.steps + 3, frames=0)
    assert torch.equal(samples.resume(sevens, 3, progress=False).codes, whole.codes)


def test_frames_stay_bounded_however_often_a_run_is_resumed():
    pipeline = linear().pipeline(0)
    samples = run(pipeline, n=2, steps=0, frames=10)
    for _ in range(6):
        samples = samples.resume(pipeline, 70, progress=False)
    assert len(samples.frames) <= 22
    steps = samples.frame_steps.tolist()
    assert steps == sorted(set(steps))
    assert steps[0] == 0


def test_images_that_are_the_codes_can_be_saved(tmp_path):
    """PPGN-x: the generator is the identity, so codes and images share their memory."""
    pipeline = ppgn.Pipeline(
        lambda h: h, ppgn.priors.dae(lambda h: 0.9 * h, 0.5), linear(dtype=torch.float32).pipeline(1).condition,
        latent_shape=(1, 2, 2), sampler=lambda p: samplers.mala_approx(p, 0.1, 0.1, 0.01),
    )  # fmt: skip
    samples = run(pipeline, n=2, steps=3)
    samples.save(tmp_path / "out")
    assert torch.equal(ppgn.Samples.load(tmp_path / "out").codes, samples.codes)


def test_resume_tells_functions_apart():
    pipeline = linear().pipeline(0)

    def walk(sampler_eps):
        return lambda p: samplers.mala_approx(p, 0.1, 0.2, sampler_eps)

    samples = run(pipeline, n=2, steps=2, sampler=walk(lambda step: 0.05))
    with pytest.raises(ValueError, match=r"begun with, but sampler\.eps_noise\.code: saved"):
        samples.resume(pipeline, 2, sampler=walk(lambda step: 5.0), progress=False)
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        samples.resume(pipeline, -1, sampler=walk(lambda step: 0.05), progress=False)


def test_a_plain_function_follows_the_start():
    pipeline = ppgn.Pipeline(
        lambda h: h.view(-1, 1, 2, 2), ppgn.priors.gaussian((4,)), linear().pipeline(0).condition,
        sampler=lambda p: samplers.ula(p, 0.01),
    )  # fmt: skip
    assert run(pipeline, n=2, steps=2, start=torch.zeros(2, 4, dtype=torch.float64)).codes.dtype == torch.float64


def test_a_gaussian_that_has_been_used_is_still_the_same_prior():
    """What a prior keeps to be fast is not part of what it is."""
    pipeline = replace(linear().pipeline(0), prior=ppgn.priors.gaussian((3,)))
    samples = run(pipeline, n=2, steps=2)
    fresh = replace(pipeline, prior=ppgn.priors.gaussian((3,)))
    whole = run(fresh, n=2, steps=4)
    assert torch.equal(samples.resume(fresh, 2, progress=False).codes, whole.codes)
