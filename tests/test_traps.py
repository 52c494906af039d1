"""Ways to be misled, each closed: what is asked for is done, refused, or warned about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from targets import Logistic, logistic_posterior

import ppgn
from ppgn import samplers


def pipeline_of(condition=None):
    return replace(logistic_posterior(condition or Logistic(4.0, 1.0)), latent_shape=(2,))


def run(sampler, pipeline=None, n=8, steps=20, **options):
    return ppgn.sample(pipeline or pipeline_of(), n, steps, 1, sampler, progress=False, **options)


@dataclass(frozen=True)
class Patchy:
    """An activation that exceeds 0, and NaN where x_2 is low."""

    scale: float = 0.7

    def log_prob(self, x):
        x1, x2 = x.flatten(1).T
        return torch.where(x2 > -1, self.scale * x1 + 1, torch.nan)

    def rows(self, index):
        return self


def test_nan_does_not_hide_an_activation_from_rejection():
    with pytest.raises(ValueError, match=r"rejection needs log p.* of at most 0"):
        run("rejection", pipeline_of(Patchy()), n=200, steps=5)


@pytest.mark.parametrize("name", ["isir", "best_of_n"])
def test_starts_at_nan_are_left(name):
    samples = run(name, pipeline_of(Patchy()), n=100, steps=40)
    assert torch.isnan(samples.log_condition[0]).any()
    assert torch.isfinite(samples.log_condition[-1]).all()
    assert (samples.codes[:, 1] > -1).all()


def test_what_cycle_refuses():
    pipeline = pipeline_of()
    with pytest.raises(ValueError, match=r"one power of the condition, got gamma \[1\.0, 3\.0\]"):
        samplers.cycle(samplers.mala(pipeline, 0.1), samplers.mala(pipeline, 0.1, 3.0))
    with pytest.raises(ValueError, match="needs walks, but rejection ends when it is done"):
        samplers.cycle(samplers.mala(pipeline, 0.1), samplers.rejection(pipeline))


def test_evidence_is_of_what_is_finished():
    with pytest.warns(ppgn.SamplingWarning, match="smc has brought to the posterior 0 of 100 chains"):
        early = run("smc", pipeline_of(Logistic(8.0, 3.0)), n=100, steps=1)
    assert torch.isnan(early.log_evidence).all()
    late = run("smc", pipeline_of(Logistic(8.0, 3.0)), n=100, steps=40)
    assert torch.isfinite(late.log_evidence).all()


def test_resume_by_name():
    whole, part = run("mala", steps=30, warmup=10), run("mala", steps=20, warmup=10)
    assert torch.equal(part.resume(pipeline_of(), 10, "mala", progress=False).codes, whole.codes)
    with pytest.raises(ValueError, match="must be resumed with its sampler, mala, got 'isir'"):
        part.resume(pipeline_of(), 10, "isir", progress=False)


def test_a_checkpoint_is_never_shortened(tmp_path):
    run("isir", steps=20, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="has 20 steps already, so that steps must be as many, got 10"):
        run("isir", steps=10, checkpoint=tmp_path / "run")


def test_an_extended_run_keeps_as_many_pictures(tmp_path):
    run("isir", steps=20, checkpoint=tmp_path / "run", warmup=0)
    longer = run("isir", steps=400, checkpoint=tmp_path / "run", warmup=0)
    assert 30 <= len(longer.frames) <= 45
    assert longer.record["asked_steps"] == 400


def test_what_is_wrong_shows_before_the_walk(tmp_path):
    calls = []

    def counted(h):
        calls.append(1)
        return h.view(-1, 1, 1, 2)

    pipeline = replace(pipeline_of(), generator=counted)
    with pytest.raises(ValueError, match=r"statistic 'b' must give one number a chain, \(B,\), got \(8, 2\)"):
        run("mala", pipeline, statistics={"b": lambda state: state.h})
    with pytest.raises(ValueError, match="names of their own, but acceptance are noted anyway"):
        run("mala", pipeline, statistics={"acceptance": lambda state: state.log_prob})
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "run", "/proc/nowhere/run"):
        with pytest.raises(OSError):
            run("mala", pipeline, checkpoint=path)
    assert len(calls) <= 4 * 2  # the starts, and nothing more
    with pytest.raises((IsADirectoryError, FileNotFoundError)):
        run("mala", pipeline, checkpoint=tmp_path)


def test_numbers_of_numpy_are_numbers(tmp_path):
    samples = ppgn.sample(
        pipeline_of(), np.int64(4), np.int64(6), np.int64(1), "isir", False, checkpoint=tmp_path / "a"
    )
    samples.save(tmp_path / "run")
    assert ppgn.Samples.load(tmp_path / "run").resume(pipeline_of(), 2, progress=False).steps == 8


def test_auto_sees_an_activation_by_its_highest_value():

    @dataclass(frozen=True)
    class Low(Patchy):
        def log_prob(self, x):
            return 0.7 * x.flatten(1)[:, 0] - 1

    assert run("auto", pipeline_of(Low()), n=4, steps=10).record["named"] == "mala+isir"


def test_an_activation_has_no_class_probability(capsys):
    def logits(x):
        return torch.stack([0 * x.flatten(1)[:, 0], 40 * x.flatten(1)[:, 0]], 1)

    condition = ppgn.conditions.class_label(logits, 1, objective="logit")
    pipeline = replace(pipeline_of(), condition=condition)
    samples = run(lambda p: samplers.mala(p, 0.01), pipeline, n=4, steps=10)
    assert "class_probability" not in samples.to_arviz().posterior
    capsys.readouterr()
