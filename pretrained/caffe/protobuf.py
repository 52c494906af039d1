"""The wire format of protocol buffers, read in bounds (protobuf.dev, "Encoding").

A message is a row of fields, each a key (number << 3 | wire type) and a value; messages within messages look like
bytes, so only who knows the schema goes deeper, and never deeper than it. Long arrays are looked at, not copied.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppgn.files import DamagedFileError

VARINT, FIXED64, BYTES, START, END, FIXED32 = range(6)
DEEPEST = 100  # groups in groups, protobuf's own bound
LONGEST_NAME = 256  # bytes
MOST_KEPT = 20_000  # numbers, names and messages of a file: fields of two bytes must not become as many objects
BLOCK = 2**16  # unpacked numbers looked at together

Schema = Mapping[int, tuple[str, Any]]
"""{field number: (name, kind)}; kind: int, bool, float, name, floats, doubles, or a Schema; in a list if repeated."""


class Field(NamedTuple):
    """One field of a message: a whole number, or the bytes of anything longer."""

    number: int
    wire: int
    value: int | memoryview
    offset: int  # of the key in the file
    place: int  # of the value in the file


@dataclass
class Source:
    """The file that messages come from: its name for errors, and how much of it has been kept."""

    name: str
    kept: int = 0

    def keep(self, offset: int) -> None:
        """Count a thing that is kept. Raises DamagedFileError above MOST_KEPT."""
        self.kept += 1
        if self.kept > MOST_KEPT:
            raise self.error(f"no more than {MOST_KEPT} layers, names and settings", "more", offset)

    def error(self, needed: str, got: str, offset: int) -> DamagedFileError:
        """The error that the file is damaged at that byte."""
        return DamagedFileError(f"{self.name} must have {needed} at byte {offset}, got {got}: it is cut or altered")


def read_message(view: memoryview, schema: Schema, source: Source, start: int = 0) -> dict[str, Any]:
    """A message as {name: value}, with lists for what may repeat; what the schema does not name is passed over.

    start: the message's place in its file; every message has its own as "offset". Kinds `floats` and `doubles` become
    one array, which looks into `view` unless the file has them in pieces. Raises DamagedFileError.
    """
    message: dict[str, Any] = {"offset": start}
    pieces: dict[str, list[NDArray[Any]]] = {}
    at = 0
    while at < len(view):
        field, after = read_field(view, at, source, start)
        if field.number in schema:
            name, kind = schema[field.number]
            if kind in ("floats", "doubles"):
                source.keep(field.offset)
                values, after = _array(kind, view, at, after, field, source)
                pieces.setdefault(name, []).append(values)
            elif isinstance(kind, list):
                message.setdefault(name, []).extend(_values(field, kind[0], source))
            else:
                message[name] = _values(field, kind, source)[-1]  # the last one counts
        at = after
    return message | {name: found[0] if len(found) == 1 else np.concatenate(found) for name, found in pieces.items()}


def read_field(view: memoryview, at: int, source: Source, start: int) -> tuple[Field, int]:
    """The field at `at` of a message that stands at byte `start` of its file, and where the next one is."""
    offset = start + at
    key, after = _varint(view, at, source, start)
    number, wire = key >> 3, key & 7
    if not 0 < number < 2**29:
        raise source.error("a field number of 1 to 2^29 - 1", str(number), offset)
    if wire == START:
        return Field(number, wire, 0, offset, start + after), _skip_group(view, after, number, source, start)
    if wire == VARINT:
        value, end = _varint(view, after, source, start)
        return Field(number, wire, value, offset, start + after), end
    if wire == BYTES:
        length, after = _varint(view, after, source, start)
    elif wire in (FIXED32, FIXED64):
        length = 4 if wire == FIXED32 else 8
    else:
        raise source.error("a known wire type", str(wire), offset)
    if length > len(view) - after:
        raise source.error(f"{length} bytes for field {number}", f"{len(view) - after}", offset)
    return Field(number, wire, view[after : after + length], offset, start + after), after + length


def _varint(view: memoryview, at: int, source: Source, start: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(view[at : at + 10]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value & (2**64 - 1), at + i + 1
    raise source.error("a whole number of at most 10 bytes", bytes(view[at : at + 10]).hex() or "its end", start + at)


def _skip_group(view: memoryview, at: int, number: int, source: Source, start: int) -> int:
    """Where the group that opened before `at` is over. Groups are older than messages; Caffe's files have none."""
    opened = [number]
    while opened:
        key, after = _varint(view, at, source, start)
        if key & 7 == START:
            opened.append(key >> 3)
        elif key & 7 == END:
            if key >> 3 != opened.pop():
                raise source.error("groups closed in order", f"the end of group {key >> 3}", start + at)
        else:
            _, after = read_field(view, at, source, start)
        if len(opened) > DEEPEST:
            raise source.error(f"groups at most {DEEPEST} deep", "more", start + at)
        at = after
    return at


def _values(field: Field, kind: Any, source: Source) -> list[Any]:
    """The value of a field, or the values of a packed one."""
    source.keep(field.offset)
    if isinstance(kind, Mapping):
        return [read_message(_bytes(field, source), kind, source, field.place)]
    if kind == "name":
        content = _bytes(field, source)
        if len(content) > LONGEST_NAME:
            raise source.error(f"names of at most {LONGEST_NAME} bytes", str(len(content)), field.offset)
        try:
            return [str(content, "utf-8")]
        except UnicodeDecodeError:
            raise source.error("names in UTF-8", bytes(content[:20]).hex(), field.offset) from None
    if kind == "float":
        if field.wire != FIXED32 or isinstance(field.value, int):
            raise source.error(f"a number of 4 bytes for field {field.number}", f"wire type {field.wire}", field.offset)
        return [struct.unpack("<f", field.value)[0]]
    if isinstance(field.value, memoryview) and field.wire == BYTES:
        return _packed(field.value, source, field.place)
    if field.wire != VARINT or not isinstance(field.value, int):
        raise source.error(f"a whole number for field {field.number}", f"wire type {field.wire}", field.offset)
    return [bool(field.value) if kind == "bool" else _signed(field.value)]


def _packed(content: memoryview, source: Source, start: int) -> list[int]:
    found, at = [], 0
    while at < len(content):
        source.keep(start + at)
        value, at = _varint(content, at, source, start)
        found.append(_signed(value))
    if not found:
        raise source.error("at least one number", "none", start)
    return found


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _bytes(field: Field, source: Source) -> memoryview:
    if field.wire != BYTES or isinstance(field.value, int):
        raise source.error(f"bytes for field {field.number}", f"wire type {field.wire}", field.offset)
    return field.value


def _array(kind: str, view: memoryview, at: int, after: int, field: Field, source: Source) -> tuple[NDArray[Any], int]:
    """The packed numbers of a field, or the run of unpacked ones that begins with it; and where they end."""
    number, width = ("<f4", 4) if kind == "floats" else ("<f8", 8)
    if field.wire == BYTES and isinstance(field.value, memoryview):
        if len(field.value) % width:
            raise source.error(f"numbers of {width} bytes", f"{len(field.value)} bytes", field.place)
        return np.frombuffer(field.value, number) if len(field.value) else np.empty(0, number), after
    if field.wire != (FIXED32 if width == 4 else FIXED64):
        needed = f"numbers of {width} bytes for field {field.number}"
        raise source.error(needed, f"wire type {field.wire}", field.offset)
    head, step = after - at - width, after - at
    count = min((len(view) - at) // step, BLOCK)
    rows = np.frombuffer(view[at : at + count * step], np.uint8).reshape(count, step)
    differ = (rows[:, :head] != rows[0, :head]).any(1)
    run = int(differ.argmax()) if differ.any() else count
    return np.ascontiguousarray(rows[:run, head:]).view(number).reshape(-1), at + run * step
