"""A design: what is varied, over how many chains and seeds. Read from TOML, or put together from axes.

about = "what the noise does"
n = 10                          # chains a class
steps = 200                     # unless an axis
seeds = 3

[fixed]                         # of all cells, unless varied
variant = "ppgn-h"

[[block]]                       # one or more; a cell of several is walked once
kind = "sobol"                  # grid (if not told), sobol, latin-hypercube, random
points = 16
[block.axes]
mode = ["paper", "released"]
eps_noise = { low = 1e-3, high = 1.0, scale = "log" }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ppgn import pretrained
from ppgn.ablation.axes import Range, Value, Values, checked
from ppgn.ablation.points import Block, Kind

READY = Path(__file__).parent / "designs"
USUAL = ("epsilons", "annealed")


@dataclass(frozen=True)
class Design:
    """What is walked.

    blocks   whose cells, together, are the design's
    n        chains a class; seeds: 0, 1, ..., so many; steps: of each chain, unless an axis
    fixed    axis -> value of what no block varies
    labels   the classes; none: all there are

    Raises ValueError for numbers that are too small and a design without blocks.
    """

    blocks: tuple[Block, ...]
    n: int = 10
    steps: int = 200
    seeds: int = 3
    fixed: Mapping[str, Value] = field(default_factory=dict)
    labels: tuple[int, ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("a design must have an axis or more, got none: nothing would be varied")
        for name, least in (("n", 1), ("steps", 0), ("seeds", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
        if any(isinstance(label, bool) or not isinstance(label, int) or label < 0 for label in self.labels):
            raise ValueError(f"labels must be whole numbers from 0 on, got {list(self.labels)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must differ, got {list(self.labels)}")

    def settings(self) -> list[dict[str, Value]]:
        """Of every cell but for its seed, each once, `steps` and `model` included: axis -> value."""
        base: dict[str, Value] = {"model": "mnist", "steps": self.steps, **self.fixed}
        found = [{**base, **own} for block in self.blocks for own in block.settings()]
        return list({tuple(sorted(one.items())): one for one in found}.values())

    @property
    def varied(self) -> list[str]:
        """The axes that have several values, in the order of the blocks."""
        found = self.settings()
        names = dict.fromkeys(name for one in found for name in one)
        return [name for name in names if len({one.get(name) for one in found}) > 1]

    def with_axes(self, axes: Mapping[str, Values]) -> Design:
        """The same with those values in place of its own, in every block that has the axis, or in all if none has."""
        blocks = self.blocks
        for name, values in axes.items():
            having = [name in block.axes for block in blocks]
            blocks = tuple(
                replace(block, axes={**block.axes, name: values}) if own or not any(having) else block
                for block, own in zip(blocks, having, strict=True)
            )
        return replace(self, blocks=blocks)


def ready() -> list[str]:
    """Names of the designs that come with the toolkit."""
    return sorted(path.stem for path in READY.glob("*.toml"))


def read(source: str | Path) -> Design:
    """A design of a TOML file, or a ready one by name.

    Raises FileNotFoundError naming the ready ones, ValueError for what is no TOML or no design.

    >>> read("epsilons").varied
    ['eps_prior', 'eps_condition', 'eps_noise']
    """
    named = READY / f"{source}.toml"
    path = named if str(source) in ready() else Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"a design must be a .toml file or one of {', '.join(ready())}, got {source}")
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be TOML: {error}") from None
    try:
        return of_mapping(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def usual(model: str) -> Design:
    """The ready design that a bundled model is walked by where none is told: of its epsilons, or of its annealed walk.

    Raises ValueError for a model that fits none.

    >>> usual("mnist") == read("epsilons")
    True
    """
    variants = pretrained.describe(model)["variants"] if model in pretrained.names() else {}
    for design in map(read, USUAL):
        if design.fixed["variant"] in variants:
            return design
    raise ValueError(f"{model} needs a design: a .toml file, one of {', '.join(ready())}, or --axis NAME=VALUE,...")


def of_axes(
    axes: Mapping[str, Sequence[Value] | Range],
    *,
    n: int = 10,
    steps: int = 200,
    seeds: int = 3,
    kind: Kind = "grid",
    points: int | None = None,
    seed: int = 0,
    labels: Sequence[int] = (),
) -> Design:
    """A design of one block; see `Design` and `ppgn.ablation.points.Block`. Raises ValueError as they do.

    >>> of_axes({"eps_noise": [0, 0.1], "start": ["own", "normal"]}).varied
    ['eps_noise', 'start']
    """
    block = Block({name: checked(name, values) for name, values in axes.items()}, kind, points, seed)
    return Design((block,), n, steps, seeds, labels=tuple(labels))


def of_mapping(content: Mapping[str, Any]) -> Design:
    """A design as TOML tells it; its only block may be told by `kind`, `points`, `seed` and [axes] at the top."""
    own = {f.name for f in fields(Design)} - {"blocks"}
    of_block = {"kind", "points", "seed", "axes"}
    _require_known(content, own | of_block | {"block"}, "a design")
    at_top = {name: content[name] for name in of_block if name in content}
    blocks = content.get("block", [])
    if not isinstance(blocks, list) or (at_top and blocks):
        raise ValueError("a design must have [[block]]s, or one [axes] table, not both")
    given = {name: content[name] for name in own if name in content}
    fixed = {name: _one(name, value) for name, value in _table(content, "fixed").items()}
    labels = given.pop("labels", [])
    if not isinstance(labels, list):
        raise ValueError(f"labels must be a list, got {labels!r}")
    given.pop("fixed", None)
    return Design(
        tuple(_block(one) for one in ([at_top] if at_top else blocks)), fixed=fixed, labels=tuple(labels), **given
    )


def _block(content: Mapping[str, Any]) -> Block:
    _require_known(content, {"kind", "points", "seed", "axes"}, "a block")
    axes = {name: _values(name, values) for name, values in _table(content, "axes").items()}
    for name in ("points", "seed"):
        if name in content and (not isinstance(content[name], int) or content[name] < 0):
            raise ValueError(f"{name} must be a whole number from 0 on, got {content[name]!r}")
    return Block(axes, **{name: value for name, value in content.items() if name != "axes"})


def _values(name: str, values: Any) -> Values:
    if isinstance(values, Mapping):
        _require_known(values, {"low", "high", "scale", "count"}, f"the range of axis {name}")
        scale, count = values.get("scale", "linear"), values.get("count")
        if not {"low", "high"} <= values.keys() or scale not in ("linear", "log") or not isinstance(count, int | None):
            raise ValueError(
                f"axis {name}: a range must have low, high, perhaps scale (linear or log) and count, got {dict(values)}"
            )
        return checked(name, Range(values["low"], values["high"], scale, count))
    return checked(name, values if isinstance(values, list) else [values])


def _one(name: str, value: Any) -> Value:
    found = checked(name, [value])
    assert isinstance(found, tuple)
    return found[0]


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name, {})
    if not isinstance(found, Mapping):
        raise ValueError(f"{name} must be a table, as [{name}], got {found!r}")
    return found


def _require_known(content: Any, known: set[str], what: str) -> None:
    if not isinstance(content, Mapping):
        raise ValueError(f"{what} must be a table, got {content!r}")
    unknown = sorted(content.keys() - known)
    if unknown:
        raise ValueError(f"{what} must have the entries {', '.join(sorted(known))}, got {', '.join(unknown)}")
