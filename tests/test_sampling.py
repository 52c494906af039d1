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
from ppgn.types import Terms

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
    assert torch.allclose(batch.codes[0], alone.codes[0], atol=1e-3)


def test_a_walk_does_not_depend_on_micro_batches():
    pipeline = linear().pipeline([0, 1, 2, 3, 4])
    whole = run(pipeline, n=5, steps=40)
    parts = run(replace(pipeline, batch_size=2), n=5, steps=40)
    assert torch.allclose(whole.codes, parts.codes, rtol=1e-9)


def test_saved_and_loaded(sevens, tmp_path):
    samples = run(sevens, thin=2)
    samples.save(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "chain.gif", "grid.png", "run.json", "samples.safetensors",
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
    with pytest.raises(ValueError, match=r"begun with, but condition: saved .*7.* now .*8"):
        samples.resume(eights, 1)
    with pytest.raises(ValueError, match=r"sampler: saved .* now .*'eps_prior': 0\.5"):
        samples.resume(sevens, 1, sampler=lambda p: samplers.mala_approx(p, 0.5, 1.0, 0.0))
    other = ppgn.load("mnist", variant="noiseless")
    with pytest.raises(ValueError, match="weights: saved"):
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


def failing(problem, at):
    """A pipeline whose condition turns to NaN for chain 1 once it has been asked `at` times."""
    pipeline = problem.pipeline(0)
    calls = []

    def target(h):
        calls.append(1)
        terms = pipeline(h)
        bad = torch.zeros_like(terms.condition)
        bad[1] = torch.nan if len(calls) > at else 0
        return Terms(terms.image, terms.prior, terms.condition + bad, terms.log_condition)

    return pipeline, target


def test_nan_names_step_and_chain_and_keeps_the_others():
    problem = linear()
    pipeline, target = failing(problem, at=5)
    sampler = replace(samplers.mala_approx(target, 0.1, 0.2, 0.05), target=pipeline)
    with pytest.raises(ppgn.ChainError, match=r"chain 1 at step 5; .* the other 2 chains are whole") as caught:
        run(pipeline, n=3, steps=20, sampler=sampler)
    well = run(pipeline, n=3, steps=20)
    samples = caught.value.samples
    assert torch.equal(samples.codes[[0, 2]], well.codes[[0, 2]])
    assert torch.isfinite(samples.codes).all()
    assert samples.failed_at.tolist() == [-1, 5, -1]


def test_chain_errors_can_be_saved(tmp_path):
    pipeline, target = failing(linear(), at=2)
    sampler = replace(samplers.mala_approx(target, 0.1, 0.2, 0.05), target=pipeline)
    with pytest.raises(ppgn.ChainError) as caught:
        run(pipeline, n=3, steps=4, sampler=sampler)
    caught.value.samples.save(tmp_path / "out")
    assert ppgn.Samples.load(tmp_path / "out").failed_at.tolist() == [-1, 2, -1]


@pytest.mark.parametrize("which", ["samples.safetensors", "run.json"])
def test_a_cut_run_is_named(sevens, tmp_path, which):
    run(sevens, steps=1).save(tmp_path / "out")
    path = tmp_path / "out" / which
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(files.DamagedFileError, match=which):
        ppgn.Samples.load(tmp_path / "out")


def test_no_run_in_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a saved run has a run\.json, but there is none in"):
        ppgn.Samples.load(tmp_path)


def test_an_existing_folder_is_not_overwritten(sevens, tmp_path):
    samples = run(sevens, steps=1)
    samples.save(tmp_path / "out")
    with pytest.raises(FileExistsError, match="has files in it"):
        samples.save(tmp_path / "out")
    samples.save(tmp_path / "out", overwrite=True)


def test_a_sampler_of_another_pipeline(sevens, digits):
    with pytest.raises(ValueError, match="must walk the pipeline that is sampled"):
        run(digits, sampler=sevens.sampler(sevens))


def test_bad_input(sevens):
    with pytest.raises(ValueError, match="n=0, thin=None, steps=6"):
        run(sevens, n=0)
    with pytest.raises(ValueError, match="steps=-1"):
        run(sevens, steps=-1)
    with pytest.raises(ValueError, match=r"start must have shape \(4, 128\), got \(4, 64\); one code per chain"):
        run(sevens, start=torch.zeros(4, 64))
    with pytest.raises(ValueError, match="sampler must be given"):
        run(replace(sevens, sampler=None))
    with pytest.raises(ValueError, match="start must be given, or the pipeline needs a latent_shape"):
        run(replace(sevens, start=None, latent_shape=None))
    with pytest.raises(ValueError, match="one code per chain, n = 4, got 2"):
        run(replace(sevens, latent_shape=None), start=torch.zeros(2, 128))
    with pytest.raises(ValueError, match=r"code must be finite at the start \(step 0\), but is not in chains \[2\]"):
        run(sevens, start=torch.zeros(4, 128).index_fill(0, torch.tensor([2]), torch.nan))
    with pytest.raises(ValueError, match="10 classes, got 11"):
        run(sevens.given(ppgn.conditions.class_label(sevens.classifier, 11)))


def test_nan_at_the_very_last_step_is_seen():
    pipeline, target = failing(linear(), at=5)
    sampler = replace(samplers.mala_approx(target, 0.1, 0.2, 0.05), target=pipeline)
    with pytest.raises(ppgn.ChainError, match="chain 1 at step 5"):
        run(pipeline, n=3, steps=5, sampler=sampler)


def test_sound_chains_of_a_failed_run_go_on():
    """The network recovers; chain 1 stays stopped and is still named, the others end where they would have."""
    pipeline, target = failing(linear(), at=5)
    sampler = replace(samplers.mala_approx(target, 0.1, 0.2, 0.05), target=pipeline)
    with pytest.raises(ppgn.ChainError) as caught:
        run(pipeline, n=3, steps=8, sampler=sampler, thin=2)
    first = caught.value.samples
    with pytest.raises(ppgn.ChainError, match="chain 1 at step 5") as caught:
        first.resume(pipeline, 4, progress=False)
    whole, joined = run(pipeline, n=3, steps=12, thin=2), caught.value.samples
    assert torch.equal(joined.codes[[0, 2]], whole.codes[[0, 2]])
    assert (
        joined.log_condition.shape == whole.log_condition.shape
    )  # both stretches, though the error came in the second
    assert joined.chain.shape == whole.chain.shape
    assert joined.steps == 12


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


def test_networks_put_in_train_mode_later_are_noticed(sevens):
    sevens.prior.denoiser.train()
    with pytest.raises(ValueError, match=r"prior\.denoiser must be in eval mode"):
        run(sevens)


def test_resume_tells_functions_apart():
    pipeline = linear().pipeline(0)

    def walk(sampler_eps):
        return lambda p: samplers.mala_approx(p, 0.1, 0.2, sampler_eps)

    samples = run(pipeline, n=2, steps=2, sampler=walk(lambda step: 0.05))
    with pytest.raises(ValueError, match="begun with, but sampler"):
        samples.resume(pipeline, 2, sampler=walk(lambda step: 5.0), progress=False)
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        samples.resume(pipeline, -1, sampler=walk(lambda step: 0.05), progress=False)


@pytest.mark.usefixtures("sevens")
def test_the_working_directory_is_never_an_output(tmp_path, monkeypatch, sevens):
    (tmp_path / "home" / "work").mkdir(parents=True)
    (tmp_path / "home" / "thesis.txt").write_text("x")
    monkeypatch.chdir(tmp_path / "home" / "work")
    samples = run(sevens, n=1, steps=1)
    for place in (".", "..", str(tmp_path)):
        with pytest.raises(ValueError, match="must be a folder of its own"):
            samples.save(place, overwrite=True)
    (tmp_path / "home" / "mine").mkdir()
    (tmp_path / "home" / "mine" / "letter.txt").write_text("x")
    with pytest.raises(FileExistsError, match=r"only an earlier result, with a run\.json, is overwritten"):
        samples.save(tmp_path / "home" / "mine", overwrite=True)
    assert (tmp_path / "home" / "thesis.txt").exists()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    samples.save(tmp_path / "link")
    assert (tmp_path / "real" / "grid.png").exists()


def test_labels_are_counted_before_any_work(sevens):
    five = ppgn.conditions.class_label(sevens.classifier, [1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="one number or one per chain: n = 3, got 5 labels"):
        run(replace(sevens.given(five), batch_size=2), n=3)


def test_networks_that_cannot_be_differentiated(sevens):
    blind = ppgn.Pipeline(
        torch.no_grad()(sevens.generator.forward), sevens.prior, sevens.condition, latent_shape=(128,)
    )
    with pytest.raises(ValueError, match="generator and condition must be differentiable"):
        run(blind, sampler=lambda p: samplers.mala_approx(p, 0.1, 0.1, 0.0))


def test_a_plain_function_follows_the_start():
    pipeline = ppgn.Pipeline(
        lambda h: h.view(-1, 1, 2, 2), ppgn.priors.gaussian((4,)), linear().pipeline(0).condition,
        sampler=lambda p: samplers.ula(p, 0.01),
    )  # fmt: skip
    assert run(pipeline, n=2, steps=2, start=torch.zeros(2, 4, dtype=torch.float64)).codes.dtype == torch.float64
