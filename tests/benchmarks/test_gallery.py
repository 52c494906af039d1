"""Pictures are found, drawn and captioned; what cannot be drawn is left out with a reason."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
ASKED = {"clothes", "foreign-classifier", "cifar10", "house-numbers", "faces", "maximised-classes", "natural-classes"}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


@pytest.fixture
def shared(script):
    if not script("thirdparty").WEIGHTS.exists():
        pytest.skip("the third-party networks are not beside the repository")


def test_every_module_contributes(script):
    found = script("gallery").pictures()
    assert set(found) >= ASKED
    for name, picture in found.items():
        assert callable(picture.draw), name
        assert picture.caption.endswith("."), name


def test_names_must_differ(script, monkeypatch, tmp_path):
    for name in ("gallery_one", "gallery_two"):
        (tmp_path / f"{name}.py").write_text("PICTURES = {'same': None}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"must differ, gallery_two.py repeats \['same'\]"):
        script("gallery").pictures(tmp_path)


def test_what_is_missing_is_left_out(script, tmp_path, capsys):
    pictures = script("pictures")

    def missing():
        raise FileNotFoundError("there is no such bundle")

    def white():
        return pictures.Drawn(Image.new("RGB", (30, 20), "white"), "All white.")

    chosen = {"gone": pictures.Picture(missing, "Gone."), "here": pictures.Picture(white, "Here.")}
    assert script("gallery").write(chosen, tmp_path / "out") == ["here"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["here.png"]
    assert "gone: left out, there is no such bundle" in capsys.readouterr().out


def test_only_known_names(script, capsys):
    with pytest.raises(SystemExit):
        script("gallery").main(["--only", "nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err


def test_captions_are_broken_into_lines_that_fit(script):
    pictures = script("pictures")
    narrow = pictures.captioned(Image.new("RGB", (500, 10)), "word " * 60)
    assert narrow.width == 500 + 2 * pictures.MARGIN
    assert narrow.height >= 10 + 3 * pictures.LINE


def test_beside_keeps_both_pictures(script):
    pictures = script("pictures")
    image = pictures.beside([("a", Image.new("RGB", (40, 10), "red")), ("b", Image.new("RGB", (50, 30), "blue"))])
    assert image.size == (40 + pictures.GAP + 50, 30 + pictures.LINE + 6)
    assert image.getpixel((5, pictures.LINE + 8)) == (255, 0, 0)
    assert image.getpixel((40 + pictures.GAP + 5, pictures.LINE + 30)) == (0, 0, 255)


def test_enlarged_keeps_the_sides_and_the_range(script):
    image = torch.rand(2, 1, 8, 4, generator=torch.Generator().manual_seed(0)).round()
    large = script("pictures").enlarged(image, 12)
    assert large.shape == (2, 1, 24, 12)
    assert 0 <= large.min() <= large.max() <= 1


@pytest.mark.filterwarnings("ignore::ppgn.SamplingWarning")  # so few steps make no draws
def test_every_class_has_its_row(script):
    drawn = script("gallery_bundles").every_class("fashion", columns=1, steps=2)
    assert drawn.image.height >= 10 * 84
    assert drawn.told.startswith("Sampler: annealed (not exact), 2 steps, 10 chains, seed 0, none left out; mean log p")


def test_a_bundle_that_is_not_there(script):
    with pytest.raises(FileNotFoundError, match=r"there is no bundle nothing yet: .*mnist"):
        script("gallery_bundles").every_class("nothing")


def test_reading_a_digit_is_a_probability_of_both_polarities(script):
    """A classifier that sees no difference between places gives each the same: log p is nine times that of one."""
    networks = script("gallery_networks")
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 10)).eval()
    for p in classifier.parameters():
        nn.init.zeros_(p)
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    read = networks.ReadAsDigit(classifier, torch.tensor([1, 7]))
    torch.testing.assert_close(read.log_prob(x), torch.full((2,), 9 * torch.tensor(0.1).log()))


def test_reading_a_digit_keeps_rows_and_ignores_polarity(script):
    networks = script("gallery_networks")
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 10)).eval()
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    read = networks.ReadAsDigit(classifier, torch.tensor([1, 7, 3]))
    index = torch.tensor([2, 0])
    torch.testing.assert_close(read.rows(index).log_prob(x[index]), read.log_prob(x)[index])


def test_particles_of_every_ancestor_come_first(script):
    ancestor, among = torch.tensor([5, 5, 9, 5, 2, 2]), torch.tensor([True, True, True, True, False, True])
    assert script("gallery_networks").first_of_each(ancestor, among).tolist() == [0, 2, 5, 1, 3]


def test_a_power_multiplies_log_p(script):
    import ppgn

    classifier = nn.Sequential(nn.Flatten(), nn.Linear(16, 5)).eval()
    label, x = ppgn.conditions.class_label(classifier, [0, 2, 4]), torch.rand(3, 1, 4, 4)
    power = script("gallery_networks").Power(label, 3)
    torch.testing.assert_close(power.log_prob(x), 3 * label.log_prob(x))
    index = torch.tensor([2, 0])
    torch.testing.assert_close(power.rows(index).log_prob(x[index]), 3 * label.log_prob(x)[index])


@pytest.mark.filterwarnings("ignore::ppgn.SamplingWarning")
@pytest.mark.parametrize("name", ["house_numbers", "faces"])
def test_networks_of_others(script, shared, monkeypatch, name):
    networks = script("gallery_networks")
    monkeypatch.setattr(networks, "BUDGET", 1)  # steps
    small = {"house_numbers": {"digits": 2}, "faces": {"names": ("wig",), "size": 48}}[name]
    drawn = getattr(networks, name)(columns=2, particles=10, moves=1, **small)
    assert drawn.told.startswith("Sampler: smc (exact in the limit), 10 particles each, which descend from ")
    assert ", 1 steps, seed 0; mean log p(y|x)" in drawn.told
    assert drawn.image.width > 2 * 64


def test_maximised_classes_are_told(script, shared):
    drawn = script("gallery_maximised").units(("junco", "volcano"), each=1, steps=1)
    assert drawn.told.startswith("1 steps, 2 chains, seed 0, none left out; p(class) on average 0.")
    assert drawn.image.height > 128


@pytest.mark.filterwarnings("ignore::ppgn.SamplingWarning")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("walks", "after 1 steps; no chain left out"),
        ("fresh", "after 1 steps"),
        ("holes", "no chain left out. Known pixels are met to"),
    ],
)
def test_photographs(script, shared, monkeypatch, name, told):
    natural = script("gallery_natural")
    small = {
        "SIDE": 64,
        "NEW": ("junco", "volcano"),
        "EACH": 1,
        "NEW_SIDE": 32,
        "DRAWN": 2,
        "FILLS": {"flower.jpg": ("bee",)},
    }
    for constant, value in {**small, "HOLE": 8, "HOLE_SIDE": 32, "VIEWS": {"shift": 2, "n": 1}}.items():
        monkeypatch.setattr(natural, constant, value)
    monkeypatch.setattr(natural, "WALKED", 1)
    drawn = getattr(natural, name)()
    assert told in drawn.told
    assert drawn.image.width >= 64
