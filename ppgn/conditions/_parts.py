"""Conditions made of conditions: what is asked of the whole is asked of its parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from torch import Tensor

from ppgn.types import Condition, Measured, Rng, Varying


def parts(condition: object) -> list[Condition]:
    """The conditions right inside a record: those among its fields, and in tuples that are its fields."""
    if not dataclasses.is_dataclass(condition) or isinstance(condition, type):
        return []
    values = [getattr(condition, field.name) for field in dataclasses.fields(condition)]
    listed = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return [one for one in listed if isinstance(one, Condition)]


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and all that is inside it, outer ones first."""
    yield condition
    for part in parts(condition):
        yield from walk(part)


def varies(condition: Condition | None) -> bool:
    """Whether it is another at each step of a walk."""
    return isinstance(condition, Varying) and condition.varies


def drawn(condition: Condition, rng: Rng, step: int, like: Tensor) -> Condition:
    """The condition as it is at that step; itself if it is always the same."""
    return condition.drawn(rng, step, like) if isinstance(condition, Varying) and condition.varies else condition


def in_nats(condition: Condition) -> bool:
    """Whether its log_prob is the log of a probability or density; taken to be so where it does not say."""
    return condition.nats if isinstance(condition, Measured) else True
