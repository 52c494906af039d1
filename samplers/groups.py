"""Populations among the chains of a batch: those that answer to the same condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Groups:
    """Sums within groups of chains, given back to every chain (B,)."""

    index: Tensor  # (B,) int64 in 0..G-1: the chain's group
    sizes: Tensor  # (G,) int64

    def mean(self, value: Tensor) -> Tensor:
        """(B,) -> the group's mean, for each of its chains."""
        return (self._sum(value) / self.sizes)[self.index]

    def logmeanexp(self, value: Tensor) -> Tensor:
        """(B,) -> log of the group's mean of exp(value), for each of its chains; -inf if all are."""
        highest = value.new_full(self.sizes.shape, -torch.inf).scatter_reduce(0, self.index, value, "amax")
        highest = highest.nan_to_num(neginf=0.0)
        total = self._sum((value - highest[self.index]).exp())
        return (total.log() + highest - self.sizes.to(value).log())[self.index]

    def _sum(self, value: Tensor) -> Tensor:
        return value.new_zeros(self.sizes.shape).index_add(0, self.index, value)

    def neighbour(self) -> Tensor:
        """(B,) another chain of the same group, itself if it is the only one."""
        order = self.index.argsort(stable=True)
        end = torch.cumsum(self.sizes, 0)
        place = torch.arange(len(order), device=order.device)
        own = self.index[order]
        following = torch.where(place + 1 < end[own], place + 1, (end - self.sizes)[own])
        return torch.empty_like(order).index_copy(0, order, order[following])

    def resample(self, log_weights: Tensor, uniform: Tensor) -> Tensor:
        """(B,) int64: systematic resampling within each group (Kitagawa 1996), by the group's first chain's uniform.

        A chain of weight w in a group of n with mean weight m is chosen floor(w / m) or ceil(w / m) times.
        """
        order = self.index.argsort(stable=True)
        own, size = self.index[order], self.sizes
        log_weights = log_weights.double()  # in single precision shares would leak from group to group
        share = (log_weights - self.logmeanexp(log_weights)).exp()[order]  # 1 on average in each group
        begin = torch.cumsum(size, 0) - size
        place = torch.arange(len(order), device=order.device)
        # each group's shares fill begin..begin + size; float error must not lead out of it
        points = place + uniform.double()[order][begin[own]]
        chosen = torch.searchsorted(torch.cumsum(share, 0), points, right=True)
        chosen = torch.minimum(torch.maximum(chosen, begin[own]), begin[own] + size[own] - 1)
        return torch.empty_like(order).index_copy(0, order, order[chosen])


def grouping(numbers: Tensor | None) -> Callable[[Tensor], Groups]:
    """From codes h (B, *latent) to their groups: chains of one number in `numbers` (B,), or all.

    Raises ValueError unless there is one number for each chain.
    """
    index, sizes = (None, None) if numbers is None else _indexed(numbers)

    def of(h: Tensor) -> Groups:
        if index is None or sizes is None:
            return Groups(torch.zeros(len(h), dtype=torch.int64, device=h.device), torch.tensor([len(h)]).to(h.device))
        if index.shape != (len(h),):
            raise ValueError(f"groups must hold one number per chain, {len(h)}, got shape {tuple(index.shape)}")
        return Groups(index.to(h.device), sizes.to(h.device))

    return of


def _indexed(numbers: Tensor) -> tuple[Tensor, Tensor]:
    _, index, sizes = numbers.unique(return_inverse=True, return_counts=True)
    return index, sizes
