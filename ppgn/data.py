"""Image sets: an .npz file, a folder or archive of pictures, or any of torchvision's by name, as uint8 in memory.

Training order is a function of (seed, step), so a run resumed at any step sees the batches it would have seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor

from ppgn import cache, folders


@dataclass(frozen=True)
class ImageSet:
    """Images (N, C, H, W) uint8 and labels (N,) int64; labelled: False where nobody gave any, and all are 0."""

    images: Tensor
    labels: Tensor
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, c, h, w = self.images.shape
        return c, h, w

    def to(self, device: torch.device | str) -> ImageSet:
        """The same images on a device; uint8 keeps whole small sets there."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def part(self, text: str) -> ImageSet:
        """Return the images start:stop, as `0:30000`. Raises ValueError for another form or an empty part."""
        start, colon, stop = text.partition(":")
        if not colon or not all(s == "" or s.isdigit() for s in (start, stop)):
            raise ValueError(f"a part must be written start:stop, as 0:30000, got {text!r}")
        rows = slice(int(start or 0), int(stop) if stop else None)
        if len(self.images[rows]) == 0:
            raise ValueError(f"part {text} must hold images, but the set has {len(self)}")
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def per_class(self, n: int) -> ImageSet:
        """Return the first n images of every class, class by class. Raises ValueError if a class has fewer."""
        self.require_labels("a part of every class")
        rows = []
        for label in self.labels.unique():
            found = (self.labels == label).nonzero().flatten()[:n]
            if len(found) < n:
                raise ValueError(f"{n} images of every class are needed, class {int(label)} has {len(found)}")
            rows.append(found)
        index = torch.cat(rows)
        return replace(self, images=self.images[index], labels=self.labels[index])

    def require_labels(self, purpose: str) -> None:
        """Raise ValueError, saying who needs them (as "a classifier"), if the images have no labels."""
        _require_labels(self.labelled, purpose)


class Batch(NamedTuple):
    """Images (B, C, H, W) in [0, 1] and labels (B,), which mean nothing if not `labelled`."""

    images: Tensor
    labels: Tensor
    labelled: bool = True

    def require_labels(self, purpose: str) -> None:
        """As `ImageSet.require_labels`."""
        _require_labels(self.labelled, purpose)


def load(source: str, split: str = "train", size: int | None = None, strict: bool = False) -> ImageSet:
    """Read `split` ("train" or "test") of an image set.

    source: one of
        an .npz with x_train, y_train, x_test, y_test (uint8, N x H x W or N x H x W x 3); or, encoded, with
        jpeg_train (bytes), offset_train (N + 1 places in them) in place of x_train
        a folder or .zip of pictures, see `ppgn.folders`
        `torchvision:NAME`, as `torchvision:MNIST`, which downloads to `data` in the cache folder, see `ppgn.cache`
    size: of pictures of a folder or .zip, brought to size x size.
    strict: pictures of a folder or .zip that cannot be read are a ValueError, and not skipped with a warning.
    Raises FileNotFoundError, OSError for a download in offline mode,
    or ValueError naming the array that is missing or of another type.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, got {split!r}")
    path, named = Path(source), source.startswith("torchvision:")
    if path.is_dir() or (path.suffix == ".zip" and path.is_file()):
        images, labels = folders.read(path, split, size, strict)
        if labels is None:
            return replace(_image_set(images, np.zeros(len(images), np.int64), origin=source), labelled=False)
        return _image_set(images, labels, origin=source)
    if size is not None and (named or path.is_file()):
        raise ValueError(f"size is for a folder or .zip of pictures; the images of {source} have one already")
    if named:
        return _torchvision(source.removeprefix("torchvision:"), split)
    if not path.is_file():
        raise FileNotFoundError(
            f"image sets are .npz files, folders or .zip archives of pictures, or torchvision:NAME, "
            f"but there is no file {source}"
        )
    return _npz(path, split)


def to_float(images: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1]."""
    return images.float() / 255


def index_batches(n: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Tensor]:
    """Endless shuffled indices (batch_size,) from step `start` on; every epoch sees each index at most once.

    Raises ValueError if the batch is larger than the set.
    """
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size must lie in [1, {n}] for a set of {n}, got {batch_size}")
    per_epoch = n // batch_size
    step = start
    while True:
        epoch = step // per_epoch
        order = torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(n))
        for i in range(step % per_epoch, per_epoch):
            yield order[i * batch_size : (i + 1) * batch_size]
        step = (epoch + 1) * per_epoch


def batches(
    images: ImageSet,
    batch_size: int,
    seed: int,
    start: int = 0,
    flip: bool = False,
    device: torch.device | str | None = None,
) -> Iterator[Batch]:
    """Endless batches from step `start` on, on the device, or where the set is.

    flip: every second image, by chance, mirrored.
    """
    place = images.images.device if device is None else torch.device(device)
    for step, index in enumerate(index_batches(len(images), batch_size, seed, start), start):
        rows = index.to(images.images.device)
        chosen = to_float(images.images[rows].to(place))
        if flip:
            mirrored = torch.from_numpy(np.random.default_rng([seed, step, 1]).random(batch_size) < 0.5)
            chosen = torch.where(mirrored.to(place)[:, None, None, None], chosen.flip(-1), chosen)
        yield Batch(chosen, images.labels[rows].to(place), images.labelled)


def code_batches(
    codes: Sequence[Tensor], batch_size: int, seed: int, start: int = 0, crop: int = 0
) -> Iterator[Tensor]:
    """Endless batches of codes (B, ...) from step `start` on, from the sets in turn.

    crop: latent maps (N, channels, H, W) that are larger are cut to crop x crop, at a place drawn for each batch.
    """
    turns = len(codes)
    orders = [
        index_batches(len(part), batch_size, seed, (start - i + turns - 1) // turns) for i, part in enumerate(codes)
    ]
    for step in count(start):
        part = codes[step % turns]
        rows = next(orders[step % turns]).to(part.device)
        chosen = part[rows]
        if crop and chosen.ndim == 4:
            height, width = (max(0, side - crop) for side in chosen.shape[2:])
            top, left = np.random.default_rng([seed, step, 2]).integers(0, [height + 1, width + 1])
            chosen = chosen[:, :, top : top + crop, left : left + crop]
        yield chosen


def _require_labels(labelled: bool, purpose: str) -> None:
    if not labelled:
        raise ValueError(
            f"{purpose} needs labels, but the images have none: put the pictures of each class in a folder of its own, "
            "or a labels.csv beside them"
        )


def _npz(path: Path, split: str) -> ImageSet:
    try:
        with open(path, "rb") as stream, NpzFile(stream, allow_pickle=False) as file:
            encoded = f"jpeg_{split}" in file
            needed = [f"jpeg_{split}", f"offset_{split}"] if encoded else [f"x_{split}"]
            arrays = []
            for name in (*needed, f"y_{split}"):
                if name not in file:
                    raise ValueError(f"{path} must hold the array {name}, it has {sorted(file)}")
                arrays.append(file[name])
    except (OSError, EOFError, ValueError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} must be an .npz image set: {error}") from None
    pictures, labels = arrays[0], arrays[-1]
    if encoded:
        pictures = _pictures(pictures, arrays[1], origin=f"{path}: offset_{split}")
    return _image_set(pictures, labels, origin=str(path))


def _pictures(content: np.ndarray, offsets: np.ndarray, origin: str) -> np.ndarray:
    """Encoded pictures laid end to end, picture i at offsets[i]:offsets[i + 1]."""
    whole, places = content.tobytes(), offsets.ravel().tolist()
    rising = len(places) > 1 and np.issubdtype(offsets.dtype, np.integer) and (np.diff(offsets.ravel()) > 0).all()
    if not rising or places[0] != 0 or places[-1] != len(whole):
        raise ValueError(f"{origin} must be whole numbers that rise from 0 to the {len(whole)} bytes there are")
    return folders.decode([whole[a:b] for a, b in pairwise(places)])


def _torchvision(name: str, split: str) -> ImageSet:
    import torchvision

    known = getattr(torchvision.datasets, name, None)
    if known is None:
        raise ValueError(f"torchvision:NAME must name a data set of torchvision.datasets, got {name!r}")
    root = cache.home() / cache.DATA
    try:
        found = known(root, train=split == "train", download=not cache.offline())
    except RuntimeError as error:
        if not cache.offline():
            raise
        raise OSError(
            f"torchvision:{name} must be in {root}, since offline mode is set ({', '.join(cache.switched())}), but "
            "is not there; connect once, or point PPGN_HOME to a copy of another machine's cache"
        ) from error
    return _image_set(np.asarray(found.data), np.asarray(found.targets), origin=f"torchvision:{name}")


def _image_set(images: np.ndarray, labels: np.ndarray, origin: str) -> ImageSet:
    grey, colour = images.ndim == 3, images.ndim == 4 and images.shape[-1] == 3
    if images.dtype != np.uint8 or not (grey or colour):
        raise ValueError(
            f"{origin}: images must be uint8, N x H x W or N x H x W x 3, got {images.dtype} {images.shape}"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{origin}: one label an image is needed, got {labels.shape} for {images.shape[0]} images")
    if not np.issubdtype(labels.dtype, np.integer) or (len(labels) and labels.min() < 0):
        raise ValueError(f"{origin}: labels must be whole numbers from 0 on, got {labels.dtype} from {labels.min()}")
    stacked = images[:, None] if grey else images.transpose(0, 3, 1, 2)
    return ImageSet(torch.from_numpy(np.ascontiguousarray(stacked)), torch.from_numpy(labels.astype(np.int64)))
