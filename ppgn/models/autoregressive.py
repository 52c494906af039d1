"""Draw images from an autoregressive network: several ways, one and the same image.

The noise is drawn beforehand, so an image is a function of it: x_i = f(parameters_i(x_<i), noise_i). `way` says how
these equations are solved:

    naive         one pixel after the other, the whole network for each
    cached        the same, but nothing is computed twice (Ramachandran et al. 2017, arXiv:1704.06001)
    fixed_point   all pixels at once, again and again until nothing changes: Jacobi's iteration, at most a round per
                  pixel (Song et al. 2021, arXiv:2002.03629; Wiggers & Hoogeboom 2020, arXiv:2002.09928)
    hybrid        rows one after the other, their pixels by Jacobi's iteration on the horizontal stack

They differ by the rounding of the parameters alone, which is seen where the noise is as near to a threshold: of binary
images of 28x28 about one in 20,000 differs in single precision, one in 10^13 in double (a network of 10 layers; both
from the mean difference of its probabilities). On a GPU that is to hold, convolutions must not round to TF32
(torch.backends.cudnn.allow_tf32), as they do unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ppgn.models.likelihoods import Likelihood
from ppgn.models.pixelcnn import GatedPixelCNN
from ppgn.models.pixelcnn_cache import Pixels, Rows


@runtime_checkable
class Autoregressive(Protocol):
    """A network whose parameters of a pixel depend on the pixels before it, in raster order, alone."""

    image_shape: tuple[int, int, int]
    likelihood: Likelihood
    training: bool

    def __call__(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) in [0, 1] -> parameters (B, maps, H, W)."""
        ...


class Drawn(NamedTuple):
    """Images (B, C, H, W), and how many evaluations they took, one after the other.

    An evaluation is one of the whole network (naive, fixed_point), of the horizontal stack on a row (hybrid) or on a
    pixel (cached); for the last two the vertical stack's, one a row, count as well.
    """

    images: Tensor
    calls: int


class _Task(NamedTuple):
    """What is to be drawn: images that hold what is known, the noise, and what stays (B, C, H, W), if anything does."""

    start: Tensor
    noise: Tensor
    label: Tensor | None
    mask: Tensor | None


def draw(
    model: Autoregressive,
    noise: Tensor,
    label: Tensor | None = None,
    way: str = "cached",
    known: Tensor | None = None,
    mask: Tensor | None = None,
) -> Drawn:
    """Images of the model, one per row of noise.

    model   in eval mode; a GatedPixelCNN for "cached" and "hybrid", any other for "naive" and "fixed_point"
    noise   (B, N, H, W) from `model.likelihood.noise`, of the model's dtype and device
    label   (B,), for a model of labelled images
    known   (B, C, H, W) in [0, 1]: images of which the pixels in `mask` are kept, and the others drawn
    mask    True where a pixel is known, of a shape that broadcasts to that of the images

    Each pixel is drawn given those before it, known ones among them. So a completion is a sample of p(x | known) if all
    known pixels come before all others, as an upper part does; those further on are kept, but not looked at.

    Raises ValueError for an unknown way, one that the model has no stacks for, a model in training mode, noise of
    another size, known without mask or the other way round.

    >>> from ppgn.random import streams
    >>> network = GatedPixelCNN((1, 4, 4), width=4, layers=2, kernel=3).eval()
    >>> noise = network.likelihood.noise(torch.empty(2, 1, 4, 4), streams(seed=0, n=2))
    >>> bool((draw(network, noise).images == draw(network, noise, way="fixed_point").images).all())
    True
    """
    if model.training:
        raise ValueError("model must be in eval mode, so that dropout is off: call .eval()")
    task = _task(model, noise, label, known, mask)
    with torch.no_grad():
        if way in STACKED:
            if not isinstance(model, GatedPixelCNN):
                raise ValueError(f"{way} needs a GatedPixelCNN; use one of {sorted(WHOLE)} for {type(model).__name__}")
            return STACKED[way](model, task)
        if way not in WHOLE:
            raise ValueError(f"way must be one of {sorted([*WHOLE, *STACKED])}, got {way!r}")
        return WHOLE[way](model, task)


def _naive(model: Autoregressive, task: _Task) -> Drawn:
    x, calls = task.start.clone(), 0
    for i, j, c in _order(model):
        if task.mask is not None and task.mask[:, c, i, j].all():
            continue
        at = (slice(None), slice(None), slice(i, i + 1), slice(j, j + 1))
        value = _kept(model.likelihood.sample(model(x, task.label)[at], task.noise[at]), task, at)
        x[:, c, i, j] = value[:, c, 0, 0]
        calls += 1
    return Drawn(x, calls)


def _cached(model: GatedPixelCNN, task: _Task) -> Drawn:
    x, calls = task.start.clone(), 0
    rows, pixels = Rows(model, task.label), Pixels(model, x)
    for i, j, c in _order(model):
        if j == 0 and not c.start:
            pixels.begin(rows.told(_row_above(x, i)))
            calls += 1
        at = (slice(None), slice(None), slice(i, i + 1), slice(j, j + 1))
        value = _kept(model.likelihood.sample(pixels.parameters(j), task.noise[at]), task, at)
        x[:, c, i, j] = value[:, c, 0, 0]
        pixels.put(j, x[:, :, i, j])
        calls += 1
    return Drawn(x, calls)


def _fixed_point(model: Autoregressive, task: _Task) -> Drawn:
    def again(x: Tensor) -> Tensor:
        return _kept(model.likelihood.sample(model(x, task.label), task.noise), task, ())

    return Drawn(*_settled(again, task.start, most=len(_order(model))))


def _hybrid(model: GatedPixelCNN, task: _Task) -> Drawn:
    x, calls, rows = task.start.clone(), 0, Rows(model, task.label)
    most = len(_order(model)) // x.shape[2]
    for i in range(x.shape[2]):
        at = (slice(None), slice(None), slice(i, i + 1))
        told = rows.told(_row_above(x, i))

        def again(row: Tensor, told: list[Tensor] = told, at: tuple[slice, ...] = at) -> Tensor:
            return _kept(model.likelihood.sample(model.beside(row, told), task.noise[at]), task, at)

        x[at], rounds = _settled(again, x[at], most)
        calls += rounds + 1
    return Drawn(x, calls)


WHOLE: dict[str, Callable[[Autoregressive, _Task], Drawn]] = {"fixed_point": _fixed_point, "naive": _naive}
STACKED: dict[str, Callable[[GatedPixelCNN, _Task], Drawn]] = {"cached": _cached, "hybrid": _hybrid}


def _settled(again: Callable[[Tensor], Tensor], x: Tensor, most: int) -> tuple[Tensor, int]:
    """Repeat until nothing changes; after n rounds the first n sub-pixels are right, so `most` rounds are enough."""
    for rounds in range(1, most + 1):
        before, x = x, again(x)
        if torch.equal(before, x):
            return x, rounds
    return x, most


def _order(model: Autoregressive) -> list[tuple[int, int, slice]]:
    """Row, column and channels of each step, in the order in which the network may be asked."""
    channels, height, width = model.image_shape
    groups = model.likelihood.groups(channels)
    at_once = channels // groups
    steps = [slice(g * at_once, (g + 1) * at_once) for g in range(groups)]
    return [(i, j, c) for i in range(height) for j in range(width) for c in steps]


def _row_above(x: Tensor, i: int) -> Tensor:
    """(B, C, 1, W); for the first row itself, which is not read."""
    above = max(0, i - 1)
    return x[:, :, above : above + 1]


def _kept(value: Tensor, task: _Task, at: tuple[slice, ...]) -> Tensor:
    """What was drawn, or is known, at a place of the images."""
    return value if task.mask is None else torch.where(task.mask[at], task.start[at], value)


def _task(
    model: Autoregressive, noise: Tensor, label: Tensor | None, known: Tensor | None, mask: Tensor | None
) -> _Task:
    """Arguments of `draw`, checked; unknown pixels start at 0."""
    channels, height, width = model.image_shape
    if noise.ndim != 4 or noise.shape[2:] != (height, width):
        raise ValueError(f"noise must have shape (B, N, {height}, {width}), got {tuple(noise.shape)}")
    shape = (noise.shape[0], channels, height, width)
    if label is not None and label.shape != shape[:1]:
        raise ValueError(f"label must have shape ({shape[0]},), got {tuple(label.shape)}")
    if known is None and mask is None:
        return _Task(noise.new_zeros(shape), noise, label, None)
    if known is None or mask is None:
        raise ValueError(f"known and mask must come together, got only {'mask' if known is None else 'known'}")
    if known.shape != shape:
        raise ValueError(f"known must have shape {shape}, got {tuple(known.shape)}")
    try:
        mask = mask.bool().broadcast_to(shape)
    except RuntimeError:
        raise ValueError(f"mask must broadcast to {shape}, got {tuple(mask.shape)}") from None
    return _Task(torch.where(mask, known.to(noise), 0), noise, label, mask)
