"""The scripts on other people's networks: their estimators on cases with known answers."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest
import torch
from torch import nn

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
N = 4000


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def normals(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# two-sample test


def test_equal_sets_are_not_told_apart(script):
    """p-values of equal sets are uniform: that all of five are below 1/2 has a chance of 1/32, below .01 of 1e-10."""
    found = [script("truth").two_sample(normals(N, 8, seed=2 * i), normals(N, 8, seed=2 * i + 1)) for i in range(5)]
    assert max(p for _, p in found) > 0.5
    for accuracy, _ in found:
        assert abs(accuracy - 0.5) < 4 * 0.5 / math.sqrt(N)


@pytest.mark.parametrize(
    ("other", "best"),
    [
        pytest.param(lambda a: a + 0.25, 0.638, id="means"),  # Phi(d / 2), d = .25 sqrt(8)
        pytest.param(lambda a: 1.3 * a, 0.643, id="spreads"),
    ],
)
def test_unlike_sets_are_told_apart(script, other, best):
    accuracy, p = script("truth").two_sample(normals(N, 8), other(normals(N, 8, seed=1)))
    assert p < 1e-6
    assert 0.55 < accuracy < best + 4 * 0.5 / math.sqrt(N)


def test_the_two_sample_test_leaves_the_global_generator_alone(script):
    before = torch.random.get_rng_state()
    script("truth").two_sample(normals(100, 2), normals(100, 2, seed=1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_off_is_in_standard_errors(script):
    truth = script("truth")
    a, b = {"mean": 2.0, "error": 3.0}, {"mean": -3.0, "error": 4.0}
    assert truth.off(a, b) == pytest.approx(1.0)
    assert truth.told(torch.tensor([1.0, 3.0])) == {"mean": 2.0, "error": pytest.approx(1.0)}


# effective draws of populations


def test_independent_particles_are_all_effective(script):
    """v has 199 degrees of freedom: its relative error is sqrt(2 / 199) = 10 %."""
    values = normals(200, 50)
    assert script("rare").population_ess(values) == pytest.approx(200 * 50, rel=0.4)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_correlated_particles_count_as_the_theory_says(script, rho):
    """An AR(1) of n has n (1 - rho) / (1 + rho) effective draws, for n long."""
    noise = normals(200, 600, seed=3)
    values = [noise[:, 0]]
    for i in range(1, 600):
        values.append(rho * values[-1] + math.sqrt(1 - rho**2) * noise[:, i])
    expected = 200 * 600 * (1 - rho) / (1 + rho)
    assert script("rare").population_ess(torch.stack(values, 1)) == pytest.approx(expected, rel=0.4)


def test_copies_are_one_draw_each(script):
    values = normals(300, 1, seed=4).expand(300, 20)
    assert script("rare").population_ess(values) == pytest.approx(300, rel=0.01)


# conditions


def test_conditions_multiply_and_keep_their_rows(script):
    import ppgn

    rare, x = script("rare"), normals(3, 1, 4, 4).sigmoid()
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(16, 5)).eval()
    above = rare.Above(rare.ink, 0.5, 0.1)
    both = rare.Both(ppgn.conditions.class_label(classifier, [0, 2, 4]), above)
    expected = classifier(x).log_softmax(1)[range(3), [0, 2, 4]] + torch.log(
        torch.sigmoid((x.mean((1, 2, 3)) - 0.5) * 10)
    )
    torch.testing.assert_close(both.log_prob(x), expected)
    index = torch.tensor([2, 0])
    torch.testing.assert_close(both.rows(index).log_prob(x[index]), expected[index])


def test_slant_of_a_line(script):
    """A stroke one pixel to the right for each pixel up leans by 1, its mirror image by -1, an upright one not."""
    line = torch.eye(9).flip(0)[None, None]
    upright = torch.zeros(1, 1, 9, 9)
    upright[..., 3] = 1
    found = script("rare").slant(torch.cat([line, line.flip(3), upright]))
    torch.testing.assert_close(found, torch.tensor([1.0, -1.0, 0.0]))


def test_evaluations_are_counted_by_what_they_cost(script):
    import ppgn

    rare = script("rare")
    generator = rare.Counted(nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4)))).eval()
    pipeline = ppgn.Pipeline(generator, ppgn.priors.gaussian((2,)), rare.Above(rare.ink, 0.0, 1.0))
    pipeline.log_condition(torch.zeros(5, 2))
    assert generator.evaluations == 5
    pipeline(torch.zeros(5, 2))
    assert generator.evaluations == 5 + 15


def test_stuck_chains_have_no_cost(script):
    rare = script("rare")
    found = {"evaluations": 600, "effective": 3.0, "seconds": 6.0, "r_hat": 1.01}
    assert rare.cost(found) == 200
    assert rare.cell(found) == "200 (2,000 ms)"
    assert rare.cost({**found, "r_hat": 1.2}) == math.inf
    assert rare.cell({**found, "r_hat": 1.2}) == "R-hat 1.20"


# networks


def test_missing_weights_are_named(script, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the weights of mnist_gan_mlp must be in .*; give their folder by"):
        script("thirdparty").digits(tmp_path)


def test_the_classifier_names_real_digits(script):
    """LeNet-5's owner states 99.1 %."""
    from ppgn import data, evaluation

    thirdparty = script("thirdparty")
    images = thirdparty.SHARED / "data" / "mnist.npz"
    if not (thirdparty.WEIGHTS.exists() and images.exists()):
        pytest.skip("the third-party networks and MNIST are not beside the repository")
    classifier = thirdparty.digits().classifier._orig_mod  # as it was before compilation
    test = data.load(str(images), "test")
    assert evaluation.agreement(classifier, data.to_float(test.images[:1000]), test.labels[:1000]) > 0.97
