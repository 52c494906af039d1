"""`--label`: classes by number, by name, all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ppgn.conditions import class_label
from ppgn.pipeline import Pipeline
from ppgn.types import NamedClasses


def labelled(pipeline: Pipeline, label: Sequence[str], n: int) -> tuple[Pipeline, int]:
    """The pipeline under the labels, n chains of each, and the number of chains; as it is for the label `none`.

    Raises ValueError for a pipeline without a classifier or for what is no class of it.
    """
    if list(label) == ["none"]:
        return pipeline, n
    if pipeline.classifier is None:
        raise ValueError("labels need a classifier, and the model was saved without one; leave out --label")
    labels = [one for one in classes(pipeline.classifier, label, class_count(pipeline)) for _ in range(n)]
    return pipeline.given(class_label(pipeline.classifier, labels)), len(labels)


def classes(classifier: nn.Module, label: Sequence[str], count: int) -> list[int | str]:
    """The classes asked for, of so many: numbers, and names where the classifier has names."""
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
def class_count(pipeline: Pipeline) -> int:
    """How many logits the classifier gives, by one image: no network need tell."""
    if pipeline.latent_shape is None or pipeline.classifier is None:
        raise ValueError("labels need a latent_shape and a classifier, and the model was saved without")
    weights = next(pipeline.classifier.parameters(), torch.empty(0))
    image = pipeline.generator(torch.zeros(1, *pipeline.latent_shape, device=weights.device, dtype=weights.dtype))
    return int(pipeline.classifier(image).shape[1])
