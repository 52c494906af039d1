"""`ppgn sample --label`: classes by number and by name."""

from __future__ import annotations

import pytest
import torch

import ppgn
from ppgn.cli.sample import _classes

SHOES = {"classes": 3, "class_names": ["Sandal", "Sneaker", "Ankle boot"]}


def test_names_and_numbers_are_the_same_classes():
    assert _classes(["ankle BOOT", "0", "Sneaker", "1"], SHOES) == [2, 0, 1, 1]
    assert _classes(["all"], SHOES) == [0, 1, 2]
    assert _classes(["2"], {"classes": 3}) == [2]


@pytest.mark.parametrize("label", ["3", "-1", "boot", "", "all"])
def test_labels_that_are_none(label):
    known = "one of 0..2, the model has 3 classes (Sandal, Sneaker, Ankle boot), got "
    with pytest.raises(ValueError, match=r"label must be all or ") as told:
        _classes(["0", label], SHOES)
    assert str(told.value).endswith(f"{known}{label!r}")


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
    assert "the model has 10 classes (T-shirt/top, Trouser, " in err
