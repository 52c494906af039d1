"""Runs: what is written, and that a killed one ends where it would have ended."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ppgn import data, files, models, training
from ppgn.random import per_step
from ppgn.training import checkpoint, reporting


def trainer(seed=0, code=8):
    network = models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=code), seed)
    return training.classifier_trainer(network, learning_rate=1e-3)


def run(out: Path, images, steps=12, seed=0, **options):
    settings = {"checkpoint_every": 5, "progress": False, "config": {"seed": seed}, **options}
    made = settings.pop("trainer", None) or trainer(seed)
    return training.run(made, lambda k: data.batches(images, 32, seed, k), steps=steps, seed=seed, out=out, **settings)


def test_a_run_writes_its_result_and_checkpoint(tmp_path, small_images):
    metrics = run(tmp_path / "a", small_images, tensorboard=True, log_every=3)
    assert set(metrics) == {"loss", "accuracy"}
    assert models.load(tmp_path / "a" / "model.safetensors")(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    header = files.read_tensors(tmp_path / "a" / "model.safetensors")[1]
    assert header["trained"] == {"steps": 12, "seed": 0}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "a" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [3, 6, 9, 12]


def _joint(images):
    encoder = models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=8), 0).eval().requires_grad_(False)
    generator = models.build(lambda: models.UpconvGenerator(8, (1, 8, 8), (8, 4)), 1)
    discriminator = models.build(lambda: models.ConditionalDiscriminator(8, (1, 8, 8), width=4), 2)
    made = training.joint_trainer(
        generator,
        discriminator,
        encoder,
        images=data.to_float(images.images[:100]),
        noise=training.Noise(0.3, 0.3, 0.3),
    )
    return made, lambda k: data.batches(images, 16, 0, k, flip=True)


def _maps(images):
    sets = [data.to_float(images.images[i : i + 100]).expand(-1, 3, -1, -1) * torch.tensor(SCALES) for i in (0, 100)]
    network = models.build(lambda: models.ConvLadderDenoiser(3, (8, 8), blocks=1, embedding=8), 0)
    places = sets[0].movedim(1, -1).flatten(0, -2)
    made = training.ladder_trainer(network, codes=places, sigma_min=0.1, sigma_max=5.0)
    return made, lambda k: data.code_batches(sets, 16, 0, k, crop=5)


SCALES = [[[1.0]], [[2.0]], [[3.0]]]
FAMILIES = {
    "classifier": lambda images: (trainer(), lambda k: data.batches(images, 32, 0, k)),
    "joint": _joint,
    "latent maps": _maps,
}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_resumed_in_the_same_process(family, precision, tmp_path, small_images):
    def train(name, after=None, **options):
        made, stream = FAMILIES[family](small_images)
        made = made if after is None else _cut(made, after)
        settings = {"steps": 12, "seed": 0, "config": {}, "checkpoint_every": 5, "progress": False, **options}
        return training.run(made, stream, out=tmp_path / name, precision=precision, **settings)

    whole = train("whole")
    with pytest.raises(RuntimeError, match="pulled"):
        train("cut", after=8)
    assert _step(tmp_path / "cut") == 5
    assert train("cut", resume=True) == whole
    assert _same(tmp_path / "whole", tmp_path / "cut")
    assert _same(tmp_path / "whole", tmp_path / "cut", "checkpoint")


def _cut(whole, after):
    """The same trainer, whose plug is pulled in the middle of a step, after it changed its weights."""
    calls = []

    def update(batch, rng):
        metrics = whole.update(batch, rng)
        calls.append(1)
        if len(calls) > after:
            raise RuntimeError("plug pulled")
        return metrics

    return replace(whole, update=update)


def _same(a: Path, b: Path, name: str = "model") -> bool:
    return files.sha256(a / f"{name}.safetensors") == files.sha256(b / f"{name}.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["classifier", "joint", "dae"])
def test_killed_with_sigkill_at_any_step_it_ends_in_the_same_bits(family, tmp_path, small_digits):
    encoder = tmp_path / "encoder.safetensors"
    models.save(models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=16), 0), encoder)
    steps = {"classifier": 1200, "joint": 500, "dae": 700}[family]
    base = [sys.executable, "-m", "ppgn", "train", family, "--data", small_digits, "--steps", str(steps),
            "--batch-size", "32", "--checkpoint-every", "7", "--device", "cpu", "--no-progress"]  # fmt: skip
    base += [] if family == "classifier" else ["--encoder", str(encoder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = subprocess.Popen([*base, "--out", str(tmp_path / "whole")], env=environment, stdout=subprocess.PIPE)
    chance, kills = random.Random(family), []
    for _ in range(3):
        process = subprocess.Popen([*base, "--out", str(tmp_path / "cut"), "--resume"], env=environment)
        before = _step(tmp_path / "cut")
        while process.poll() is None and _step(tmp_path / "cut") == before:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills.append(_step(tmp_path / "cut"))
    assert kills == sorted(kills)
    assert 0 < kills[0] < steps, kills
    subprocess.run([*base, "--out", str(tmp_path / "cut"), "--resume"], env=environment, check=True)
    whole.communicate()
    assert whole.returncode == 0
    assert _same(tmp_path / "whole", tmp_path / "cut")


def _step(out: Path) -> int:
    path = out / "checkpoint.safetensors"
    return files.read_tensors(path)[1]["step"] if path.exists() else 0


def test_losses_that_become_nan_are_named_and_the_checkpoint_stays(tmp_path, small_images):
    whole = trainer()

    def update(batch, rng):
        metrics = dict(whole.update(batch, rng))
        if int(whole.optimizers["network"].state_dict()["state"][0]["step"]) == 7:
            metrics["loss"] = metrics["loss"] * torch.nan
        return metrics

    broken = replace(whole, update=update)
    kept = tmp_path / "a" / "checkpoint.safetensors"
    message = f"losses must stay finite: loss at step 7; the last good checkpoint is {kept}, of step 5"
    with pytest.raises(FloatingPointError, match=message):
        run(tmp_path / "a", small_images, trainer=broken, log_every=1)
    assert _step(tmp_path / "a") == 5
    assert not (tmp_path / "a" / "model.safetensors").exists()


def test_a_folder_with_a_run_is_not_overwritten(tmp_path, small_images):
    run(tmp_path / "a", small_images, steps=1)
    with pytest.raises(FileExistsError, match="must be new or empty"):
        run(tmp_path / "a", small_images, steps=1)


def test_a_checkpoint_of_other_arguments_or_networks(tmp_path, small_images):
    run(tmp_path / "a", small_images, steps=1)
    with pytest.raises(ValueError, match=r"same arguments to be resumed \(seed: saved 0, now 5\)"):
        run(tmp_path / "a", small_images, resume=True, config={"seed": 5})
    others = (
        r"same networks; of network differ upper\.1\.weight \(saved \(8, 32\), needed \(9, 32\)\), "
        r"upper\.1\.bias \(saved \(8,\), needed \(9,\)\), "
        r"head\.0\.weight \(saved \(8, 8\), needed \(9, 9\)\) and 2 more$"
    )
    with pytest.raises(ValueError, match=others):
        run(tmp_path / "a", small_images, resume=True, trainer=trainer(code=9))


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    made = trainer()
    checkpoint.save(tmp_path / "c", made, 3, {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path / "c", made, 4, {})
    assert files.read_tensors(tmp_path / "c")[1]["step"] == 3
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_killed_while_writing_its_first_checkpoint(tmp_path, small_images):
    out = tmp_path / "a"
    out.mkdir()
    (out / ".checkpoint.safetensors.x1y2").write_bytes(b"half a file")
    run(out, small_images, steps=3, resume=True)
    run(tmp_path / "b", small_images, steps=3)
    assert _same(out, tmp_path / "b")
    assert sorted(p.name for p in out.iterdir()) == ["checkpoint.safetensors", "model.safetensors"]


def test_a_disk_that_is_really_full(tmp_path):
    """No file may grow beyond 4 kB: the write fails as on a full disk, in the system and not in a stand-in."""
    path, limits = tmp_path / "c", resource.getrlimit(resource.RLIMIT_FSIZE)
    files.write_bytes(path, b"old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(
            OSError, match=r"c could not be written: File too large; the file that was there .* is whole"
        ):
            files.write_bytes(path, bytes(100_000))
        with pytest.raises(OSError, match="could not be written: File too large; nothing is left of it"):
            files.write_bytes(tmp_path / "new", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_the_run_clips_every_optimizer():
    """Gradients are shortened before the step, for as long as `fit` runs; the trainer's own bound gives way."""

    def gradients(clip, own=None):
        network = models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=8), 0)
        made = replace(training.classifier_trainer(network, shift=0), clip=own)
        batch = data.Batch(torch.ones(4, 1, 8, 8), torch.arange(4))
        next(training.fit(made, [batch], per_step(0), clip=clip))
        return torch.cat([p.grad.flatten() for p in network.parameters()])

    whole = gradients(None)
    assert whole.norm() > 0.1
    assert torch.allclose(gradients(0.01), 0.01 * whole / whole.norm(), rtol=1e-4, atol=1e-9)
    assert torch.equal(gradients(None, own=0.01), gradients(0.01))
    assert torch.equal(gradients(0.02, own=0.01), gradients(0.02))
    assert torch.equal(gradients(100.0), whole)
    with pytest.raises(ValueError, match="clip must be positive, got 0"):
        gradients(0)


def test_hooks_are_gone_when_fit_ends():
    made, calls = trainer(), []
    batch = data.Batch(torch.zeros(2, 1, 8, 8), torch.arange(2))
    stream = training.fit(replace(made, update=lambda *_: calls.append(1) or {}), [batch] * 2, per_step(0), clip=1.0)
    next(stream)
    assert len(made.optimizers["network"]._optimizer_step_pre_hooks) == 1
    stream.close()
    assert len(made.optimizers["network"]._optimizer_step_pre_hooks) == 0


def test_images_without_labels_are_refused_by_what_needs_them(tmp_path, small_images):
    unlabelled = replace(small_images, labelled=False)
    with pytest.raises(ValueError, match="a classifier needs labels, but the images have none"):
        run(tmp_path / "a", unlabelled)
    conditional = models.build(lambda: models.RowLSTM((1, 8, 8), width=4, classes=10), 0)
    with pytest.raises(ValueError, match="a network with classes needs labels, but the images have none"):
        run(tmp_path / "b", unlabelled, trainer=training.autoregressive_trainer(conditional))
    plain = models.build(lambda: models.RowLSTM((1, 8, 8), width=4), 0)
    run(tmp_path / "c", unlabelled, trainer=training.autoregressive_trainer(plain), steps=1)


def test_a_batch_larger_than_the_set_writes_nothing(tmp_path, small_images):
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 20\] for a set of 20, got 32"):
        run(tmp_path / "a", small_images.part(":20"))
    assert not (tmp_path / "a").exists()


def test_the_bar_counts_images(tmp_path, small_images, monkeypatch):
    bars = []
    whole = reporting.tqdm
    monkeypatch.setattr(reporting, "tqdm", lambda **given: bars.append((given, whole(**given))) or bars[-1][1])
    run(tmp_path / "a", small_images, steps=3, batch_size=32)
    run(tmp_path / "b", small_images, steps=3)
    assert [(given["total"], given["unit"]) for given, _ in bars] == [(96, "image"), (3, "step")]
