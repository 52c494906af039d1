"""Commands of many options, which are told in records, so that several may share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def command(
    *records: type[Any], first: int | None = None, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function whose first arguments are records of options, beside options of its own.

    first      so many of the records' options are listed before the function's own, the others after; None: all before
    defaults   of the records' options, for those that the command has its own for
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        shared = [parameter for record in records for parameter in _parameters(record, defaults)]
        own_hints = get_type_hints(function, include_extras=True)
        own = [
            p.replace(kind=Parameter.KEYWORD_ONLY, annotation=own_hints[p.name])
            for p in list(signature(function).parameters.values())[len(records) :]
        ]
        listed = [*shared[:first], *own, *(shared[first:] if first is not None else [])]

        def called(**given: Any) -> None:
            made = [record(**{f.name: given[f.name] for f in fields(record)}) for record in records]
            function(*made, **{p.name: given[p.name] for p in own})

        called.__doc__, called.__name__ = function.__doc__, function.__name__
        called.__annotations__ = {p.name: p.annotation for p in listed}
        vars(called)["__signature__"] = Signature(listed)
        return called

    return decorate


def _parameters(record: type[Any], defaults: dict[str, Any]) -> list[Parameter]:
    hints = get_type_hints(record, include_extras=True)
    return [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=defaults.get(f.name, _default(f)), annotation=hints[f.name])
        for f in fields(record)
    ]


def _default(field: Field[Any]) -> Any:
    """Of a field; what has none is asked for."""
    return Parameter.empty if field.default is MISSING else field.default
