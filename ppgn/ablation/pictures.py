"""The pictures of a cell, at their own size and without gaps, for a page to enlarge: its images, and the walk to them.

pictures/ID.png   a row for each label, in their order, of its first images
walks/ID.png      a row for each kept step, of the first chain of each label
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ppgn import files, images
from ppgn.samples import Samples

ACROSS = 10  # images a label, and labels of a walk
FRAMES = 16  # kept steps of a walk, about


def write(samples: Samples, labels: Tensor, picture: Path, walk: Path) -> None:
    """Both pictures of a cell's samples, labels (n,) class by class; no walk where the sampler keeps none."""
    kinds = labels.unique_consecutive()
    shown = torch.cat([(labels == label).nonzero()[:ACROSS, 0] for label in kinds])
    _save(images.to_uint8(samples.images[shown]), len(kinds), picture)
    first = torch.stack([(labels == label).nonzero()[0, 0] for label in kinds[:ACROSS]])
    place = (samples.frame_chains == first[:, None]).nonzero()[:, 1]
    if len(samples.frames) > 1 and len(place):
        _save(samples.frames[:, place].flatten(0, 1), len(samples.frames), walk)


def _save(pictures: Tensor, rows: int, path: Path) -> None:
    """Pictures (rows * columns, C, H, W) uint8, row by row."""
    _, channels, height, width = pictures.shape
    laid = pictures.view(rows, -1, channels, height, width).permute(0, 3, 1, 4, 2).reshape(rows * height, -1, channels)
    sheet = Image.fromarray((laid[..., 0] if channels == 1 else laid).numpy())
    with files.atomic(path) as temporary:
        sheet.save(temporary, "PNG", optimize=True)
