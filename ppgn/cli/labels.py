"""`--label`: classes by number, by name, or all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ppgn.types import NamedClasses


def classes(classifier: nn.Module, label: Sequence[str], count: int) -> list[int | str]:
    """The classes asked for, of so many: numbers, and names where the classifier has names.

    Raises ValueError for what is no class.
    """
    if list(label) == ["all"]:
        return list(range(count))
    has_names = isinstance(classifier, NamedClasses) and len(classifier.class_names) > 0
    for text in label:
        if int(text) >= count if text.isdigit() else not has_names or text in ("", "all", "none"):
            names = " or their names" if has_names else ""
            raise ValueError(
                f"label must be all, none or one of 0..{count - 1}{names}, the model has {count} classes, got {text!r}"
            )
    return [int(text) if text.isdigit() else text for text in label]


@torch.no_grad()
def class_count(classifier: nn.Module, image_shape: tuple[int, ...]) -> int:
    """How many logits the classifier gives, by one image: no network need tell."""
    weights = next(classifier.parameters(), torch.empty(0))
    image = torch.zeros(1, *image_shape, device=weights.device, dtype=weights.dtype)
    return int(classifier(image).shape[1])
