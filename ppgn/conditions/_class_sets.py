"""Several classes of one classifier at once: a mixture of them, or shares of each.

mixture      log sum over classes of w_c p(c | x)     one of them
soft_label   sum over classes of t_c log p(c | x)     a bit of each: minus the cross-entropy to the target t
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ppgn.checks import require_eval, shown
from ppgn.conditions._algebra import Algebra
from ppgn.conditions._class_label import Label, class_numbers
from ppgn.conditions._objectives import all_but, place_of

Weights = Sequence[float] | Sequence[Sequence[float]] | Tensor


def mixture(
    classifier: Callable[[Tensor], Tensor], labels: Sequence[Label] | Tensor, weights: Weights | None = None
) -> Mixture:
    """The image shows one of several classes: log sum_c w_c p(c | x), by log-sum-exp.

    classifier   x (B, C, H, W) in [0, 1] -> logits (B, classes), in eval mode
    labels       the classes, numbers or names, at least one
    weights      one a class, not negative, for all chains or a line (B, classes asked) for each; None: 1 each, the
                 probability that it is one of them

    What `class_label(c, 3) | class_label(c, 8)` says in one call of the classifier. Raises ValueError for labels as
    `class_label`, or that are repeated, and for weights that are negative or of another number.

    >>> import ppgn
    >>> digits = ppgn.load("mnist")
    >>> mixture(digits.classifier, [3, 8]).log_prob(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """
    return Mixture(classifier, *_weighed(classifier, labels, [1.0] * len(labels) if weights is None else weights))


@dataclass(frozen=True)
class Mixture(Algebra):
    """See `mixture`."""

    classifier: Callable[[Tensor], Tensor]
    labels: Tensor  # (k,), where the classifier's weights are
    weights: Tensor  # (k,) or (B, k)
    largest: int  # of the labels, known on the host

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        log_p = _chosen(shown(self.classifier, x, "classifier"), self.labels, self.largest)
        return (log_p + _by_row(self.weights, log_p).log()).logsumexp(1)

    def log_complement(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log of the probability of all other classes. Raises ValueError for weights but 1."""
        if bool((self.weights != 1).any()):
            raise ValueError("~mixture needs weights of 1: only then is the sum a probability")
        logits = shown(self.classifier, x, "classifier")
        return all_but(logits, self.labels[None].to(logits.device))

    def rows(self, index: Tensor) -> Mixture:
        """The same for those chains."""
        return replace(self, weights=_rows(self.weights, index))


def soft_label(classifier: Callable[[Tensor], Tensor], labels: Sequence[Label] | Tensor, shares: Weights) -> SoftLabel:
    """The image is a bit of each class: sum_c t_c log p(c | x), minus the cross-entropy to soft targets.

    classifier, labels   as of `mixture`; range(n) for targets over all n classes
    shares               t_c, one a label, which sum to 1, for all chains or a line (B, labels) for each

    Its greatest value, where p(c | x) = t_c, is minus the target's entropy, not 0. Raises ValueError for labels as
    `mixture`, and for shares that are negative or do not sum to 1.

    >>> import ppgn
    >>> digits = ppgn.load("mnist")
    >>> half = soft_label(digits.classifier, [3, 8], [0.5, 0.5])
    """
    numbers, given, largest = _weighed(classifier, labels, shares)
    sums = given.double().sum(-1)
    if not torch.allclose(sums, torch.ones_like(sums), atol=1e-5):
        raise ValueError(f"shares must sum to 1, got {sums.flatten()[:4].tolist()}")
    return SoftLabel(classifier, numbers, given, largest)


@dataclass(frozen=True)
class SoftLabel(Algebra):
    """See `soft_label`."""

    classifier: Callable[[Tensor], Tensor]
    labels: Tensor  # (k,), where the classifier's weights are
    shares: Tensor  # (k,) or (B, k)
    largest: int  # of the labels, known on the host

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        log_p = _chosen(shown(self.classifier, x, "classifier"), self.labels, self.largest)
        shares = _by_row(self.shares, log_p)
        # a share of 0 asks for nothing, of a class that cannot be (-inf) too
        return torch.where(shares > 0, shares * log_p, 0.0).sum(1)

    def rows(self, index: Tensor) -> SoftLabel:
        """The same for those chains."""
        return replace(self, shares=_rows(self.shares, index))


def _weighed(
    classifier: Callable[[Tensor], Tensor], labels: Sequence[Label] | Tensor, weights: Weights
) -> tuple[Tensor, Tensor, int]:
    """(classes (k,), weights (k,) or (B, k), the largest class), where the classifier's weights are."""
    require_eval(classifier, "classifier")
    numbers = torch.as_tensor(class_numbers(classifier, labels))
    fits = numbers.ndim == 1 and len(numbers) > 0 and not numbers.is_floating_point() and int(numbers.min()) >= 0
    if not fits or len(numbers.unique()) < len(numbers):
        raise ValueError(f"labels must be different classes, at least one, as whole numbers or names, got {labels!r}")
    given = torch.as_tensor(weights)
    if given.ndim not in (1, 2) or given.shape[-1] != len(numbers) or not bool((given >= 0).all()):
        raise ValueError(
            f"weights must be one number from 0 on for each of {len(numbers)} classes, or a line of them a row, "
            f"got {given.tolist()}"
        )
    place, kind = place_of(classifier), torch.get_default_dtype()
    return numbers.to(place, torch.int64, copy=True), given.to(place, kind, copy=True), int(numbers.max())


def _chosen(logits: Tensor, labels: Tensor, largest: int) -> Tensor:
    """(B, classes) -> (B, k) log-probabilities of those classes."""
    if logits.ndim != 2:
        raise ValueError(f"classifier must give logits (B, classes), got shape {tuple(logits.shape)}")
    if largest >= logits.shape[1]:
        raise ValueError(f"labels must lie in 0..{logits.shape[1] - 1}, got {largest}")
    return logits.log_softmax(1)[:, labels.to(logits.device)]


def _by_row(weights: Tensor, log_p: Tensor) -> Tensor:
    if weights.ndim == 2 and len(weights) != len(log_p):
        raise ValueError(f"weights must be one line for all or one per row: {len(log_p)} rows, got {len(weights)}")
    return weights.to(log_p)


def _rows(weights: Tensor, index: Tensor) -> Tensor:
    return weights if weights.ndim == 1 else weights.to(index.device)[index]
