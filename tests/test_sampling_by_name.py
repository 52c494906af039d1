"""`ppgn.sample(pipeline, sampler=name)`: every name, what "auto" chooses, and runs that go on from a checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from targets import Logistic, assert_close, linear

import ppgn
from ppgn import files, named, samplers

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

WALKS = ["mala", "mala+isir", "isir"]


def pipeline_of(condition, prior=None, **options):
    prior = prior or ppgn.priors.gaussian((2,))
    return ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 2), prior, condition, latent_shape=(2,), **options)


def run(pipeline, sampler, n=8, steps=40, seed=1, **options):
    return ppgn.sample(pipeline, n, steps, seed, sampler, progress=False, **options)


@dataclass(frozen=True)
class Classes:
    """Images of two numbers -> logits of class 0, and of class 1, which asks for x_1 > c."""

    k: float
    c: float

    def __call__(self, x):
        logit = self.k * (x.flatten(1)[:, 0] - self.c)
        return torch.stack([torch.zeros_like(logit), logit], 1)


def asked(label, k=4.0, c=1.0):
    """p(y = 1 | x) = sigmoid(k (x_1 - c)) as a class label, so that chains of a label are known."""
    return pipeline_of(ppgn.conditions.class_label(Classes(k, c), label))


@pytest.mark.parametrize("name", [*WALKS, "rejection", "smc"])
def test_every_exact_name_gives_the_posterior(name):
    n, condition = 600, Logistic(4.0, 1.0)
    samples = run(pipeline_of(condition), name, n, 300)
    mean, std, accuracy = condition.truth()
    errors = 8 if name == "smc" else 4  # particles of a population are not independent
    z = samples.codes[:, 0]
    assert_close(z.mean(), mean, std / math.sqrt(n), errors)
    assert_close(z.std(), std, std / math.sqrt(n), errors)
    assert_close((z > 1).double().mean(), accuracy, math.sqrt(accuracy * (1 - accuracy) / n), errors)
    assert samples.exact
    assert samples.finished.all()
    assert samples.record["named"] == name


def test_names_are_the_kernels_they_say():
    pipeline, built = pipeline_of(Logistic(4.0, 1.0)), {}
    for name in named.BUILDERS:
        built[name] = named.build(pipeline, name, 20, None)
    assert [kernel.name for kernel in built.values()] == ["mala", "cycle", "isir", "smc", "rejection", "best_of_n"]
    assert built["mala+isir"].settings["1"]["warmup"] == 20
    same = run(pipeline, samplers.best_of_n(pipeline))
    assert torch.equal(run(pipeline, "best_of_n").codes, same.codes)


def test_smc_by_name_knows_its_labels():
    """Two labels in turn: two populations, each with the evidence of its own label."""
    n, c = 2000, 1.0
    samples = run(asked([0, 1] * (n // 2), 4.0, c), "smc", n)
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    p = ((-0.5 * z**2).softmax(0) * torch.sigmoid(4 * (z - c))).sum().item()
    for label, truth in ((0, 1 - p), (1, p)):
        own = samples.labels == label
        assert_close(samples.log_evidence[own].exp(), truth, 0.05 * truth)  # of 1,000 particles
        mean, std, _ = Logistic(4.0 if label else -4.0, c).truth()
        assert_close(samples.codes[own, 0].mean(), mean, std / math.sqrt(n / 20))
        assert (samples.labels[samples.state["ancestor"][own]] == label).all()


def test_unknown_names():
    with pytest.raises(ValueError, match=r"mala, mala\+isir, isir, smc, rejection, best_of_n, auto, .* got 'hmc'"):
        run(pipeline_of(Logistic(4.0, 1.0)), "hmc")


@pytest.mark.parametrize("name", list(named.BUILDERS))
def test_a_prior_without_a_density(name):
    pipeline = pipeline_of(Logistic(4.0, 1.0), ppgn.priors.dae(lambda h: 0.5 * h, 0.5))
    with pytest.raises(TypeError, match=r"needs a prior with a density .* but DAE has none; ula, mala_approx and") as e:
        run(pipeline, name)
    assert str(e.value).startswith(name)


def test_auto_takes_rejection_where_it_is_cheap():
    samples = run(pipeline_of(Logistic(4.0, 0.0)), "auto", 50)  # p(y) = 1/2
    assert samples.record["named"] == "rejection"
    assert samples.record["reason"].startswith("rejection, since a pilot of the prior puts p(y) at 0.")
    assert samples.record["reason"].endswith(": 2 tries an independent draw")
    assert samples.finished.all()


@pytest.mark.parametrize(("n", "name", "reason"), [
    (100, "smc", "too rare for rejection in 1280 tries a chain"),
    (99, "mala+isir", r"and 99 chains of a label are no population (smc wants 100)"),
])  # fmt: skip
def test_auto_where_the_condition_is_rare(n, name, reason):
    samples = run(pipeline_of(Logistic(8.0, 3.0)), "auto", n)  # p(y) = 0.0017
    assert samples.record["named"] == name
    assert reason in samples.record["reason"]
    assert samples.record["reason"].startswith(f"{name}, since a pilot of the prior puts p(y) at 0.00")


def test_auto_is_decided_by_the_rarest_label():
    assert run(asked(0, 8.0, 3.0), "auto", 4).record["named"] == "rejection"
    assert run(asked([0, 0, 0, 1], 8.0, 3.0), "auto", 4).record["named"] == "mala+isir"
    assert run(asked([0, 1] * 100, 8.0, 3.0), "auto", 200, 30).record["named"] == "smc"
    assert run(asked([0] * 101 + [1] * 99, 8.0, 3.0), "auto", 200, 30).record["named"] == "mala+isir"


def test_auto_with_more_steps_may_reject():
    """p(y) = 0.03 and 40 chains: 224 tries a chain leave one without a draw too often, 1,280 do not."""
    pipeline = pipeline_of(Logistic(4.0, 2.0))
    assert run(pipeline, "auto", 40, 7).record["named"] == "mala+isir"
    samples = run(pipeline, "auto", 40, 40)
    assert samples.record["named"] == "rejection"
    assert samples.finished.all()


def test_auto_without_a_density_is_the_pipelines_own():
    pipeline = linear().pipeline(2)
    samples = run(pipeline, "auto", 4)
    assert samples.record["named"] is None
    assert samples.record["reason"] == "the pipeline's own sampler, since its prior (Joint) knows no density"
    assert torch.equal(samples.codes, run(pipeline, None, 4).codes)


def test_the_pilot_is_of_the_runs_precision():
    """A plain function as generator, a network behind it: single precision, as the walk's own codes are."""
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    condition = ppgn.conditions.class_label(lambda x: x.flatten(1) @ weight, 1)
    samples = run(pipeline_of(condition), "auto", 4)
    assert samples.record["named"] == "rejection"
    assert samples.codes.dtype == torch.float32


def test_auto_says_why(capsys):
    ppgn.sample(pipeline_of(Logistic(4.0, 0.0)), 4, 40, 0, "auto")
    assert "ppgn: rejection, since a pilot" in capsys.readouterr().err
    run(pipeline_of(Logistic(4.0, 0.0)), "auto", 4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("warmup", [40, 41])
def test_a_warmup_must_leave_a_run(warmup):
    pipeline = pipeline_of(Logistic(4.0, 1.0))
    for sampler in ("isir", samplers.mala(pipeline, 0.1)):
        with pytest.raises(ValueError, match=rf"shorter than the run of 40 steps .* got {warmup}"):
            run(pipeline, sampler, warmup=warmup)
    for sampler in (samplers.mala(pipeline, 0.1, warmup=40), lambda p: samplers.mala(p, 0.1, warmup=40)):
        with pytest.raises(ValueError, match=r"shorter than the run of 40 steps .* got 40"):
            run(pipeline, sampler)
    with pytest.raises(ValueError, match="warmup must be at least 0, got -1"):
        run(pipeline, "isir", warmup=-1)
    with pytest.raises(ValueError, match="warmup must be at least the sampler's own, 20: it adapts until then, got 10"):
        run(pipeline, samplers.mala(pipeline, 0.1, warmup=20), warmup=10)


def test_an_activation_is_no_probability():
    condition = ppgn.conditions.class_label(Classes(4.0, -20.0), 1, objective="logit")
    samples = run(pipeline_of(condition), "auto", n=4, steps=10)
    assert samples.record["named"] == "mala+isir"
    assert "p(y|x) is above 1 (an activation or a density)" in samples.record["reason"]


def test_a_checkpointed_run_may_be_asked_for_more(tmp_path):
    """The warm-up and what auto chose stay those of the first call."""
    pipeline, options = pipeline_of(Logistic(4.0, 1.0)), {"checkpoint": tmp_path / "run", "checkpoint_every": 7}
    run(pipeline, "mala", steps=40, **options)
    (tmp_path / ".run.half").write_bytes(b"left by a killed write")
    longer = run(pipeline, "mala", steps=80, **options)
    assert longer.record["warmup"] == 20
    assert torch.equal(longer.codes, run(pipeline, "mala", steps=80, warmup=20).codes)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(("sampler", "steps", "warmup"), [
    ("mala", 41, 20), ("mala+isir", 41, 20), ("isir", 41, 20), ("mala", 1, 0),
    ("rejection", 41, 0), ("smc", 41, 0), ("best_of_n", 41, 0),
    (lambda p: samplers.mala(p, 0.5, warmup=15), 41, 15),
    (lambda p: samplers.cycle(samplers.isir(p, 2), samplers.mala(p, 0.5, warmup=15)), 41, 15),
    (lambda p: samplers.isir(p, 2), 41, 0),
])  # fmt: skip
def test_the_warmup_if_none_is_given(sampler, steps, warmup):
    pipeline = pipeline_of(Logistic(4.0, 1.0))
    samples = run(pipeline, sampler, n=12, steps=steps)
    assert samples.record["warmup"] == warmup
    if not callable(sampler):
        return
    assert run(pipeline, sampler(pipeline), n=2, steps=steps).record["warmup"] == warmup
    recommended = replace(pipeline, sampler=sampler)
    assert run(recommended, None, n=2, steps=steps).record["warmup"] == warmup


def test_a_start_that_is_drawn():
    """Over-dispersed: five times as wide, each chain from its own stream, and the same for another sampler."""
    pipeline, n = pipeline_of(Logistic(4.0, 1.0)), 2000
    start = ppgn.priors.gaussian((2,), std=5.0)
    samples = run(pipeline, "mala", n, 0, start=start)
    assert_close(samples.codes.std(0), 5.0, 5 / math.sqrt(2 * n))
    assert torch.equal(run(pipeline, "isir", 10, 0, start=start).codes, samples.codes[:10])
    assert samples.record["start"]["std"] == [5.0, 5.0]
    own = replace(pipeline, start=start)
    assert torch.equal(run(own, "mala", n, 0).codes, samples.codes)


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize("thin", [None, 1, 3])
def test_series_are_of_the_draws_alone(name, thin):
    """Step 21 on of 40, every third if so asked, each the state's own number; `log_condition` has all steps."""
    pipeline = pipeline_of(Logistic(4.0, 1.0))
    own = {"first": lambda state: state.h[:, 0], "step": lambda state: torch.full((8,), float(state.step))}
    samples = run(pipeline, name, thin=thin, statistics=own)
    kept = list(range(20 + (thin or 1), 41, thin or 1))
    assert samples.series["step"][:, 0].tolist() == kept
    assert torch.equal(samples.series["log_condition"], samples.log_condition[kept])
    assert len(samples.chain) == (len(kept) if thin else 0)
    if thin:
        assert torch.equal(samples.series["first"], samples.chain[..., 0])
        assert torch.equal(pipeline.condition.log_prob(samples.chain[2]), samples.series["log_condition"][2])
    assert samples.log_condition.shape == (41, 8)


def test_statistics_of_a_wrong_shape():
    own = {"codes": lambda state: state.h}
    with pytest.raises(ValueError, match=r"statistic 'codes' must give one number a chain, \(B,\), got \(8, 2\)"):
        run(pipeline_of(Logistic(4.0, 1.0)), "isir", statistics=own)


@pytest.mark.parametrize("name", list(named.BUILDERS))
def test_a_checkpoint_of_every_length_leads_to_the_same_bits(name, tmp_path):
    """Written every 7 steps, in the middle of the warm-up too; the last one of a shorter run is gone on from."""
    pipeline = asked([0, 1, 1, 0] * 5, 4.0, 1.5)

    def go(steps, path=None):
        return run(pipeline, name, 20, steps, warmup=8, thin=2, checkpoint=path, checkpoint_every=7)

    whole, path = go(30), tmp_path / "run.safetensors"
    assert_same(go(30, path), whole)
    assert_same(go(30, path), whole)  # that was at its end
    path.unlink()
    go(11, path)
    assert_same(go(30, path), whole)


def assert_same(samples, whole):
    for name, value in whole.tensors().items():
        if not name.startswith("frame"):  # pictures are as often as the first run asked
            assert torch.equal(samples.tensors()[name], value), name


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    pipeline, path = pipeline_of(Logistic(4.0, 1.0)), tmp_path / "run.safetensors"
    run(pipeline, "mala", checkpoint=path)
    for changed, message in (
        ({"seed": 2}, "seed: saved 1, now 2"),
        ({"n": 9}, "n: saved 8, now 9"),
        ({"warmup": 7}, r"warmup: saved 20, now 7"),
        ({"thin": 2}, "thin: saved None, now 2"),
        ({"start": torch.zeros(8, 2)}, "start.given: saved None"),
        ({"sampler": "isir"}, "named: saved 'mala', now 'isir'"),
    ):
        with pytest.raises(ValueError, match=f"a checkpoint must be of a run with the same arguments, but .*{message}"):
            run(pipeline, **{"sampler": "mala", "checkpoint": path, **changed})
    with pytest.raises(ValueError, match=r"condition\.c: saved 1\.0, now 2\.0"):
        run(pipeline_of(Logistic(4.0, 2.0)), "mala", checkpoint=path)
    with pytest.raises(ValueError, match=r"must be resumed with its statistics, .* got .*mine"):
        run(pipeline, "mala", checkpoint=path, statistics={"mine": lambda state: state.h[:, 0]})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(files.DamagedFileError, match=r"run\.safetensors"):
        run(pipeline, "mala", checkpoint=path)
