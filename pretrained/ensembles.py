"""Several classifiers as one: what they agree on.

log_prob    logits = mean of log p_k(y | x): a product of experts, each with the power 1/K (Hinton 2002)
prob        logits = log of the mean of p_k(y | x): a mixture
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ppgn.pretrained.states import frozen
from ppgn.types import NamedClasses

Average = Literal["log_prob", "prob"]


class Ensemble(nn.Module):
    """x (B, C, H, W) in [0, 1] -> logits (B, classes) of all members together; see `ensemble`."""

    def __init__(self, members: Sequence[nn.Module], average: Average, class_names: tuple[str, ...]):
        super().__init__()
        self.members, self.average, self.class_names = nn.ModuleList(members), average, class_names
        self.settings: dict[str, Any] = {"average": average}

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, classes); for average="prob" these are log-probabilities."""
        logits = [member(x) for member in self.members]
        counts = [one.shape[1] for one in logits]
        if len(set(counts)) > 1:
            raise ValueError(f"classifiers of an ensemble must have the same classes, got {_told(counts)} of them")
        log_p = torch.stack([one.log_softmax(1) for one in logits])
        if self.average == "log_prob":
            return log_p.mean(0)
        return log_p.logsumexp(0) - math.log(len(log_p))


def ensemble(classifiers: Sequence[nn.Module], average: Average = "log_prob") -> Ensemble:
    """One classifier of several, x (B, C, H, W) -> logits (B, classes), to be used as any other.

    average   "log_prob"  logits are the mean of the members' log-probabilities: high only where all agree
              "prob"      logits are the log of the members' mean probability: high where any is sure

    Members stay as they are: frozen copies share their memory. Class names are those that members have; they may
    differ in synonyms ("tench", "tench, Tinca tinca"), and the first's are taken. Raises ValueError for fewer than two,
    another average, other numbers of classes, at once where members name them and else at the first images, or classes
    of other names or in another order.

    >>> import ppgn
    >>> judge = ppgn.pretrained.network("mnist", "judge")
    >>> both = ensemble([ppgn.load("mnist").classifier, judge])
    >>> both(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 10])
    """
    if average not in get_args(Average):
        raise ValueError(f"average must be one of {', '.join(get_args(Average))}, got {average!r}")
    if len(classifiers) < 2:
        raise ValueError(f"an ensemble needs at least 2 classifiers, got {len(classifiers)}")
    named = [tuple(one.class_names) for one in classifiers if isinstance(one, NamedClasses) and one.class_names]
    counts = [len(names) for names in named]
    if len(set(counts)) > 1:
        raise ValueError(f"classifiers of an ensemble must have the same classes, got {_told(counts)} of them")
    for names in named[1:]:
        for i, (first, other) in enumerate(zip(named[0], names, strict=True)):
            if not _alike(first, other):
                raise ValueError(
                    f"classifiers of an ensemble must have the same classes in the same order, got {first!r} and "
                    f"{other!r} for class {i}"
                )
    return Ensemble([frozen(one) for one in classifiers], average, named[0] if named else ()).eval()


def _alike(a: str, b: str) -> bool:
    """Whether the first synonym of one has no word but the other's: "crane" and "crane bird", as libraries differ."""
    first_a, first_b = (_words(name.split(",")[0]) for name in (a, b))
    return first_a <= _words(b) or first_b <= _words(a)


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", name.casefold())) or {name}


def _told(counts: Sequence[int]) -> str:
    return " and ".join(str(count) for count in dict.fromkeys(counts))
