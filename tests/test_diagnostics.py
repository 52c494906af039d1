"""What a run says against itself: warnings with numbers, the summary, and arviz's view of it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from targets import Logistic, assert_close, posterior_of

import ppgn
from ppgn import samplers
from ppgn.random import streams


def run(pipeline, sampler, n=8, steps=40, seed=1, **options):
    return ppgn.sample(pipeline, n, steps, seed, sampler, progress=False, **options)


def quietly(pipeline, sampler, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ppgn.SamplingWarning)
        return run(pipeline, sampler, *args, **options)


def logistic(k=4.0, c=1.0):
    prior = ppgn.priors.gaussian((2,))
    return ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 2), prior, Logistic(k, c), latent_shape=(2,))


def two_modes():
    """0.5 N(-5, 0.5^2) + 0.5 N(5, 0.5^2), and a second coordinate that is N(0, 1)."""

    def log_density(h):
        modes = torch.stack([-2 * (h[:, 0] - 5) ** 2, -2 * (h[:, 0] + 5) ** 2]).logsumexp(0)
        return modes - 0.5 * h[:, 1] ** 2 - math.log(2) + 0.5 * math.log(4) - math.log(2 * math.pi)

    return posterior_of(log_density, torch.full((2,), 5.0))


def labelled(labels):
    def classifier(x):
        return torch.cat([torch.zeros(len(x), 1), x.flatten(1)[:, :1], 2 * x.flatten(1)[:, 1:2]], 1)

    condition = ppgn.conditions.class_label(classifier, labels)
    return ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 2), ppgn.priors.gaussian((2,)), condition, latent_shape=(2,))


def test_a_budget_that_is_too_small_for_rejection():
    """p(y) = 0.0017: in 64 tries few are accepted; how many is said, and who."""
    with pytest.warns(ppgn.SamplingWarning) as caught:
        samples = run(logistic(8.0, 3.0), "rejection", 200, 2)
    done = int(samples.finished.sum())
    assert 0 < done < 100
    (said,) = (str(w.message) for w in caught)
    assert said.startswith(f"rejection has accepted {done} of 200 chains in its 2 steps; `samples.finished` says which")
    assert torch.equal(samples.finished, samples.state["accepted_at"] > 0)
    assert (samples.codes[samples.finished, 0] > 2).all()
    start = ppgn.priors.gaussian((2,)).sample(200, streams(1, 200)).float()
    assert torch.equal(samples.codes[~samples.finished], start[~samples.finished])


def test_a_budget_that_is_too_small_for_smc():
    with pytest.warns(ppgn.SamplingWarning, match=r"smc has brought to the posterior 0 of 100 chains in its 2 steps"):
        samples = run(logistic(8.0, 3.0), "smc", 100, 2)
    assert not samples.finished.any()
    assert run(logistic(8.0, 3.0), "smc", 100, 60).finished.all()


@pytest.mark.parametrize(("step_size", "words"), [
    (1000.0, r"8 of 8 chains have a mean acceptance below 0\.01: the step size is too long, .* over 300 draws"),
    (1e-7, r"8 of 8 chains have a mean acceptance above 0\.99: the step size is too short, .*\(mean 1 over 300 draws"),
])  # fmt: skip
def test_steps_of_a_wrong_length(step_size, words):
    pipeline = logistic()
    with pytest.warns(ppgn.SamplingWarning, match=words):
        run(pipeline, samplers.mala(pipeline, step_size), steps=300)
    with pytest.warns(ppgn.SamplingWarning, match=words):
        run(pipeline, lambda p: samplers.cycle(samplers.isir(p, 2), samplers.mala(p, step_size)), steps=300)


@pytest.mark.parametrize("sampler", ["mala", "mala+isir", "isir", "best_of_n", "rejection", "smc"])
def test_a_sound_run_says_nothing(sampler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = run(logistic(), sampler, 16, 300)
    assert samples.finished.all()


def test_far_modes_are_seen_by_r_hat(capsys):
    """From over-dispersed starts chains of MALA stay in the mode they fell into; half of them have the other mean."""
    wide = ppgn.priors.gaussian((2,), std=6.0)
    samples = run(two_modes(), "mala", 16, 600, start=wide)
    with pytest.warns(ppgn.SamplingWarning, match=r"R-hat is up to \d\.\d+ \(above 1\.01: .*mala\+isir") as caught:
        table = samples.summary()
    assert len(caught) == 1
    assert table.loc["code_0", "r_hat"] > 1.5
    told = capsys.readouterr().out
    assert told.startswith("mala (exact): 16 chains of 300 draws after a warm-up of 300; acceptance 0.")
    assert "r_hat" in told
    assert "code_3" in told


def test_well_mixed_chains_are_not_accused(capsys):
    """The same target with jumps. Means and deviations are those of the series, errors those of the truth."""
    samples = run(two_modes(), "mala+isir", 16, 6000, start=ppgn.priors.gaussian((2,), std=6.0), statistics={
        "h": lambda state: state.h[:, 0], "other": lambda state: state.h[:, 1],
    })  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = samples.summary()
    assert (table["r_hat"].dropna() <= 1.01).all()
    for name, std in (("h", math.sqrt(25.25)), ("other", 1.0)):
        row, series = table.loc[name], samples.series[name].double()
        assert_close(row["mean"], 0.0, row["mcse_mean"])
        assert row["mean"] == pytest.approx(series.mean().item())
        assert row["sd"] == pytest.approx(std, rel=0.1)
        assert row["mcse_mean"] == pytest.approx(row["sd"] / math.sqrt(row["ess_bulk"]))
        between = series.mean(0).std().item() / 4  # of 16 chains' means: the error measured without any theory
        assert 0.5 < row["mcse_mean"] / between < 2
    assert "acceptance" not in table.index
    assert "mala" not in capsys.readouterr().out.split(" ")[0]  # a cycle of two


def test_independent_draws_are_one_chain():
    samples = run(logistic(), "rejection", 400, 100)
    data = samples.to_arviz()
    assert dict(data.posterior.sizes) == {"chain": 1, "draw": 400, "code_dim_0": 2}
    assert np.array_equal(data.posterior["code"].values[0], samples.codes.numpy().astype(np.float64))
    table = samples.summary()
    assert table["r_hat"].isna().all()
    assert 200 < table.loc["code_0", "ess_bulk"] < 800
    mean, std, _ = Logistic(4.0, 1.0).truth()
    assert_close(float(data.posterior["code"].values[0, :, 0].mean()), mean, std / 20)


def test_unfinished_chains_are_no_draws():
    samples = quietly(logistic(8.0, 3.0), "rejection", 400, 2)
    done = int(samples.finished.sum())
    assert 0 < done < 400
    assert samples.to_arviz().posterior.sizes["draw"] == done
    assert (samples.to_arviz().posterior["code"].values[0, :, 0] > 2).all()


def test_arviz_has_chains_by_draws():
    samples = run(logistic(), "mala", 6, 50, thin=5)
    data = samples.to_arviz()
    assert dict(data.posterior.sizes) == {"chain": 6, "draw": 5, "code_dim_0": 2}
    for i in range(6):
        assert np.array_equal(data.posterior["code"].values[i], samples.chain[:, i].numpy())
        assert np.array_equal(data.posterior["log_prob"].values[i], samples.series["log_prob"][:, i].numpy())
        assert np.array_equal(data.sample_stats["acceptance"].values[i], samples.series["acceptance"][:, i].numpy())
    assert "acceptance" not in data.posterior
    assert data.attrs["sampler"] == "mala"
    assert data.attrs["exact"] == "True"
    without = run(logistic(), "mala", 6, 50).to_arviz()
    assert "code" not in without.posterior
    assert without.posterior.sizes["draw"] == 25


def test_several_labels_are_never_one_posterior():
    samples = run(labelled([1, 2, 1, 1]), "mala", 4, 40, thin=1)
    with pytest.raises(ValueError, match=r"different classes, \[1, 2\]; choose one, as to_arviz\(label=1\)"):
        samples.to_arviz()
    with pytest.raises(ValueError, match=r"label must be one of \[1, 2\], got 0"):
        samples.to_arviz(label=0)
    data = samples.to_arviz(label=1)
    assert data.posterior.sizes["chain"] == 3
    assert np.array_equal(data.posterior["code"].values[1], samples.chain[:, 2].numpy())
    found = data.posterior["class_probability"].values[1]
    assert np.allclose(found, samples.series["log_condition"][:, 2].exp().numpy())
    with pytest.warns(ppgn.SamplingWarning, match="chains disagree"):  # of 20 draws
        table = samples.summary()
    assert {"1: code_0", "2: code_0", "1: class_probability"} <= set(table.index)
    assert table.loc["1: log_condition", "mean"] == pytest.approx(
        samples.series["log_condition"][:, [0, 2, 3]].mean().item(), rel=1e-5
    )


def test_one_label_needs_no_choice_and_none_has_none():
    assert run(labelled(1), "mala", 3, 40).to_arviz().posterior.sizes["chain"] == 3
    with pytest.raises(ValueError, match="label must be one of None, got 1"):
        run(logistic(), "mala", 3, 40).to_arviz(label=1)


def test_nothing_noted_has_no_diagnostics():
    pipeline = logistic()
    with pytest.raises(ValueError, match="nothing was noted: no step was kept after a warm-up of 39"):
        run(pipeline, "mala", 3, 40, warmup=39, thin=2).to_arviz()


def test_an_interrupted_run_is_not_accused():
    """Ctrl-C is no surprise to who pressed it."""
    calls = []

    def generator(h):
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return h.view(-1, 1, 1, 2)

    pipeline = ppgn.Pipeline(generator, ppgn.priors.gaussian((2,)), Logistic(8.0, 3.0), latent_shape=(2,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = run(pipeline, "rejection", 200, 1000)
    assert samples.record["interrupted"]
    assert not samples.finished.all()


@pytest.mark.parametrize("around", ["views", "inpaint"])
def test_a_class_probability_is_told_only_where_log_condition_is_its_logarithm(around):
    conditions, asked = ppgn.conditions, labelled(1)
    logit = conditions.class_label(asked.condition.classifier, 1, objective="logit")
    hole = torch.tensor([[False, True]])
    condition = {
        "views": conditions.views(logit, shift=0),
        "inpaint": conditions.inpaint(torch.zeros(1, 1, 2), hole, noise=1.0, inside=asked.condition),
    }[around]
    samples = quietly(asked.given(condition), lambda p: samplers.ula(p, 0.1), 4, 40, thin=1)
    assert samples.labels.tolist() == [1] * 4
    assert "class_probability" not in samples.to_arviz().posterior
