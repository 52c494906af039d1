"""One random stream per chain: noise is a function of (seed, chain, step, purpose) and of nothing else.

Each chain owns a counter-based generator (Philox 4x64: Salmon et al., SC 2011) keyed by (seed, chain); the step and
the purpose set its counter. So a chain sees the same noise alone, in any batch, on any device or resumed, nothing about
randomness has to be saved, and no global generator is ever touched.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

Draw = Callable[[np.random.Generator, tuple[int, ...], type], np.ndarray]
BLOCK_STEPS = 32  # steps drawn at a time: amortises the set-up of a stream
BLOCK_NUMBERS = 1 << 16  # at most this many numbers a chain and block, so that image-sized codes stay small


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

    def rows(self, index: Sequence[int]) -> Streams:
        """The streams of those chains only."""
        return Streams(self.seed, tuple(self.chains[i] for i in index))

    def _at(self, like: Tensor, step: int, purpose: str, draw: Draw) -> Tensor:
        """The step's numbers, from a block that is drawn when it is first asked for."""
        if like.shape[0] != len(self.chains):
            raise ValueError(f"one row per chain is needed: {len(self.chains)} chains, got shape {tuple(like.shape)}")
        row = tuple(like.shape[1:])
        length = max(1, min(BLOCK_STEPS, BLOCK_NUMBERS // max(1, int(np.prod(row)))))
        block, offset = divmod(step, length)
        key = (block, purpose, row, like.dtype, like.device)
        if key not in self._blocks:
            for old in [k for k in self._blocks if k[1] == purpose]:
                del self._blocks[old]
            self._blocks[key] = self._draw(block, purpose, (length, *row), like, draw)
        return self._blocks[key][offset]

    def _draw(self, block: int, purpose: str, shape: tuple[int, ...], like: Tensor, draw: Draw) -> Tensor:
        """(length, B, ...): one block of every chain, drawn on the host so that all devices see the same numbers."""
        double = like.dtype == torch.float64
        out = np.empty((shape[0], len(self.chains), *shape[1:]), dtype=np.float64 if double else np.float32)
        for i, chain in enumerate(self.chains):
            key = np.array([self.seed, chain], dtype=np.uint64)
            bits = np.random.Philox(key=key, counter=[0, 0, block, zlib.crc32(purpose.encode())])
            out[:, i] = draw(np.random.Generator(bits), shape, out.dtype.type)
        return torch.from_numpy(out).to(device=like.device, dtype=like.dtype)


def _normal(generator: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return generator.standard_normal(shape, dtype=dtype)


def _uniform(generator: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return generator.random(shape, dtype=dtype)


def per_step(seed: int, device: torch.device | str = "cpu") -> Callable[[int], torch.Generator]:
    """Randomness for training: a function from the step to a torch.Generator that depends on (seed, step) alone."""

    def at(step: int) -> torch.Generator:
        word = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
        return torch.Generator(device).manual_seed(int(word >> np.uint64(1)))

    return at
