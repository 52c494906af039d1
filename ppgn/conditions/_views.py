"""A condition on random views of the image, others at each step: what one view alone shows does not last.

Shifts and zooms between steps are how noise that only a classifier sees is kept out of images (jitter: Mordvintsev et
al. 2015; Nguyen et al. 2016, Sec. 3.3; transformation robustness: Olah et al. 2017). Where the generator's image is
larger than the classifier's input, a shift under its centre crop is a random crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral

import torch
from torch import Tensor

from ppgn.conditions._algebra import Algebra
from ppgn.conditions._parts import drawn, in_nats, parts
from ppgn.types import Condition, Rng


def views(condition: Condition, shift: int = 16, n: int = 4, *, scale: tuple[float, float] | None = None) -> Views:
    """The mean of the condition's log p(y | view) over n random views of each image, drawn anew at each step.

    shift    the image is moved by a whole number of pixels from -shift to shift, across and down; what comes in at an
             edge repeats its last pixels
    n        views a step: so many times the classifier's work and memory (see `batch_size` of a pipeline)
    scale    (low, high): the image is also enlarged about its centre by a factor between them (1.25 shows the middle
             80 %; below 1 it shrinks, its edges repeated); None: not

    Views depend on (seed, chain, step) alone. Where no step was taken, and for `log_prob`, the view is the image
    itself. The walks that are not exact take it (mala_approx, ula, activation_max, annealed); exact ones refuse it.
    Views of views are drawn apart. Raises ValueError for a number out of range, or a shift or n that is not whole.

    >>> import ppgn
    >>> digits = ppgn.load("mnist", "ppgn-h")
    >>> seven = ppgn.conditions.class_label(digits.classifier, 7)
    >>> samples = ppgn.sample(digits.given(views(seven, shift=2)), n=2, steps=3, seed=0, progress=False)
    """
    if not (isinstance(shift, Integral) and isinstance(n, Integral)) or shift < 0 or n < 1:
        raise ValueError(f"shift and n must be whole numbers, shift at least 0 and n at least 1, got {shift=}, {n=}")
    if scale is not None and not 0 < scale[0] <= scale[1] < float("inf"):
        raise ValueError(f"scale must be (low, high) with 0 < low <= high, got {scale}")
    return Views(condition, int(shift), int(n), scale)


@dataclass(frozen=True)
class Views(Algebra):
    """See `views`."""

    condition: Condition
    shift: int
    n: int
    scale: tuple[float, float] | None

    @property
    def varies(self) -> bool:
        """Always."""
        return True

    @property
    def nats(self) -> bool:
        """If the condition is."""
        return in_nats(self.condition)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,) of the image as it is."""
        return self.condition.log_prob(x)

    def rows(self, index: Tensor) -> Views:
        """The same for those chains."""
        return replace(self, condition=self.condition.rows(index))

    def drawn(self, rng: Rng, step: int, like: Tensor) -> Viewed:
        """The condition on that step's views; like (B, ...)."""
        condition = drawn(self.condition, rng, step, like)
        # never half precision, which cannot tell the pixels of a larger image apart
        numbers = like.new_empty(len(like), self.n, 3, dtype=torch.promote_types(like.dtype, torch.float32))
        within = _within(self.condition)
        numbers = rng.uniform(numbers, step, f"views within {within}" if within else "views")
        offset = (numbers[..., :2] * (2 * self.shift + 1)).floor().clamp(max=2 * self.shift) - self.shift
        low, high = self.scale or (1.0, 1.0)
        zoom = None if self.scale is None else low + (high - low) * numbers[..., 2]
        return Viewed(condition, offset, zoom, self.shift)


@dataclass(frozen=True)
class Viewed:
    """The condition on the views of one step."""

    condition: Condition
    offset: Tensor  # (B, n, 2) whole pixels down and across
    zoom: Tensor | None  # (B, n)
    shift: int

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,), the mean over the views."""
        b, n, _ = self.offset.shape
        side = min(x.shape[-2:])
        if self.shift >= side:
            raise ValueError(f"shift must be less than the image's shorter side, {side} pixels, got {self.shift}")
        owner = torch.arange(b, device=x.device).repeat_interleave(n)
        shown = x[owner]
        for axis in (-2, -1):
            zoom = None if self.zoom is None else self.zoom.flatten()
            shown = _resampled(shown, axis, self.offset[..., axis].flatten(), zoom)
        return self.condition.rows(owner).log_prob(shown).view(b, n).mean(1)

    def rows(self, index: Tensor) -> Viewed:
        """The same views for those chains."""
        zoom = None if self.zoom is None else self.zoom[index]
        return replace(self, condition=self.condition.rows(index), offset=self.offset[index], zoom=zoom)


def _within(condition: Condition) -> int:
    """How deep views lie inside: each level draws numbers of its own."""
    return isinstance(condition, Views) + max(map(_within, parts(condition)), default=0)


def _resampled(x: Tensor, axis: int, offset: Tensor, zoom: Tensor | None) -> Tensor:
    """x (N, C, H, W) moved by offset (N,) pixels along an axis and enlarged by zoom (N,) about its middle.

    Without a zoom, pixels are copied; with one they lie between two, whose mean is weighted by nearness.
    """
    size = x.shape[axis]
    pixel = torch.arange(size, device=x.device, dtype=offset.dtype)
    middle = (size - 1) / 2
    place = pixel - offset[:, None] if zoom is None else middle + (pixel - middle) / zoom[:, None] - offset[:, None]
    below = place.floor()
    first = _taken(x, axis, below)
    if zoom is None:
        return first
    weight = _along(place - below, axis).to(x.dtype)
    return first + weight * (_taken(x, axis, below + 1) - first)


def _taken(x: Tensor, axis: int, place: Tensor) -> Tensor:
    """The lines of x at `place` (N, size), its last lines beyond its edges."""
    index = place.clamp(0, x.shape[axis] - 1).long()
    return x.gather(axis, _along(index, axis).expand(x.shape))


def _along(line: Tensor, axis: int) -> Tensor:
    """(N, size) so that it broadcasts over images with that size along the axis."""
    return line[:, None, :, None] if axis == -2 else line[:, None, None, :]
