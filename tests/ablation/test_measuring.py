"""What a cell's images are measured by: real images against real images, and images that can be told by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from targets import assert_close

from ppgn import data, evaluation, models, pretrained
from ppgn.ablation import tables
from ppgn.ablation.figures import OVERLAPS, figures, nth
from ppgn.ablation.measuring import Yardstick, judge_of, judged, yardstick


@pytest.fixture(scope="module")
def judge():
    return models.build(lambda: models.ResidualClassifier((1, 8, 8), width=4), 0).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def sets(small_digits):
    """Two halves of real digits in random order, under labels by chance: equal in law, whatever their label."""
    parts = data.load(small_digits), data.load(small_digits, "test")
    images = torch.cat([part.images for part in parts])
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:1600]
    labels = torch.arange(10).repeat(80)
    return tuple(data.ImageSet(images[rows], labels) for rows in order.view(2, 800))


@pytest.fixture(scope="module")
def yard(judge, sets):
    return yardstick(judge, None, sets, n=20, seeds=4)


def block(sets, yard, n, i, seed, same=True):
    """The figures of the i-th n test images a class, as the samples of that seed."""
    test = sets[1]
    rows = nth(test.labels, n, i)
    return figures(yard.judge, data.to_float(test.images[rows]), test.labels[rows], yard.real, same, seed)


def test_floors_are_real_images_against_as_many(yard):
    assert len(yard.floors) == 4
    for name, truth in {"density": 1.0, "coverage": evaluation.expected_coverage(200)}.items():
        found = torch.tensor([floor[name] for floor in yard.floors])
        assert_close(found.mean(), truth, found.std() / 2)
    for floor in yard.floors:
        assert floor["spread"] == pytest.approx(1, abs=0.1)
        assert 0.85 < floor["precision"] < 1 and 0.85 < floor["recall"] < 1
    assert yard.said == (
        "20 training images a class against 800 test images; coverage, density, precision and recall are against 20 "
        "test images a class, as those of the samples are"
    )


def test_a_floor_is_what_evaluation_gives(sets, yard):
    seen = [evaluation.features(yard.judge, data.to_float(part.images[nth(part.labels, 20, 2)])) for part in sets]
    wanted = evaluation.overlap(*seen)._asdict()
    assert {name: yard.floors[2][name] for name in OVERLAPS} == {name: wanted[name].value for name in OVERLAPS}


def test_each_seed_has_real_images_of_its_own(sets, yard):
    """Samples that are those very images cover them, and no others."""
    own = {"precision": 1, "recall": 1, "coverage": 1}
    for seed in (1, 5):  # there are 4 times 20 a class
        assert block(sets, yard, 20, 1, seed).items() >= own.items()
    assert not block(sets, yard, 20, 1, 0).items() >= own.items()


def test_a_collapsed_sampler(sets, yard):
    test = sets[1]
    images = data.to_float(test.images[:1]).expand(200, -1, -1, -1)
    found = figures(yard.judge, images, torch.arange(10).repeat_interleave(20), yard.real, True)
    assert (found["spread"], found["recall"]) == (pytest.approx(0, abs=1e-3), 0)
    assert found["coverage"] == pytest.approx(found["density"] * 5 / 200)  # the balls that hold the one point
    assert found["coverage"] < 0.2


def test_reasons(judge, sets, yard):
    few = yardstick(judge, None, tuple(part.per_class(19) for part in sets), 5, 1)
    for found, reason in [
        (block(sets, yard, 20, 0, 0, same=False), "the real images are of other classes than the samples"),
        (few.floors[0], "it needs more images of a class than neighbours, 5; there are 5"),
        (block(sets, few, 20, 0, 0), "it needs as many real images of a class as samples, 20; there are 19"),
        (block(sets, Yardstick(judge), 20, 0, 0), "no real images to measure it from"),
    ]:
        assert {found[name] for name in OVERLAPS} == {reason}
    assert (
        block(sets, yard, 1, 0, 0)["distance"] == "it needs more samples than the judge has features, 16; there are 10"
    )
    assert yardstick(judge, None, tuple(part.per_class(19) for part in sets), 20, 3).floors == ()


def noise(n):
    return torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def asked(measure, images, labels, **more):
    cell = SimpleNamespace(
        settings={"model": "mine"}, labels=labels, classes=10, seed=0,
        asked=torch.tensor(labels).repeat_interleave(len(images) // len(labels)), **more,
    )  # fmt: skip
    return measure(SimpleNamespace(images=images), cell)


def test_some_of_the_classes(judge, sets, yard):
    """Real images of the classes that are asked for, if they are told; never of others."""
    some = yardstick(judge, None, sets, 20, 1, labels=(7, 3))
    assert some.classes == (3, 7)
    assert some.real.features.shape == (160, 16)
    images = data.to_float(sets[0].images[:40])
    assert isinstance(asked(judged({"mine": some}), images, (7, 3))["coverage"], float)
    for name in ("distance", *OVERLAPS):
        assert asked(judged({"mine": yard}), images, (7, 3))[name].endswith("of other classes than the samples")
        assert asked(judged({"mine": some}), images, (7, 5))[name].endswith("of other classes than the samples")
    with pytest.raises(ValueError, match="real images of every class asked for are needed, class 12 has none"):
        yardstick(judge, None, sets, 20, 1, labels=(3, 12))


def test_nobody_judges():
    found = asked(judged({"mine": Yardstick()}), torch.zeros(2, 1, 8, 8), (0, 1))
    assert set(found.values()) == {"no judge: the model's bundle has none, and none was given"}


def test_what_a_bundle_says_of_its_real_images():
    network, bundle = judge_of("mnist", None)
    yard = yardstick(network, bundle, None, 10, 3)
    assert yard.said.endswith("distances at another n are not comparable, images are needed")
    assert yardstick(network, bundle, None, 100, 3).said.endswith("100 a digit")
    found = asked(judged({"mine": yard}), noise(100), tuple(range(10)))
    assert set(found) == {"judge", "distance", "spread", *OVERLAPS}
    assert {found[name] for name in OVERLAPS} == {"no real images to measure it from"}
    assert found["distance"] > 10 * yard.floors[0]["distance"]


def test_digits_of_the_bundle(mnist_file):
    """MNIST beside itself, by the bundle's judge; noise is far from it."""
    sets = data.load(mnist_file).per_class(60), data.load(mnist_file, "test").per_class(60)
    yard = yardstick(pretrained.network("mnist", "judge"), None, sets, 30, 2)
    for floor in yard.floors:
        assert floor["judge"] > 0.95
        assert floor["coverage"] > 0.85 and 0.6 < floor["density"] < 1.2
    found = asked(judged({"mine": yard}), noise(300), tuple(range(10)))
    assert found["coverage"] < 0.1 and found["precision"] < 0.5 and found["recall"] < 0.1


def test_every_figure_has_its_words(sets, yard):
    own = {"r_hat", "ess", "guide", "log_p", "cost", "seconds"}
    assert set(tables.NAMES) == set(block(sets, yard, 20, 0, 0)) | own >= set(tables.FORMS)
