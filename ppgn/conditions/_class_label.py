"""A class of a classifier as the condition."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import torch
from torch import Tensor

from ppgn.checks import require_eval, shown
from ppgn.conditions._algebra import Algebra
from ppgn.conditions._objectives import RAW, Objective, all_but, place_of, scored
from ppgn.types import NamedClasses

Label = int | str


def class_label(
    classifier: Callable[[Tensor], Tensor],
    label: Label | Sequence[Label] | Tensor,
    *,
    objective: Objective = "log_prob",
) -> ClassLabel:
    """The image shows class `label`: log softmax(classifier(x))[label], in nats.

    classifier   x (B, C, H, W) in [0, 1] -> logits (B, classes), in eval mode
    label        one class for all chains, or one per row: numbers, or names where the classifier knows them
                 (`class_names`), "volcano" or one of the synonyms in "tench, Tinca tinca", in any case
    objective    "log_prob"   the true gradient of the log-softmax (the paper's equation)
                 "released"   the same value, but only the label's own entry of the gradient is sent back,
                              (1 - p_label) d logit_label/dx, as the authors' sampling_class.py does
                 "logit"      the raw unit, as DGN-AM climbs (Nguyen et al. 2016); an activation, not nats

    Raises ValueError for a classifier in train mode, a negative or non-integer label, a name that is no class's or
    several's, or an unknown objective; a label outside the classes is named, with their number, when the condition
    first meets images.

    >>> import ppgn, torch
    >>> digits = ppgn.load("mnist")
    >>> class_label(digits.classifier, [3, 7]).log_prob(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """
    require_eval(classifier, "classifier")
    if objective not in get_args(Objective):
        raise ValueError(f"objective must be one of {get_args(Objective)}, got {objective!r}")
    # copied below: what the caller does to it later is not the condition's
    labels = torch.as_tensor(class_numbers(classifier, label))
    if labels.dtype.is_floating_point or labels.dtype == torch.bool or labels.ndim > 1 or labels.numel() == 0:
        raise ValueError(f"label must be one whole number or one per row, got {label!r}")
    if int(labels.min()) < 0:
        raise ValueError(f"label must not be negative, got {int(labels.min())}")
    labels = labels.to(place_of(classifier), torch.int64, copy=True)
    return ClassLabel(classifier, labels, int(labels.max()), objective)


@dataclass(frozen=True)
class ClassLabel(Algebra):
    """See `class_label`."""

    classifier: Callable[[Tensor], Tensor]
    label: Tensor  # () or (B,), where the classifier's weights are
    largest: int  # of the labels: known on the host, so that checking its range never waits for a device
    objective: Objective = "log_prob"
    _placed: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        logits = shown(self.classifier, x, "classifier")
        return scored(logits, self._column(logits), self.objective)

    def log_complement(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log of the probability of all other classes."""
        logits = shown(self.classifier, x, "classifier")
        return all_but(logits, self._column(logits))

    @property
    def nats(self) -> bool:
        """All but the raw logit."""
        return self.objective not in RAW

    def rows(self, index: Tensor) -> ClassLabel:
        """The same question for those chains."""
        return self if self.label.ndim == 0 else replace(self, label=self._at(index.device)[index])

    def _column(self, logits: Tensor) -> Tensor:
        """(B, 1) indices of each row's label."""
        if logits.ndim != 2:
            raise ValueError(f"classifier must give logits (B, classes), got shape {tuple(logits.shape)}")
        b, classes = logits.shape
        if self.label.ndim == 1 and len(self.label) != b:
            raise ValueError(f"label must be one number or one per row: {b} rows, got {len(self.label)} labels")
        if self.largest >= classes:
            raise ValueError(
                f"label must lie in 0..{classes - 1}, the classifier has {classes} classes, got {self.largest}"
            )
        return self._at(logits.device).expand(b).unsqueeze(1)

    def _at(self, device: torch.device) -> Tensor:
        """The label on a device, moved there once."""
        if device not in self._placed:
            self._placed[device] = self.label.to(device)
        return self._placed[device]


def class_numbers(classifier: object, label: Label | Sequence[Label] | Tensor) -> Label | Sequence[Label] | Tensor:
    """The label with every name replaced by its class's number."""
    if isinstance(label, str):
        return class_number(classifier, label)
    if isinstance(label, Sequence) and any(isinstance(one, str) for one in label):
        return [class_number(classifier, one) if isinstance(one, str) else one for one in label]
    return label


def class_number(classifier: object, name: str) -> int:
    """The number of the class of that name. Raises ValueError, naming the closest, for none or several."""
    names = classifier.class_names if isinstance(classifier, NamedClasses) else ()
    if not names:
        kind = type(classifier).__name__
        raise ValueError(f"label {name!r} needs a classifier that names its classes (class_names), {kind} does not")
    asked = name.casefold()
    found = [i for i, known in enumerate(names) if known.casefold() == asked]
    found = found or [i for i, known in enumerate(names) if asked in known.casefold().split(", ")]
    if len(found) > 1:
        told = ", ".join(f"{i} ({names[i]})" for i in found)
        raise ValueError(f"label {name!r} names several classes: {told}; give the number of one")
    if not found:
        raise ValueError(f"label must be one of the {len(names)} class names, got {name!r}{_closest(asked, names)}")
    return found[0]


def _closest(asked: str, names: Sequence[str]) -> str:
    """; the closest are ..., if any are close: by spelling, or because they hold what was asked."""
    words = {word: known for known in names for word in known.casefold().split(", ")}
    near = [words[word] for word in difflib.get_close_matches(asked, words, n=5)]
    near += [known for known in names if asked and asked in known.casefold()][:5]
    return f"; the closest are {', '.join(repr(known) for known in dict.fromkeys(near))}" if near else ""
