"""`ppgn sample --label`: classes by number and by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ppgn
from ppgn.cli.labels import class_count, classes

SHOES = ppgn.pretrained.classifier(
    nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval(), class_names=["Sandal", "Sneaker", "Ankle boot"]
)
NAMELESS = nn.Linear(12, 3)


def test_numbers_names_and_all():
    assert classes(SHOES, ["ankle BOOT", "0", "Sneaker"], 3) == ["ankle BOOT", 0, "Sneaker"]
    assert classes(SHOES, ["all"], 3) == [0, 1, 2]
    assert classes(NAMELESS, ["2"], 3) == [2]


@pytest.mark.parametrize("label", ["3", "", "all"])
@pytest.mark.parametrize(("classifier", "names"), [(SHOES, " or their names"), (NAMELESS, "")])
def test_labels_that_are_none(label, classifier, names):
    known = f"label must be all, none or one of 0..2{names}, the model has 3 classes, got {label!r}"
    with pytest.raises(ValueError, match="label must be") as told:
        classes(classifier, ["0", label], 3)
    assert str(told.value) == known


def test_a_name_where_there_are_none():
    with pytest.raises(ValueError, match=r"one of 0\.\.2, the model has 3 classes, got 'boot'"):
        classes(NAMELESS, ["boot"], 3)


def test_classes_are_counted_by_an_image(digits):
    assert class_count(digits.classifier, (1, 28, 28)) == 10


def test_a_class_by_name_is_the_class_by_number(call, tmp_path):
    """To the bit, and so is the rest of the walk when it is resumed."""
    common = ["--model", "fashion", "--n", 1, "--levels", 4, "--device", "cpu"]
    for name, label, steps in (("named", "ankle boot", 5), ("numbered", 9, 5), ("cut", "Ankle boot", 3)):
        assert call("sample", "--out", tmp_path / name, "--label", label, "--steps", steps, *common)[0] == 0
    more = ["--resume", tmp_path / "cut", "--steps", 2, "--device", "cpu"]
    assert call("sample", "--out", tmp_path / "more", *more)[0] == 0
    runs = {name: ppgn.Samples.load(tmp_path / name) for name in ("named", "numbered", "more")}
    assert runs["named"].labels.tolist() == [9]
    assert torch.equal(runs["named"].codes, runs["numbered"].codes)
    assert torch.equal(runs["named"].codes, runs["more"].codes)
    status, _, err = call("sample", "--out", tmp_path / "x", "--model", "fashion", "--label", "boot")
    assert status == 1
    assert "'boot'" in err
    assert "Ankle boot" in err


def test_saved_pipelines_take_labels_and_samplers_by_name(call, tmp_path, digits):
    """All classes of the classifier; an exact kernel where the prior knows its density, and an error where not."""
    exact = ppgn.Pipeline(digits.generator, ppgn.priors.gaussian((128,)), classifier=digits.classifier)
    ppgn.pretrained.save(exact, tmp_path / "exact")
    ppgn.pretrained.save(digits, tmp_path / "scores")
    asked = ["--n", 1, "--steps", 4, "--device", "cpu", "--sampler", "mala"]
    status, _, err = call("sample", "--model", tmp_path / "exact", "--label", "all", "--out", tmp_path / "a", *asked)
    assert status == 0, err
    made = ppgn.Samples.load(tmp_path / "a")
    assert made.labels.tolist() == list(range(10))
    assert made.record["sampler"]["name"] == "mala"
    for model, message in (("scores", "density"), ("exact", "leave out gamma")):
        more = ["--gamma", 2] if model == "exact" else []
        status, _, err = call("sample", "--model", tmp_path / model, "--out", tmp_path / "b", *asked, *more)
        assert status == 1
        assert message in err
        assert err.count("\n") == 1
