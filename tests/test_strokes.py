"""Thickness, width and slant of what is drawn with known ones, and the grammar of the sentences."""

from __future__ import annotations

import math

import pytest
import torch

from ppgn import data, strokes
from ppgn.strokes import SENTENCES, VOCABULARY, measure, sentence


def bar(width: float, length: float, degrees: float = 0.0, side: int = 64, grain: int = 8) -> torch.Tensor:
    """A bar (1, 1, side, side) whose middle line is sheared by an angle, each pixel the share of it that is covered."""
    fine = (torch.arange(side * grain) + 0.5) / grain - side / 2
    y, x = fine[:, None], fine[None, :]
    middle = -y * math.tan(math.radians(degrees))  # the top leans right
    inside = ((x - middle).abs() < width / 2) & (y.abs() < length / 2)
    return torch.nn.functional.avg_pool2d(inside[None, None].float(), grain)


@pytest.mark.parametrize(("width", "length"), [(4, 20), (2, 30), (8, 8), (6, 40)])
def test_an_upright_bar_on_whole_pixels(width, length):
    """2 area / boundary, whose corners are cut off from middle to middle of two pixels; spreads of a uniform law."""
    x = bar(width, length)
    thickness, across, slant = measure(x)
    assert thickness.item() == pytest.approx(2 * width * length / (2 * (width + length) - 4 + 8**0.5), rel=1e-5)
    assert across.item() == pytest.approx(width / length, rel=1e-5)
    assert slant.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("degrees", [-40, -12, 5, 25])
def test_the_slant_and_width_of_a_sheared_bar_are_those_it_was_drawn_with(degrees):
    found = measure(bar(4, 40, degrees))
    assert found.slant.item() == pytest.approx(degrees, abs=0.5)
    assert found.width.item() == pytest.approx(0.1, rel=0.12)  # pixels that are covered in part spread it out


@pytest.mark.parametrize("degrees", [-40, -12, 0, 12, 40])
def test_a_long_sheared_line_is_as_thick_as_it_is_across(degrees):
    thickness = measure(bar(4 / math.cos(math.radians(degrees)), 50, degrees)).thickness.item()
    ends = 4 / (1 + 4 / (50 / math.cos(math.radians(degrees))))  # area and boundary of a strip with its ends
    assert thickness == pytest.approx(ends, rel=0.03)


def test_neither_contrast_nor_place_matters_and_a_mirror_turns_the_slant():
    x = torch.cat([bar(3, 30, 20), bar(5, 20, -10)])
    found = measure(x)
    for other in (measure(0.3 * x), measure(x.roll((5, -7), (2, 3)))):
        for a, b in zip(found, other, strict=True):
            assert torch.allclose(a, b, atol=1e-3)
    mirrored = measure(x.flip(3))
    assert torch.allclose(mirrored.slant, -found.slant, atol=1e-3)
    assert torch.allclose(mirrored.thickness, found.thickness, rtol=1e-5)


def test_a_blank_image_has_no_measures():
    assert [value.item() for value in measure(torch.zeros(1, 1, 8, 8))] == [0, 0, 0]


def test_the_270_sentences_are_different_and_made_of_twenty_words():
    assert len(set(SENTENCES)) == len(SENTENCES) == 270
    assert len(VOCABULARY) == 20
    assert sentence(7, 2, 2, 2) == "a thick wide seven leaning right"
    assert sentence(8, 1, 1, 1) == "an eight upright"
    assert sentence(8, 0, 1, 0) == "a thin eight leaning left"


def test_numbers_are_the_places_of_the_sentences():
    levels, digits = torch.tensor([[2, 0, 1], [1, 1, 2]]), torch.tensor([3, 9])
    said = [SENTENCES[i] for i in strokes.numbers(levels, digits)]
    assert said == ["a thick narrow three upright", "a nine leaning right"]


def test_thirds_are_thirds_and_widths_those_of_the_digit():
    rng = torch.Generator().manual_seed(0)
    digits = torch.arange(10).repeat(300)
    found = strokes.Strokes(*(torch.rand(3000, generator=rng) for _ in range(3)))
    found = found._replace(width=found.width + digits)  # no two digits alike
    limits = strokes.thirds(found, digits)
    levels = strokes.levels(found, digits, limits)
    for column in levels.T:
        assert torch.bincount(column).tolist() == [1000, 1000, 1000]
    for digit in range(10):
        assert torch.bincount(levels[digits == digit, 1]).tolist() == [100, 100, 100]


def test_real_digits_lean_both_ways(mnist_file):
    """The thresholds of the slant mean what their words say, and the generator's own pictures keep the measures."""
    images = data.load(mnist_file).part("0:5000")
    found = strokes.measure(data.to_float(images.images))
    low, high = strokes.thirds(found, images.labels).slant
    assert -3 < low < 3 < 9 < high < 16
    assert 1.5 < found.thickness.median() < 3.5


def test_errors():
    with pytest.raises(ValueError, match=r"images must be grey \(B, 1, H, W\), got \(2, 3, 8, 8\)"):
        measure(torch.zeros(2, 3, 8, 8))
    found = measure(torch.rand(3, 1, 8, 8))
    with pytest.raises(ValueError, match=r"labels must be the digits 0\.\.9, each at least once, got \[0, 1, 5\]"):
        strokes.thirds(found, torch.tensor([0, 1, 5]))


def test_thresholds_survive_json():
    limits = strokes.Thirds((1.0, 2.0), tuple((0.1 * i, 0.2 * i) for i in range(10)), (-1.0, 12.0))
    record = {"thickness": [1.0, 2.0], "width": [[0.1 * i, 0.2 * i] for i in range(10)], "slant": [-1.0, 12.0]}
    assert strokes.from_json(record) == limits
