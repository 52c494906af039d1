from __future__ import annotations

import numpy as np
import torch
from PIL import Image

import ppgn
from ppgn import images
from ppgn.ablation import pictures


def opened(path):
    with Image.open(path) as picture:
        return np.array(picture)


def test_a_row_of_each_label_and_of_each_step(tmp_path):
    labels = torch.tensor([3] * 12 + [7] * 12)
    pipeline = ppgn.load("mnist", "ppgn-h")
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, labels))
    samples = ppgn.sample(asked, 24, 4, 0, frames=2, progress=False)
    pictures.write(samples, labels, tmp_path / "picture.png", tmp_path / "walk.png")
    sheet, walk = opened(tmp_path / "picture.png"), opened(tmp_path / "walk.png")
    made = images.to_uint8(samples.images)[:, 0].numpy()
    assert sheet.shape == (2 * 28, 10 * 28)
    assert (sheet[28:, 9 * 28 :] == made[12 + 9]).all()
    assert walk.shape == (len(samples.frames) * 28, 2 * 28)
    assert (walk[-28:, :28] == made[0]).all()  # the last step, of each label's first chain
    assert (walk[-28:, 28:] == made[12]).all()
    assert (walk[:28, 28:] != made[12]).any()


def test_colours_and_no_walk(tmp_path):
    labels = torch.tensor([0, 1])
    made = torch.rand(2, 3, 4, 5)

    class Drawn:
        images = made
        frames = torch.empty(0, 2, 3, 4, 5, dtype=torch.uint8)
        frame_chains = torch.arange(2)

    pictures.write(Drawn(), labels, tmp_path / "picture.png", tmp_path / "walk.png")
    sheet = opened(tmp_path / "picture.png")
    assert (sheet[4:] == images.to_uint8(made[1]).permute(1, 2, 0).numpy()).all()
    assert not (tmp_path / "walk.png").exists()
