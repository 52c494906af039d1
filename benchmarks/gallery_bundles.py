"""Pictures of the bundles: every class, by the bundle's own classifier or by somebody else's."""

from __future__ import annotations

from collections.abc import Callable

import thirdparty
import torch
from pictures import Drawn, Picture, rows
from torch import nn

import ppgn
from ppgn import evaluation, pretrained

STEPS, SEED = 200, 0


def every_class(
    bundle: str, columns: int = 10, steps: int = STEPS, foreign: Callable[[], pretrained.ImageClassifier] | None = None
) -> Drawn:
    """`columns` draws of each class by the bundle's recommended walk; `foreign` makes the condition's classifier."""
    if bundle not in pretrained.names():
        raise FileNotFoundError(f"there is no bundle {bundle} yet: {', '.join(pretrained.names())}")
    pipeline = ppgn.load(bundle, batch_size=100)
    classifier: nn.Module | None = pipeline.classifier if foreign is None else foreign()
    assert classifier is not None
    names = pretrained.describe(bundle).get("class_names") or [str(i) for i in range(10)]
    labels = torch.arange(len(names)).repeat_interleave(columns)
    asked = ppgn.conditions.class_label(classifier, labels)
    samples = ppgn.sample(pipeline.given(asked), len(labels), steps, SEED, frames=0)
    judge = pretrained.network(bundle, "judge")
    agreed = evaluation.agreement(judge, samples.images, labels)
    name, exact = samples.record["sampler"]["name"], "exact" if samples.exact else "not exact"
    told = (
        f"Sampler: {name} ({exact}), {steps} steps, {len(labels)} chains, seed {SEED}, none left out; mean log p(y|x) "
        f"{float(samples.log_condition[-1].mean()):.2f}; a judge that was never the condition agrees with {agreed:.0%}."
    )
    return Drawn(rows(samples.images, [names[i] for i in labels], columns), told)


def clothes() -> Drawn:
    return every_class("fashion")


def foreign_classifier() -> Drawn:
    return every_class("mnist", foreign=thirdparty.lenet)


def cifar10() -> Drawn:
    return every_class("cifar10")


PICTURES = {
    "clothes": Picture(clothes, "Clothes by name: the bundle `fashion` under its own classifier."),
    "foreign-classifier": Picture(
        foreign_classifier,
        "Digits of the bundle `mnist` under somebody else's LeNet-5, which no part of the bundle was trained with.",
    ),
    "cifar10": Picture(cifar10, "The bundle `cifar10` under its own classifier, every class by name."),
}
