"""Populations among the chains of a batch: those that answer to the same condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Groups:
    """Sums within groups of chains, given back to every chain (B,)."""

    member: Tensor  # (G, B) bool
    index: Tensor  # (B,) int64 in 0..G-1
    size: Tensor  # (B,) of the chain's group

    def mean(self, value: Tensor) -> Tensor:
        """(B,) -> the group's mean, for each of its chains."""
        return ((self.member * value).sum(1))[self.index] / self.size

    def logmeanexp(self, value: Tensor) -> Tensor:
        """(B,) -> log of the group's mean of exp(value), for each of its chains; -inf if all are."""
        return torch.where(self.member, value, -torch.inf).logsumexp(1)[self.index] - self.size.to(value).log()

    def neighbour(self) -> Tensor:
        """(B,) another chain of the same group, itself if it is the only one."""
        order = self.index.argsort(stable=True)
        end = torch.cumsum(self.member.sum(1), 0)
        place = torch.arange(len(order), device=order.device)
        own = self.index[order]
        following = torch.where(place + 1 < end[own], place + 1, end[own] - self.member.sum(1)[own])
        return torch.empty_like(order).index_copy(0, order, order[following])

    def resample(self, log_weights: Tensor, uniform: Tensor) -> Tensor:
        """(B,) int64: systematic resampling within each group (Kitagawa 1996), by the group's first chain's uniform.

        A chain of weight w in a group of n with mean weight m is chosen floor(w / m) or ceil(w / m) times.
        """
        order = self.index.argsort(stable=True)
        own, size = self.index[order], self.member.sum(1)
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
    index, count = (None, 1) if numbers is None else _indexed(numbers)

    def of(h: Tensor) -> Groups:
        own = torch.zeros(len(h), dtype=torch.int64, device=h.device) if index is None else index.to(h.device)
        if own.shape != (len(h),):
            raise ValueError(f"groups must hold one number per chain, {len(h)}, got shape {tuple(own.shape)}")
        member = own == torch.arange(count, device=h.device)[:, None]
        return Groups(member, own, member.sum(1)[own].to(h.dtype))

    return of


def _indexed(numbers: Tensor) -> tuple[Tensor, int]:
    found, index = numbers.unique(return_inverse=True)
    return index, len(found)
