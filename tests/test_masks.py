from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from targets import assert_close

from ppgn import masks
from ppgn.files import DamagedFileError

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def test_a_square_lies_where_it_was_asked_to():
    hole = masks.square((6, 9), (2, 3), at=(1, 5))
    assert hole.dtype == torch.bool
    assert hole.nonzero().tolist() == [[1, 5], [1, 6], [1, 7], [2, 5], [2, 6], [2, 7]]
    assert masks.square(7, 3).nonzero().min() == 2  # the middle of an odd side
    assert masks.square(7, 3).sum() == 9
    assert masks.square(5, 5).all()
    several = masks.square(6, 2, at=[(0, 0), (4, 4)])
    assert torch.equal(several, torch.stack([masks.square(6, 2, at=(0, 0)), masks.square(6, 2, at=(4, 4))]))
    assert torch.equal(masks.square(6, 2, n=3), masks.square(6, 2).expand(3, 6, 6))
    assert torch.equal(masks.square(6, 2, at=(4, 0), n=2), masks.square(6, 2, at=(4, 0)).expand(2, 6, 6))


def test_random_places_are_all_as_likely_and_a_row_is_its_own():
    """A hole of 2 in 4 has nine places."""
    n = 9000
    holes = masks.square(4, 2, at="random", seed=3, n=n)
    assert (holes.sum((1, 2)) == 4).all()
    corner = holes.flatten(1).int().argmax(1)
    counts = torch.bincount(corner)
    assert corner.unique().tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert_close(counts[counts > 0] / n, 1 / 9, (1 / 9 * 8 / 9 / n) ** 0.5)
    assert torch.equal(masks.square(4, 2, at="random", seed=3, n=5), holes[:5])
    assert torch.equal(masks.square(4, 2, at="random", seed=3), holes[0])
    assert not torch.equal(masks.square(4, 2, at="random", seed=4, n=9), holes[:9])


def test_the_border_is_unknown_but_for_the_sides_that_are_kept():
    hole = masks.edge((5, 7), 2)
    assert torch.equal(~hole, masks.square((5, 7), (1, 3)))
    strip = masks.edge((5, 7), 2, keep=("top", "left", "right"))
    assert torch.equal(strip, masks.square((5, 7), (2, 7), at=(3, 0)))
    assert torch.equal(masks.edge(5, 1, keep="left"), masks.edge(5, 1, keep=["left"]))
    assert not masks.edge(5, 1, keep="left")[2, 0]


@pytest.mark.parametrize(
    ("keep", "corner", "sides"),
    [("top", (3, 0), (2, 6)), ("bottom", (0, 0), (2, 6)), ("left", (0, 3), (5, 3)), ("right", (0, 0), (5, 3))],
)
def test_one_half_is_known(keep, corner, sides):
    assert torch.equal(masks.half((5, 6), keep), masks.square((5, 6), sides, at=corner))


def test_pixels_are_unknown_by_chance_and_apart():
    n, share = 400, 0.3
    holes = masks.random((10, 12), share, seed=1, n=n)
    assert holes.shape == (n, 10, 12)
    assert_close(holes.float().mean(), share, (share * (1 - share) / holes.numel()) ** 0.5)
    both = (holes[:, :, 1:] & holes[:, :, :-1]).float().mean()
    assert_close(both, share**2, (share**2 * (1 - share**2) / (n * 110)) ** 0.5)
    assert torch.equal(masks.random((10, 12), share, seed=1), holes[0])
    assert torch.equal(masks.random((10, 12), share, seed=1, n=3), holes[:3])


def saved(path, array, mode=None):
    Image.fromarray(array.astype(np.uint8), mode).save(path)
    return path


def test_light_or_dark_is_the_hole_in_a_file(tmp_path):
    grey = np.zeros((4, 6))
    grey[1:3, 2:5] = 255
    path = saved(tmp_path / "hole.png", grey)
    light = masks.from_file(path, (4, 6))
    assert torch.equal(light, masks.square((4, 6), (2, 3), at=(1, 2)))
    assert torch.equal(masks.from_file(path, hole="dark"), ~light)
    assert torch.equal(masks.from_file(saved(tmp_path / "rgb.png", np.stack([grey] * 3, -1))), light)
    assert masks.from_file(saved(tmp_path / "l.png", np.array([[127, 128]]))).tolist() == [[False, True]]


def test_what_is_transparent_is_the_hole_whatever_its_colour(tmp_path):
    rgba = np.full((3, 3, 4), 255)
    rgba[0, 0, 3] = 0
    rgba[1, 1] = (0, 0, 0, 127)
    rgba[2, 2] = (0, 0, 0, 128)
    path = saved(tmp_path / "cut.png", rgba)
    assert masks.from_file(path).nonzero().tolist() == [[0, 0], [1, 1]]
    assert torch.equal(masks.from_file(path, hole="dark"), masks.from_file(path))
    opaque = np.full((3, 3, 4), 255)  # as many programs save what has no transparency
    opaque[0, :, :3] = 0
    assert torch.equal(masks.from_file(saved(tmp_path / "opaque.png", opaque)), masks.square(3, (2, 3), at=(1, 0)))


def test_a_file_of_another_size_is_resized_only_if_asked(tmp_path):
    path = saved(tmp_path / "hole.png", np.array([[0, 255], [0, 0]]))
    with pytest.raises(ValueError, match=r"hole.png must be of the image's size, 4x6, got 2x2; resize=True"):
        masks.from_file(path, (4, 6))
    assert torch.equal(masks.from_file(path, (4, 6), resize=True), masks.square((4, 6), (2, 3), at=(0, 3)))


def test_files_that_are_no_masks(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none.png"):
        masks.from_file(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DamagedFileError, match=r"text.png must be a picture that can be read"):
        masks.from_file(tmp_path / "text.png")
    with pytest.raises(ValueError, match=r"must show both a hole and what is known, but is all hole"):
        masks.from_file(saved(tmp_path / "white.png", np.full((2, 2), 255)))
    with pytest.raises(ValueError, match=r"but is all known"):
        masks.from_file(saved(tmp_path / "black.png", np.zeros((2, 2))))
    with pytest.raises(ValueError, match=r"hole must be 'light' or 'dark', got 'red'"):
        masks.from_file(tmp_path / "white.png", hole="red")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: masks.square(28, 30), "hole must fit into the image of 28x28, got 30x30"),
        (lambda: masks.square((8, 4), (4, 5)), "image of 8x4, got 4x5"),
        (lambda: masks.square(8, 4, at=(5, 0)), r"hole of 4x4 must lie inside the image of 8x8, got at=\(5, 0\)"),
        (lambda: masks.square(8, 4, at=(-1, 0)), "must lie inside"),
        (lambda: masks.square(8, 4, at="middle"), "at must be 'center', 'random' or .* got 'middle'"),
        (lambda: masks.square(8, 4, at=(1, 2, 3)), r"at must be .* got \(1, 2, 3\)"),
        (lambda: masks.square(8, 4, at=[(0, 0)], n=3), "one corner, or one for each of 3 holes, got 1"),
        (lambda: masks.square(8, 4, n=0), "n must be at least 1 hole, got 0"),
        (lambda: masks.square(0, 4), "size must be a side or .* whole and positive, got 0"),
        (lambda: masks.square(8, 2.5), "side must be a side or .* got 2.5"),
        (lambda: masks.edge(8, 4), "must leave some pixels of 8x8 known, got width=4"),
        (lambda: masks.edge(8, 0), "width must be at least 1 pixel, got 0"),
        (lambda: masks.edge(8, 1, keep="up"), "keep must be of top, bottom, left, right, and not all, got 'up'"),
        (lambda: masks.edge(8, 1, keep=("top", "bottom", "left", "right")), "and not all"),
        (lambda: masks.half(8, "middle"), "keep must be one of top, bottom, left, right, got 'middle'"),
        (lambda: masks.half((1, 4), "top"), "width must be at least 1 pixel"),
        (lambda: masks.random(8, 0.0, 0), "share must lie between 0 and 1, got 0.0"),
        (lambda: masks.random(8, 1.0, 0), "share must lie between 0 and 1, got 1.0"),
        (lambda: masks.random(8, 0.5, 0, n=0), "n must be at least 1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
