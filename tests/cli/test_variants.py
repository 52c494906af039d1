"""`ppgn sample --variant dgn-am`, and ppgn-x: schedules fit the steps asked for, and runs go on to the same bits."""

from __future__ import annotations

import json

import pytest
import torch

import ppgn


@pytest.fixture
def sample(call):
    return lambda out, *arguments: call("sample", "--out", out, "--device", "cpu", *arguments)


@pytest.mark.parametrize("settings", [["dgn-am", "--step-size", 2.0], ["ppgn-x", "--eps-noise", 0.1]])
def test_resume_goes_on_to_the_same_bits(sample, tmp_path, settings):
    common = ["--variant", *settings, "--label", 7, "--n", 2]
    sample(tmp_path / "whole", *common, "--steps", 5)
    sample(tmp_path / "cut", *common, "--steps", 3)
    assert sample(tmp_path / "more", "--resume", tmp_path / "cut", "--steps", 2)[0] == 0
    whole, more = (ppgn.Samples.load(tmp_path / name) for name in ("whole", "more"))
    assert torch.equal(whole.codes, more.codes)
    assert torch.equal(whole.log_condition, more.log_condition)


@pytest.mark.parametrize(("variant", "objective"), [("dgn-am", "logit"), ("ppgn-x", "log_prob")])
def test_schedules_and_bounds_come_back_from_the_record(sample, tmp_path, variant, objective):
    """A run from Python, whose schedule is as long as the bundle has it."""
    pipeline = ppgn.load("mnist", variant)
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 7, objective=objective))
    ppgn.sample(asked, n=2, steps=3, seed=0, progress=False).save(tmp_path / "a")
    assert sample(tmp_path / "b", "--resume", tmp_path / "a", "--steps", 2)[0] == 0
    whole = ppgn.sample(asked, n=2, steps=5, seed=0, progress=False)
    assert torch.equal(ppgn.Samples.load(tmp_path / "b").codes, whole.codes)


def test_schedules_end_within_the_steps(sample, tmp_path):
    for steps, expected in ((4, 4), (201, 200)):
        out = tmp_path / str(steps)
        assert sample(out, "--variant", "dgn-am", "--label", 7, "--n", 1, "--steps", steps)[0] == 0
        walk = json.loads((out / "run.json").read_text())["sampler"]
        assert walk["step_size"] == {"is": "linear", "start": 4.0, "end": 1e-10, "steps": expected}


def test_another_mode_brings_its_own_numbers(sample, tmp_path):
    assert sample(tmp_path / "a", "--variant", "ppgn-x", "--mode", "released", "--n", 1, "--steps", 2)[0] == 0
    assert json.loads((tmp_path / "a" / "run.json").read_text())["sampler"]["eps_noise"] == 1e-17


def test_a_function_for_a_schedule_is_not_resumed_from_here(sample, tmp_path):
    pipeline = ppgn.load("mnist", "dgn-am")
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 7))
    walk = ppgn.samplers.activation_max(asked, lambda step: 1.0)
    ppgn.sample(asked, n=1, steps=1, seed=0, sampler=walk, progress=False).save(tmp_path / "a")
    err = sample(tmp_path / "b", "--resume", tmp_path / "a", "--steps", 1)[2]
    assert "step_size must be a number or a schedule" in err
