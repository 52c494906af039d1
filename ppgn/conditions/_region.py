"""What is shown where: a condition that sees a part of the image alone, and a map of what lies where.

region         log p(y | the image within a mask, all else blank)
painted        a region for each value of a map: classes painted as on a sketch
segmentation   sum over pixels of log p(label there | x), by a network that labels every pixel
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ppgn.checks import require_eval, shown
from ppgn.conditions._algebra import Algebra, AllOf, all_of
from ppgn.conditions._class_label import Label, class_label
from ppgn.conditions._objectives import place_of
from ppgn.conditions._parts import drawn, in_nats, varies
from ppgn.types import Condition, Rng


def region(condition: Condition, mask: Tensor, *, fill: float = 0.0, crop: bool = False) -> Region:
    """The condition holds within the mask: it sees the image there and `fill` all around, so that its gradient paints
    inside alone.

    mask    (H, W) or (1, H, W) for all chains, or one per row (B, H, W), bool: true where the condition looks
    fill    of all other pixels, in [0, 1]: 0 for digits on black, 0.5 for photographs
    crop    show it the mask's bounding box alone, at the size that the box has; for one mask for all, and classifiers
            that take images of any size, as those of `ppgn.pretrained.classifier`

    Regions add up: `region(sky, above) + region(sea, below)`. Raises ValueError for a mask that is not bool, of another
    number of dimensions or true nowhere, a fill outside [0, 1], or masks a row with crop; a mask of another size than
    the image's is told when images are first met.

    >>> from ppgn.conditions import realism
    >>> left = torch.arange(4).expand(4, 4) < 2
    >>> region(realism(lambda x: x.flatten(1).sum(1)), left).log_prob(torch.ones(1, 1, 4, 4))
    tensor([8.])
    """
    if mask.dtype != torch.bool or mask.ndim not in (2, 3):
        raise ValueError(f"mask must be bool (H, W) or (B, H, W), got {mask.dtype} {tuple(mask.shape)}")
    if not bool(mask.flatten(-2).any(-1).all()):
        raise ValueError("mask must be true somewhere: the condition would see nothing")
    if not 0 <= fill <= 1:
        raise ValueError(f"fill must lie in [0, 1], got {fill}")
    mask = mask[0] if mask.ndim == 3 and len(mask) == 1 else mask
    if crop and mask.ndim == 3:
        raise ValueError(f"crop needs one mask for all chains, got {len(mask)}")
    return Region(condition, mask.clone(), fill, crop)


@dataclass(frozen=True)
class Region(Algebra):
    """See `region`."""

    condition: Condition
    mask: Tensor  # (H, W) or (B, H, W), bool
    fill: float
    crop: bool

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,). Raises ValueError if the mask is of another size than x."""
        b, _, *size = x.shape
        if list(self.mask.shape[-2:]) != size or (self.mask.ndim == 3 and len(self.mask) != b):
            raise ValueError(
                f"mask must be {size[0]}x{size[1]} as the image, one for all or one for each of {b} rows, "
                f"got {tuple(self.mask.shape)}"
            )
        mask = self.mask.to(x.device)
        shown = torch.where(mask if mask.ndim == 2 else mask[:, None], x, self.fill)
        rows, columns = _box(self.mask) if self.crop else (slice(None), slice(None))
        return self.condition.log_prob(shown[..., rows, columns])

    @property
    def nats(self) -> bool:
        """If the condition is."""
        return in_nats(self.condition)

    @property
    def varies(self) -> bool:
        """If the condition does."""
        return varies(self.condition)

    def drawn(self, rng: Rng, step: int, like: Tensor) -> Region:
        """The same region of the condition as it is at that step."""
        return replace(self, condition=drawn(self.condition, rng, step, like))

    def rows(self, index: Tensor) -> Region:
        """The same for those chains."""
        mask = self.mask if self.mask.ndim == 2 else self.mask.to(index.device)[index]
        return replace(self, condition=self.condition.rows(index), mask=mask)


def painted(
    classifier: Callable[[Tensor], Tensor],
    labels_map: Tensor,
    classes: Mapping[int, Label],
    *,
    fill: float = 0.0,
    crop: bool = False,
) -> AllOf:
    """A class in each part of a map: the sum of a `region` for every value that has one.

    labels_map   (H, W) whole numbers, as of a segmentation or a sketch
    classes      value of the map -> class, by number or name; other values are left free

    Raises ValueError for a map of another shape or type, or a value that the map has nowhere.

    >>> import ppgn
    >>> digits = ppgn.load("mnist")
    >>> halves = (torch.arange(28) >= 14).long().expand(28, 28)
    >>> one_and_seven = painted(digits.classifier, halves, {0: 1, 1: 7})
    """
    if labels_map.ndim != 2 or labels_map.is_floating_point() or labels_map.dtype == torch.bool:
        raise ValueError(f"labels_map must be whole numbers (H, W), got {labels_map.dtype} {tuple(labels_map.shape)}")
    missing = sorted(set(classes) - set(labels_map.unique().tolist()))
    if missing or not classes:
        raise ValueError(f"classes must have values of the map, {labels_map.unique().tolist()}, got {list(classes)}")
    return all_of(
        [
            region(class_label(classifier, label), labels_map == value, fill=fill, crop=crop)
            for value, label in classes.items()
        ]
    )


def segmentation(network: Callable[[Tensor], Tensor], labels_map: Tensor, *, ignore: int = -1) -> Segmentation:
    """Every pixel is what a map says: the sum over pixels of log p(label there | x).

    network      x (B, C, H, W) in [0, 1] -> logits (B, classes, h, w), in eval mode; brought to the map's size
    labels_map   (H, W) for all chains, or one per row (B, H, W): whole numbers, the class of each pixel
    ignore       the value of pixels that may be anything

    In nats, as if pixels were independent, which they are not: beside other conditions give it a weight well below 1.
    Raises ValueError for a map of another shape or type, with no pixel to go by, or negative classes.

    >>> bright = segmentation(lambda x: torch.cat([-x, x], 1), torch.ones(2, 2, dtype=torch.int64))
    >>> bright.log_prob(torch.zeros(1, 1, 2, 2))
    tensor([-2.7726])
    """
    require_eval(network, "network")
    if labels_map.ndim not in (2, 3) or labels_map.is_floating_point() or labels_map.dtype == torch.bool:
        got = f"{labels_map.dtype} {tuple(labels_map.shape)}"
        raise ValueError(f"labels_map must be whole numbers (H, W) or (B, H, W), got {got}")
    told = labels_map[labels_map != ignore]
    if not told.numel() or int(told.min()) < 0:
        raise ValueError(f"labels_map must hold classes from 0 on beside {ignore}, got {labels_map.unique().tolist()}")
    return Segmentation(network, labels_map.to(place_of(network), torch.int64, copy=True), ignore, int(told.max()))


@dataclass(frozen=True)
class Segmentation(Algebra):
    """See `segmentation`."""

    network: Callable[[Tensor], Tensor]
    labels_map: Tensor  # (H, W) or (B, H, W), where the network's weights are
    ignore: int
    largest: int

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        logits = shown(self.network, x, "network")
        if logits.ndim != 4 or len(logits) != len(x) or self.largest >= logits.shape[1]:
            raise ValueError(
                f"network must give logits (B, classes, h, w) with B = {len(x)} and more than {self.largest} classes, "
                f"got shape {tuple(logits.shape)}"
            )
        wanted = self.labels_map.to(x.device)
        wanted = wanted if wanted.ndim == 3 else wanted.expand(len(x), *wanted.shape)
        if len(wanted) != len(x):
            raise ValueError(f"labels_map must be one for all or one per row: {len(x)} rows, got {len(wanted)}")
        if logits.shape[2:] != wanted.shape[1:]:
            logits = interpolate(logits, wanted.shape[1:], mode="bilinear", align_corners=False)
        known = wanted != self.ignore
        log_p = logits.log_softmax(1).gather(1, torch.where(known, wanted, 0)[:, None])[:, 0]
        return torch.where(known, log_p, 0.0).flatten(1).sum(1)

    def rows(self, index: Tensor) -> Segmentation:
        """The same for those chains."""
        maps = self.labels_map
        return self if maps.ndim == 2 else replace(self, labels_map=maps.to(index.device)[index])


def _box(mask: Tensor) -> tuple[slice, slice]:
    """Rows and columns of the smallest box that holds what is true of a mask (H, W)."""
    rows, columns = mask.any(1).nonzero().flatten().tolist(), mask.any(0).nonzero().flatten().tolist()
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
