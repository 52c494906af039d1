"""What sampling refuses, and what it saves when a network fails half-way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from targets import linear

import ppgn
from ppgn import files, samplers
from ppgn.types import Terms

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def run(pipeline, n=4, steps=6, seed=1, **options):
    return ppgn.sample(pipeline, n, steps, seed, progress=False, **options)


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
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        run(sevens, n=0)
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        run(sevens, steps=-1)
    with pytest.raises(ValueError, match=r"start must have shape \(4, 128\), got \(4, 64\); one code per chain"):
        run(sevens, start=torch.zeros(4, 64))
    with pytest.raises(ValueError, match="sampler must be given: this pipeline recommends none; try sampler='auto'"):
        run(replace(sevens, sampler=None))
    # a function does not tell the shape of its codes, as the bundle's generator does
    unshaped = replace(sevens, generator=lambda h: sevens.generator(h), latent_shape=None)
    with pytest.raises(ValueError, match="start must be given, or the pipeline needs a latent_shape"):
        run(replace(unshaped, start=None))
    with pytest.raises(ValueError, match="one code per chain, n = 4, got 2"):
        run(unshaped, start=torch.zeros(2, 128))
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


def test_networks_put_in_train_mode_later_are_noticed(sevens):
    sevens.prior.denoiser.train()
    with pytest.raises(ValueError, match=r"prior\.denoiser must be in eval mode"):
        run(sevens)


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
