"""One entry of several, as of classes or channels: its log-softmax, the authors' gradient of it, or the raw entry."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Objective = Literal["log_prob", "released", "logit"]
RAW = ("logit", "activation")


def scored(values: Tensor, index: Tensor, objective: str) -> Tensor:
    """values (B, K), index (B, 1) -> (B,).

    "released" has the value of "log_prob" and, of its gradient, the entry's own part alone, (1 - p) d value/dx: what
    the authors' sampling_class.py sends back.
    """
    chosen = values.gather(1, index).squeeze(1)
    if objective in RAW:
        return chosen
    log_prob = chosen - values.logsumexp(1)
    if objective == "released":
        log_prob, p = log_prob.detach(), log_prob.detach().exp()
        return log_prob + (1 - p) * (chosen - chosen.detach())
    return log_prob


def all_but(values: Tensor, index: Tensor) -> Tensor:
    """log of the softmax of all entries but those of index (B, k) or (1, k): (B,), exact near 0 too."""
    others = values.scatter(1, index.expand(len(values), -1), -torch.inf)
    return others.logsumexp(1) - values.logsumexp(1)


def place_of(network: object) -> torch.device:
    """Where a network's weights are: what it is asked with is put there once, so that no step waits for a copy."""
    weights = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    return torch.device("cpu") if weights is None else weights.device
