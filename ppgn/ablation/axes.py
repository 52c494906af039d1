"""What an ablation may vary: the axes by name, and which values each takes."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from ppgn import named
from ppgn.conditions._objectives import Objective

Value = float | int | str
Kind = Literal["number", "whole", "text"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Axis:
    """One thing that may be varied.

    kind     "number", "whole" (a number without a fraction) or "text"
    about    what it is, in a line
    least    of a number; above: whether it must be greater than that
    among    the texts it takes; empty: any, a name or a path
    """

    kind: Kind
    about: str
    least: float = -math.inf
    above: bool = False
    among: tuple[str, ...] = ()


AXES: Mapping[str, Axis] = MappingProxyType({
    "model": Axis("text", "a bundled model, or a saved pipeline: its folder, or user/name"),
    "variant": Axis("text", "of a bundled model"),
    "generator": Axis("text", "own, a network of the bundle, or a file: G, as trained under another noise"),
    "denoiser": Axis("text", "own, a network of the bundle, or a file: R of a DAE prior; FILE@SIGMA tells its noise"),
    "generator_noise": Axis("number", "in place of {noise} in generator: what it was trained under", least=0),
    "denoiser_noise": Axis("number", "in place of {noise} in denoiser, as dae-{noise}@{noise}", least=0),
    "classifier": Axis("text", "own, a network of the bundle, a file, torchvision/NAME or timm/NAME: the condition's"),
    "objective": Axis("text", "of the class: what its gradient is", among=get_args(Objective)),
    "sampler": Axis("text", "own, or by name, which needs a prior with a density", among=("own", *named.NAMES)),
    "mode": Axis("text", "the step's rule; calibrated: Langevin steps, the three epsilons tied to one step_size",
                 among=("paper", "released", "calibrated")),
    "eps_prior": Axis("number", "e1, the weight of the prior's score", least=0),
    "eps_condition": Axis("number", "e2, the weight of the condition's gradient", least=0),
    "eps_noise": Axis("number", "e3, the noise's standard deviation", least=0),
    "step_size": Axis("number", "calibrated: of a Langevin step; released: the mean move of a coordinate",
                      least=0, above=True),
    "gamma": Axis("number", "calibrated, annealed: power of the condition, 1 is Bayes' rule", least=0),
    "sigma_max": Axis("number", "annealed: the noise that a walk begins in", least=0, above=True),
    "sigma_min": Axis("number", "annealed: the noise that it ends in", least=0, above=True),
    "corrector": Axis("number", "annealed: share of its noise that a step renews", least=0),
    "steps": Axis("whole", "of each chain", least=0),
    "start": Axis("text", "the pipeline's own, standard normal codes, or codes of real images",
                  among=("own", "normal", "real")),
})  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Numbers between low and high, both included: `count` of them in a grid, as many as are drawn in other designs."""

    low: float
    high: float
    scale: Scale = "linear"
    count: int | None = None

    @property
    def told(self) -> str:
        """As the command line tells it."""
        return f"{self.low:g}..{self.high:g}" + (":log" if self.scale == "log" else "")

    def at(self, u: float) -> float:
        """The number at a share u in [0, 1] of the way, to six digits, so that a setting can be read and typed."""
        if self.scale == "linear":
            return _short(self.low + u * (self.high - self.low))
        return _short(self.low * (self.high / self.low) ** u)


Values = tuple[Value, ...] | Range


def axis(name: str) -> Axis:
    """The axis of that name. Raises ValueError for an unknown one, with those that are nearest.

    >>> axis("eps_noise").about
    "e3, the noise's standard deviation"
    """
    if name not in AXES:
        near = difflib.get_close_matches(name, AXES, n=3, cutoff=0.5)
        known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(AXES)}"
        raise ValueError(f"axis must be one that can be varied, got {name!r}; {known}")
    return AXES[name]


def checked(name: str, values: Sequence[object] | Range) -> Values:
    """The axis's values as it takes them, each once. Raises ValueError for an unknown axis or what is no value of it.

    >>> checked("eps_noise", [0, 0.1])
    (0.0, 0.1)
    """
    if isinstance(values, Range):
        return _range(name, values)
    if not values:
        raise ValueError(f"axis {name} must have a value or more, got none")
    return tuple(dict.fromkeys(_value(name, value) for value in values))


def parsed(name: str, text: str) -> Values:
    """An axis's values as the command line tells them: `0,1e-3,0.01`; or `1e-3..1`, `1e-3..1:log`, `0..1:linear:5`.

    >>> parsed("eps_noise", "1e-3..1:log:4")
    Range(low=0.001, high=1.0, scale='log', count=4)
    """
    kind = axis(name).kind
    if kind != "text" and ".." in text:
        ends, *more = text.split(":")
        low, _, high = ends.partition("..")
        scales = [part for part in more if part in get_args(Scale)]
        counts = [part for part in more if part.isdigit()]
        if len(more) != len(scales) + len(counts) or max(len(scales), len(counts)) > 1:
            raise ValueError(f"axis {name}: a range must be LOW..HIGH[:log][:COUNT], got {text!r}")
        scale: Scale = "log" if scales == ["log"] else "linear"
        return checked(name, Range(_number(name, low), _number(name, high), scale, *map(int, counts)))
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return checked(name, parts if kind == "text" else [_number(name, part) for part in parts])


def _range(name: str, found: Range) -> Range:
    if axis(name).kind == "text":
        raise ValueError(f"axis {name} must have a list of texts, got a range: only numbers have one")
    low, high = (float(_value(name, end)) for end in (found.low, found.high))
    if not low < high or (found.scale == "log" and low <= 0):
        raise ValueError(
            f"axis {name}: a range must have low < high, and low > 0 if log, got {low:g}..{high:g}, {found.scale}"
        )
    if found.count is not None and found.count < 2:
        raise ValueError(f"axis {name}: a range must have a count of 2 or more, got {found.count}")
    return Range(low, high, found.scale, found.count)


def _value(name: str, value: object) -> Value:
    known = axis(name)
    if known.kind == "text":
        if not isinstance(value, str) or not value:
            raise ValueError(f"axis {name} must have texts, got {value!r}")
        if known.among and value not in known.among:
            raise ValueError(f"axis {name} must have values of {', '.join(known.among)}, got {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"axis {name} must have finite numbers, got {value!r}")
    if value < known.least or (known.above and value == known.least):
        raise ValueError(
            f"axis {name} must have numbers {'above' if known.above else 'of at least'} {known.least:g}, got {value!r}"
        )
    if known.kind == "whole":
        if value != int(value):
            raise ValueError(f"axis {name} must have whole numbers, got {value!r}")
        return int(value)
    return float(value)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"axis {name} must have finite numbers, got {text.strip()!r}") from None


def _short(value: float) -> float:
    return float(f"{value:.6g}")
