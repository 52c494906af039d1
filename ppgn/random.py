"""One random stream per chain: noise is a function of (seed, chain, step, purpose) and of nothing else.

A block of steps of a chain has a generator of its own (SFC64: Doty-Humphrey, PractRand), whose three words of seed are
the run's seed, the chain, and the block with the purpose. So a chain sees the same noise alone, in any batch, on any
device or resumed, nothing about randomness has to be saved, and no global generator is ever touched.
"""

from __future__ import annotations

import math
import operator
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

Law = Callable[[np.ndarray, np.dtype], np.ndarray]
BLOCK_STEPS = 256  # steps drawn at a time, at most: amortises the set-up of a stream
BLOCK_NUMBERS = 1 << 12  # numbers a chain and block, about, so that many chains and image-sized codes stay small
SEEDING = 18  # words that its author throws away before three words of seed are well mixed
PIECE = 1 << 15  # words shaped at a time: they stay in the cache


def streams(seed: int, n: int, first: int = 0) -> Streams:
    """Randomness for chains first, first + 1, ..., first + n - 1.

    Raises ValueError for a seed outside 64 bits or n < 1, TypeError for a seed that is no whole number.

    >>> a, b = streams(seed=0, n=16), streams(seed=0, n=1, first=3)
    >>> bool((a.normal(torch.empty(16, 4), step=7)[3] == b.normal(torch.empty(1, 4), step=7)[0]).all())
    True
    """
    if isinstance(seed, bool) or not 0 <= operator.index(seed) < 1 << 64:
        raise ValueError(f"seed must be a whole number in [0, 2**64), got {seed}")
    if n < 1:
        raise ValueError(f"n must be at least 1 chain, got {n}")
    return Streams(seed, tuple(range(first, first + n)))


@dataclass(frozen=True)
class Streams:
    """Random streams for the chains numbered `chains`."""

    seed: int
    chains: tuple[int, ...]
    _blocks: dict[tuple[object, ...], Tensor] = field(default_factory=dict, repr=False, compare=False)

    def normal(self, like: Tensor, step: int, purpose: str = "move") -> Tensor:
        """Standard normals with the shape, dtype and device of `like` (B, ...), B = len(chains).

        Streams of different purposes ("move", "start", ...) are independent. Raises ValueError if B differs.
        """
        return self._at(like, step, purpose, _normal)

    def uniform(self, like: Tensor, step: int, purpose: str = "accept") -> Tensor:
        """Uniform numbers in [0, 1), otherwise as `normal`."""
        return self._at(like, step, purpose, _uniform)

    def rows(self, index: Sequence[int] | Tensor) -> Streams:
        """The streams of those chains only."""
        chosen = index.tolist() if isinstance(index, Tensor) else index
        return Streams(self.seed, tuple(self.chains[i] for i in chosen))

    def _at(self, like: Tensor, step: int, purpose: str, law: Law) -> Tensor:
        """The step's numbers, from a block that is drawn when it is first asked for."""
        if like.shape[0] != len(self.chains):
            raise ValueError(f"one row per chain is needed: {len(self.chains)} chains, got shape {tuple(like.shape)}")
        row = tuple(like.shape[1:])
        length = max(1, min(BLOCK_STEPS, BLOCK_NUMBERS // max(1, math.prod(row))))
        block, offset = divmod(step, length)
        key = (block, purpose, row, like.dtype, like.device)
        if key not in self._blocks:
            for old in [k for k in self._blocks if k[1] == purpose]:
                del self._blocks[old]
            self._blocks[key] = self._draw(block, purpose, (length, *row), like, law)
        return self._blocks[key][offset]

    def _draw(self, block: int, purpose: str, shape: tuple[int, ...], like: Tensor, law: Law) -> Tensor:
        """(length, B, ...): one block of every chain, drawn on the host so that all devices see the same numbers."""
        dtype = np.dtype(np.float64 if like.dtype == torch.float64 else np.float32)
        count = math.prod(shape)
        words = -(-count // 16) * 16 * dtype.itemsize // 8  # whole pairs of vectors, whatever is asked for
        out = np.empty((shape[0], len(self.chains), *shape[1:]), dtype)
        some = max(1, PIECE // words)
        for first in range(0, len(self.chains), some):
            chains = self.chains[first : first + some]
            numbers = law(self._words(chains, block, f"{purpose} {count}", words), dtype)[:, :count]
            out[:, first : first + some] = numbers.reshape(len(chains), *shape).swapaxes(0, 1)
        return torch.from_numpy(out).to(device=like.device, dtype=like.dtype)

    def _words(self, chains: Sequence[int], block: int, purpose: str, count: int) -> np.ndarray:
        """(len(chains), count) random words of 64 bits; one generator is set to each chain's place in turn."""
        bits = np.random.SFC64(0)
        place = bits.state
        mark = zlib.crc32(purpose.encode())
        words = np.empty((len(chains), count), np.uint64)
        for i, chain in enumerate(chains):
            place["state"]["state"][:] = self.seed, chain, block << 32 | mark, 1
            bits.state = place
            words[i] = bits.random_raw(SEEDING + count)[SEEDING:]
        return words


def _uniform(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Words (n, w) -> numbers in [0, 1) with all the bits that the type can hold."""
    out = np.empty((len(words), words.shape[1] * 8 // dtype.itemsize), dtype)
    if dtype == np.float64:
        np.multiply(words >> np.uint64(11), 2.0**-53, out=out)
    else:
        np.multiply(words.view(np.uint32) >> np.uint32(8), np.float32(2.0**-24), out=out)
    return out


def _normal(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Words (n, w) -> standard normals, two from two (Box & Muller 1958); the first half of a row gives the radii."""
    ints = words if dtype == np.float64 else words.view(np.uint32)
    half, scale = ints.shape[1] // 2, 2.0 ** (-8 * dtype.itemsize)
    radius, angle = ints[:, :half].astype(dtype), ints[:, half:].astype(dtype)
    radius += dtype.type(0.5)
    radius *= dtype.type(scale)  # in (0, 1]: its logarithm is never infinite
    np.log(radius, out=radius)
    radius *= dtype.type(-2)
    np.sqrt(radius, out=radius)
    angle *= dtype.type(2 * np.pi * scale)
    out = np.empty_like(words, dtype, shape=ints.shape)
    np.multiply(radius, np.cos(angle), out=out[:, :half])
    np.multiply(radius, np.sin(angle), out=out[:, half:])
    return out


def per_step(seed: int, device: torch.device | str = "cpu") -> Callable[[int], torch.Generator]:
    """Randomness for training: a function from the step to a torch.Generator that depends on (seed, step) alone."""

    def at(step: int) -> torch.Generator:
        word = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
        return torch.Generator(device).manual_seed(int(word >> np.uint64(1)))

    return at
