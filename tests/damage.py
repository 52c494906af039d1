"""Ways in which a file comes to be damaged, and what memory a reader takes on it."""

from __future__ import annotations

import tracemalloc

import numpy as np

from ppgn import files

ABSURD = [b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x07", b"\x80" * 12, b"\x00", b"\xff"]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content after one of: flipped bits, a cut, an absurd number, lost, doubled or foreign bytes."""
    data = bytearray(content)
    at, other = sorted(int(i) for i in rng.integers(0, len(data), 2))
    kind = rng.integers(0, 7)
    if kind <= 1:
        # half of the flips where the structure is, not the numbers: files begin with it
        end = len(data) if kind else min(len(data), 600)
        for place in rng.integers(0, end, rng.integers(1, 9)):
            data[place] ^= 1 << rng.integers(0, 8)
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        data[at : at + 1] = ABSURD[rng.integers(0, len(ABSURD))]
    elif kind == 4:
        del data[at : at + int(rng.integers(1, 64))]
    elif kind == 5:
        data[at:at] = data[at:other][:4096]
    else:
        data[at : at + 32] = rng.bytes(int(rng.integers(0, 64)))
    return bytes(data)


def outcome(read, path) -> tuple[str, int]:
    """What reading a file ends in, "read" or the error's type, and the peak of Python's and numpy's memory in bytes."""
    tracemalloc.start()
    try:
        read(path)
        return "read", tracemalloc.get_traced_memory()[1]
    except ValueError as error:
        # not a JSONDecodeError or a UnicodeDecodeError, which are ValueErrors too
        assert type(error) in (ValueError, files.DamagedFileError), repr(error)
        assert str(path) in str(error) or type(error) is ValueError, error
        return type(error).__name__, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def nested(key: bytes, depth: int, inside: bytes = b"") -> bytes:
    """Messages in messages, each the only field of the one around it."""
    for _ in range(depth):
        inside = key + varint(len(inside)) + inside
    return inside


def varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
