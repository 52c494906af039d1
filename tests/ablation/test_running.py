from __future__ import annotations

import json
import math

import pytest
import torch
from targets import linear

import ppgn
from ppgn import ablation, data, evaluation, models, pretrained
from ppgn.ablation import of_axes, run
from ppgn.ablation.parts import Given, built

AXES = {"variant": ["ppgn-h"], "eps_noise": [0, 1.87]}


def small(axes=AXES, **numbers):
    return of_axes(axes, **{"n": 1, "steps": 2, "seeds": 1, **numbers})


def untimed(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder, rows) of two settings, two seeds, seven chains a digit."""
    out = tmp_path_factory.mktemp("ablation") / "out"
    return out, run(small(n=7, seeds=2), out, progress=False)


def test_a_row_is_what_sample_and_the_judge_give(done):
    _, rows = done
    assert len(rows) == 4
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    row = next(row for row in rows if row["settings"]["eps_noise"] == 1.87 and row["seed"] == 1)
    labels = torch.arange(10).repeat_interleave(7)
    pipeline = ppgn.load("mnist", "ppgn-h", batch_size=100)
    samples = ppgn.sample(
        pipeline.given(ppgn.conditions.class_label(pipeline.classifier, labels)), 70, 2, 1, progress=False, frames=0
    )
    judge = pretrained.network("mnist", "judge")
    features = evaluation.features(judge, samples.images)
    figures = row["figures"]
    assert figures["judge"] == pytest.approx(evaluation.agreement(judge, samples.images, labels))
    assert figures["log_p"] == pytest.approx(float(samples.log_condition[-1].mean()), abs=1e-5)
    assert figures["guide"] == pytest.approx(
        float((pipeline.classifier(samples.images).argmax(1) == labels).double().mean())
    )
    assert figures["spread"] == pytest.approx(evaluation.spread(features, labels) / 4.0277, rel=1e-4)
    assert figures["distance"] > 1
    assert (figures["r_hat"], row["reasons"]["r_hat"]) == (
        None,
        "the second half of the walk must have 20 draws, it has 1",
    )
    assert (row["error"], row["exact"], row["sampler"]) == (None, False, "mala_approx")
    assert row["versions"]["ppgn"] == ppgn.__version__


def test_what_is_written(done):
    out, rows = done
    assert [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()] == rows
    assert ablation.read_rows(out) == rows
    for row in rows:
        assert set(row["networks"]) >= {"generator", "prior.denoiser", "classifier"}
        assert row["device"].startswith("cpu, ")
    table = (out / "table.md").read_text()
    assert table.splitlines()[0].startswith("| eps_noise | runs | judge | distance | spread | guide | log_p |")
    assert "| *real images* | 1 |" in table
    assert "distances at another n are not comparable" in table


def test_finished_cells_are_not_redone(done):
    out, rows = done
    written = {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    assert run(small(n=7, seeds=2), out, progress=False) == rows
    assert {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()} == written


def test_another_design_is_refused_with_the_difference(done):
    out, _ = done
    with pytest.raises(ValueError, match=r"another design.*design\.n: saved 7, now 8"):
        run(small(n=8, seeds=2), out, progress=False)


def test_joined_shards_equal_one_run(done, tmp_path):
    _, rows = done
    design = small(n=7, seeds=2)
    for i in (1, 2):
        assert len(run(design, tmp_path / f"{i}", shard=(i, 2), progress=False)) == 2
    assert untimed(ablation.read_rows(tmp_path / "1", tmp_path / "2")) == untimed(rows)
    run(design, tmp_path / "same", shard=(2, 2), progress=False)
    assert untimed(run(design, tmp_path / "same", shard=(1, 2), progress=False)) == untimed(rows)


def test_folders_of_different_designs_are_not_joined(done, tmp_path):
    out, _ = done
    run(small(labels=[3]), tmp_path / "other", progress=False)
    with pytest.raises(ValueError, match=r"of one design, but of .* design\.labels: saved \[\], now \[3\]"):
        ablation.read_rows(out, tmp_path / "other")
    with pytest.raises(FileNotFoundError, match=r"must be a folder of results, with a design\.json"):
        ablation.read_rows(tmp_path)


def test_a_cell_that_fails_says_why_and_the_others_go_on(tmp_path):
    design = small({"variant": ["ppgn-h"], "eps_prior": [1e38, 1.75]}, labels=[7])
    rows = {row["settings"]["eps_prior"]: row for row in run(design, tmp_path / "out", progress=False)}
    assert rows[1.75]["error"] is None
    assert rows[1e38]["error"].startswith("ChainError: codes and gradients must stay finite")
    assert rows[1e38]["figures"] == {}
    table = (tmp_path / "out" / "table.md").read_text()
    assert "1, 1 failed" in table
    assert f"- failed, {rows[1e38]['id']}: ChainError" in table


def test_failed_cells_are_walked_anew_if_asked(tmp_path):
    calls = []

    def measure(samples, cell):
        calls.append(cell.seed)
        if len(calls) == 1:
            raise RuntimeError("the disk is full")
        return {"figure": float(cell.seed), "other": "no such thing", "third": math.nan}

    design = small({"variant": ["ppgn-h"]}, seeds=2, labels=[7])
    arguments = {"measure": measure, "progress": False}
    assert sorted(str(row["error"]) for row in run(design, tmp_path, **arguments)) == [
        "None",
        "RuntimeError: the disk is full",
    ]
    assert len(run(design, tmp_path, **arguments)) == len(calls) == 2
    rows = run(design, tmp_path, **arguments, retry=True)
    assert calls == [0, 1, 0]
    assert sorted(row["figures"]["figure"] for row in rows) == [0.0, 1.0]
    assert rows[0]["reasons"]["other"] == "no such thing"
    assert rows[0]["reasons"]["third"] == "it is nan"


def test_ctrl_c_keeps_what_there_is(tmp_path):
    def measure(samples, cell):
        if cell.seed == 1:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        run(small({"variant": ["ppgn-h"]}, seeds=3, labels=[7]), tmp_path, measure=measure, progress=False)
    assert [json.loads(line)["seed"] for line in (tmp_path / "results.jsonl").read_text().splitlines()] == [0]


def test_pipelines_and_networks_of_anybody(tmp_path):
    case = linear(dtype=torch.float32)
    mine, other = case.pipeline(0), linear(1, torch.float32).pipeline(0).classifier
    design = of_axes(
        {"model": ["mine"], "classifier": ["own", "other"], "mode": ["calibrated"], "step_size": [0.01],
         "gamma": [1, 2]}, n=3, steps=50, seeds=2,
    )  # fmt: skip
    rows = run(design, tmp_path / "out", parts={"mine": mine, "other": other}, progress=False)
    assert len(rows) == 8
    assert {row["sampler"] for row in rows} == {"ula"}
    assert {row["reasons"]["judge"] for row in rows} == {"no judge: the model's bundle has none, and none was given"}
    assert all(row["figures"]["r_hat"] > 0.9 and row["figures"]["ess"] > 1 for row in rows)
    free = {"model": ["mine"], "eps_prior": [0.1], "eps_condition": [0.2], "eps_noise": [0.0, 0.05]}
    rows = run(small(free), tmp_path / "free", parts={"mine": mine}, progress=False)
    assert {row["sampler"] for row in rows} == {"mala_approx"}
    assert all(row["error"] is None for row in rows)


def test_real_images_are_starts_and_floors(tmp_path):
    labels = torch.arange(10).repeat(3)
    made = torch.randint(0, 256, (30, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = data.ImageSet(made, labels)
    axes = {"variant": ["ppgn-h", "annealed"], "start": ["own", "normal", "real"], "steps": [0]}
    planned = ablation.plan(small(axes), data=(images, images))
    rows = run(small(axes), tmp_path, data=(images, images), progress=False)
    assert len(planned.cells) == len(rows) == 6
    assert len({row["figures"]["log_p"] for row in rows}) >= 5
    real = next(row for row in rows if row["settings"]["start"] == "real" and row["settings"]["variant"] == "ppgn-h")
    pipeline = ppgn.load("mnist", "ppgn-h")
    x = pipeline.generator(pipeline.encode(data.to_float(made[:10])))
    wanted = pipeline.classifier(x).log_softmax(1).diagonal().mean()
    assert real["figures"]["log_p"] == pytest.approx(float(wanted), abs=1e-4)
    assert "1 training images a class against 30 test images" in (tmp_path / "table.md").read_text()


def test_denoisers_and_samplers_by_name(tmp_path):
    axes = {"variant": ["ppgn-h"], "denoiser": ["own", "dae@0.5", "ladder@0.5"]}
    cells = ablation.plan(small(axes)).cells
    assert len({cell.id for cell in cells}) == 3
    design = small({"model": ["mnist-vae"], "sampler": ["own", "rejection", "mala"]}, labels=[7], steps=4)
    rows = run(design, tmp_path, progress=False)
    assert {row["settings"]["sampler"]: row["sampler"] for row in rows}["mala"] == "mala"
    assert all(row["error"] is None for row in rows)


def test_a_denoiser_of_a_file_brings_its_noise(tmp_path):
    path = tmp_path / "model.safetensors"
    models.save(pretrained.network("mnist", "dae"), path, {"trained": {"sigma": 0.7}})
    base = {"model": "mnist", "variant": "ppgn-h", "steps": 2}
    assert built(base, Given()).prior.sigma == 1.87
    assert built({**base, "denoiser": str(path)}, Given()).prior.sigma == 0.7
    assert built({**base, "denoiser": f"{path}@0.5"}, Given()).prior.sigma == 0.5


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"model": ["mnits"]}, "model=mnits steps=2: model must be one of"),
        ({"variant": ["jiont"]}, "variant of mnist must be one of"),
        ({"variant": ["annealed"], "eps_noise": [1]}, "variant annealed walks by annealed, which takes"),
        ({"mode": ["calibrated"], "gamma": [1]}, "ties the three epsilons to one step_size.*got mode, gamma"),
        ({"mode": ["calibrated"], "step_size": [1], "eps_noise": [1]}, "no epsilons; got mode, eps_noise, step_size"),
        ({"sampler": ["mala"], "gamma": [1]}, "sampler mala walks with numbers of its own; leave out gamma"),
        ({"sampler": ["mala"], "variant": ["joint"]}, "variant=joint: mala needs a prior"),
        ({"generator": ["generater"]}, "mnist has the networks .*, got 'generater'"),
        ({"generator": ["nowhere/model.safetensors"]}, "there is no file nowhere/model.safetensors"),
        ({"variant": ["joint"], "denoiser": ["dae"]}, "denoiser needs a denoising autoencoder.*not Joint"),
        ({"variant": ["ppgn-h"], "denoiser": ["dae@x"]}, "denoiser must be NAME or NAME@SIGMA.*got 'dae@x'"),
        ({"classifier": ["judge"]}, "classifier must be another network than the judge"),
        ({"start": ["real"]}, "start = real needs images to begin at"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_told_before_any_work(tmp_path, axes, message):
    with pytest.raises(ValueError, match=message):
        run(small(axes), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_other_errors(tmp_path):
    case = linear(dtype=torch.float32).pipeline(0)
    grey = data.ImageSet(torch.zeros(10, 1, 8, 8, dtype=torch.uint8), torch.arange(10))
    for arguments, message in [
        ({"design": small(labels=[10])}, "labels must be of 0..9, the model has 10 classes, got 10"),
        ({"design": small(), "shard": (3, 2)}, "a shard must be i/n, with i from 1 to n, got 3/2"),
        ({"design": small(), "data": (grey, grey)}, "images must be as the model makes them"),
        ({"design": small({"model": ["mine"], "variant": ["a"]}), "parts": {"mine": case}}, "variants are of bundled"),
        ({"design": small({"model": ["mine"], "gamma": [1]}), "parts": {"mine": case}}, "it needs all three epsilons"),
    ]:
        with pytest.raises(ValueError, match=message):
            run(**arguments, out=tmp_path / "out", progress=False)
    with pytest.raises(TypeError, match="judge must show the features it decides by"):
        run(small(), tmp_path / "out", judge=torch.nn.Linear(2, 2), progress=False)
    (tmp_path / "mine.txt").write_text("a")
    with pytest.raises(FileExistsError, match="has files in it"):
        run(small(), tmp_path, progress=False)
