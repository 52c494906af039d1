from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from ppgn import images


def test_to_uint8_rounds_and_clips():
    x = torch.tensor([-0.5, 0.0, 0.5 / 255 + 1e-4, 100 / 255, 1.0, 3.0])
    assert images.to_uint8(x).tolist() == [0, 0, 1, 100, 255, 255]


def test_a_grid_without_labels_is_about_square():
    x = torch.linspace(0, 1, 9).view(9, 1, 1, 1).expand(9, 1, 56, 56)
    picture = np.asarray(images.grid(x).convert("L"))
    step = 56 + images.GAP
    centres = picture[images.GAP + 28 :: step, images.GAP + 28 :: step]
    assert centres.flatten().tolist() == images.to_uint8(torch.linspace(0, 1, 9)).tolist()


def test_labels_have_rows_of_their_own():
    x = torch.zeros(5, 3, 56, 56)
    for i in range(5):
        x[i, 0] = (i + 1) / 5
    picture = np.asarray(images.grid(x, labels=[3, 8, 3, 8, 8]))
    step = 56 + images.GAP
    assert picture.shape[0] == 2 * step + images.GAP
    right = picture[:, -3 * step :]
    reds = right[images.GAP + 28 :: step, images.GAP + 20 :: step, 0]
    assert reds[0].tolist() == [51, 153, 255]  # images 0 and 2, then white paper
    assert reds[1].tolist() == [102, 204, 255]  # 1, 3, 4
    assert (picture[:, : -3 * step] < 128).any()  # the names are written


def test_small_images_are_enlarged_by_a_whole_factor():
    x = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    picture = np.asarray(images.grid(x).convert("L"))[2:58, 2:58]
    assert (picture[::2, ::2] == images.to_uint8(x)[0, 0].numpy()).all()
    assert (picture[::2] == picture[1::2]).all()


def test_columns_and_rows_are_bounded():
    size = images.grid(torch.zeros(500, 1, 56, 56), labels=[i % 50 for i in range(500)], columns=4, rows=3).size
    assert size[1] == 3 * 58 + 2
    assert size[0] < 5 * 58 + 30


def test_gif(tmp_path):
    frames = [Image.new("RGB", (8, 8), (i * 60, 0, 0)) for i in range(4)]
    images.save_gif(tmp_path / "a.gif", frames, seconds=2.0)
    with Image.open(tmp_path / "a.gif") as walk:
        assert walk.n_frames == 4
        assert walk.info["duration"] == 500
        walk.seek(3)
        assert walk.info["duration"] == 1500
        assert walk.convert("RGB").getpixel((4, 4)) == pytest.approx((180, 0, 0), abs=2)


def test_a_picture_is_brought_to_the_shape_asked_for(tmp_path):
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:, 1:5] = (255, 0, 0)
    Image.fromarray(colours).save(tmp_path / "red.png")
    assert images.read(tmp_path / "red.png").shape == (1, 3, 4, 6)
    grey = images.read(tmp_path / "red.png", (1, 4, 4))
    assert torch.allclose(grey, torch.full((1, 1, 4, 4), 0.299))
    Image.fromarray(np.full((5, 5), 51, np.uint8)).save(tmp_path / "grey.png")
    assert torch.equal(images.read(tmp_path / "grey.png", (3, 5, 5)), torch.full((1, 3, 5, 5), 0.2))
    assert images.read(tmp_path / "grey.png", (1, 3, 3)).shape == (1, 1, 3, 3)


def test_what_is_no_picture_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        images.read(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(ValueError, match=r"text\.png must be a picture that can be read"):
        images.read(tmp_path / "text.png")
    with pytest.raises(ValueError, match=r"pictures are brought to squares \(C, H, H\), got \(1, 4, 5\)"):
        images.read(tmp_path / "text.png", (1, 4, 5))
