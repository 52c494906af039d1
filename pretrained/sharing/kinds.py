"""Whether a value is of the kind that a builder's annotation asks for, as far as annotations say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import isclass
from numbers import Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ppgn.files import DamagedFileError


@cache
def asked(builder: Callable[..., Any]) -> Mapping[str, Any]:
    """The annotations of a builder's arguments, a function's or a class's."""
    return get_type_hints(builder.__init__ if isclass(builder) else builder)


def require(value: Any, kind: Any, name: str) -> None:
    """Raise DamagedFileError for a value that does not fit the annotation."""
    if not fits(value, kind):
        raise DamagedFileError(f"{name} must be {_called(kind)}, got a {type(value).__name__}")


def fits(value: Any, kind: Any) -> bool:
    """Whether the value is of that kind; numbers fit float and int alike, and lists fit any sequence."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple and isinstance(value, list | tuple):
        each = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return len(each) == len(value) and all(fits(one, of) for one, of in zip(value, each, strict=True))
    if origin in (list, Sequence):
        return isinstance(value, list | tuple) and all(fits(one, inner[0]) for one in value)
    if origin is Callable:
        return callable(value)
    if kind in (float, int):
        return isinstance(value, Real)
    kind = origin or kind
    return isinstance(value, kind) if isclass(kind) and kind is not NoneType else kind is Any or value is None


def _called(kind: Any) -> str:
    return kind.__name__ if isclass(kind) else str(kind)
