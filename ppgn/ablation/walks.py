"""How a setting's pipeline is walked: what is asked of it, where its chains begin, and what its numbers depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ppgn import conditions, data, named, records
from ppgn.ablation.axes import Value
from ppgn.ablation.parts import Given
from ppgn.pipeline import Pipeline
from ppgn.random import streams


def start_of(
    settings: Mapping[str, Value], pipeline: Pipeline, labels: Tensor, seed: int, given: Given
) -> Tensor | None:
    """First codes, one a label (n,); None: the pipeline's own start. Raises ValueError if there are none to be had."""
    kind = settings.get("start", "own")
    if kind == "own":
        return None
    if pipeline.latent_shape is None:
        raise ValueError(f"start = {kind} needs a pipeline with a latent_shape")
    device, dtype = records.of_device(pipeline.generator)
    like = torch.empty((len(labels), *pipeline.latent_shape), device=device, dtype=dtype)
    normal = streams(seed, len(labels)).normal(like, 0, "start")
    if kind == "normal":
        return normal
    if given.images is None:
        raise ValueError("start = real needs images to begin at, as --data mnist.npz, got none")
    codes = pipeline.encode(_real(given.images, labels, seed).to(device, dtype))
    # a walk down a ladder of noise begins at codes under noise; see Pipeline.encode
    own = settings.get("sampler", "own") == "own" and pipeline.sampler is not None
    noise = kernel(pipeline, settings).settings.get("sigma_max", 0.0) if own else 0.0
    return codes + noise * normal


def kernel(pipeline: Pipeline, settings: Mapping[str, Value]) -> Any:
    """The sampler that a setting walks with; None for "auto", which is chosen by a pilot."""
    name, steps = str(settings.get("sampler", "own")), int(settings["steps"])
    if name == "auto":
        return None
    if name != "own":
        return named.build(pipeline, name, named.default_warmup(name, steps), None)
    if pipeline.sampler is None:
        raise ValueError("the model recommends no sampler; give the axis mode with its numbers, or sampler")
    return pipeline.sampler(pipeline)


def asked(pipeline: Pipeline, settings: Mapping[str, Value], labels: Tensor) -> Pipeline:
    """The pipeline under one label a chain. Raises ValueError for a model without a classifier."""
    if pipeline.classifier is None:
        raise ValueError("the model has no classifier; name one with the axis classifier")
    objective: Any = settings.get("objective", "log_prob")
    return pipeline.given(conditions.class_label(pipeline.classifier, labels, objective=objective))


@torch.no_grad()
def shape_and_classes(pipeline: Pipeline) -> tuple[tuple[int, ...], int]:
    """((C, H, W), classes) of a pipeline, by one code. Raises ValueError for one that lacks what that takes."""
    if pipeline.latent_shape is None or pipeline.classifier is None:
        raise ValueError("a model needs a latent_shape and a classifier, to be walked under its classes")
    device, dtype = records.of_device(pipeline.generator)
    image = pipeline.generator(torch.zeros(1, *pipeline.latent_shape, device=device, dtype=dtype))
    return tuple(image.shape[1:]), int(pipeline.classifier(image).shape[1])


def fingerprints(pipeline: Pipeline, settings: Mapping[str, Value], given: Given) -> dict[str, Any]:
    """What a cell's numbers depend on beside its settings: weights, the parts' own settings, the kernel's, images."""
    real = settings.get("start") == "real"
    walk = kernel(pipeline, settings)
    found = {
        "weights": records.weights(pipeline if real else replace(pipeline, encoder=None)),
        "parts": records.describe([pipeline.generator, pipeline.prior, pipeline.classifier, pipeline.start]),
        "sampler": None if walk is None else {"name": walk.name, **records.describe(walk.settings)},
    }
    if real and given.images is not None:
        found["images"] = sha256(given.images)
    return found


def sha256(*sets: data.ImageSet) -> str:
    """Of the images and labels of all sets."""
    digest = hashlib.sha256()
    for one in sets:
        for tensor in (one.images, one.labels):
            digest.update(f"{tuple(tensor.shape)}\n".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _real(images: data.ImageSet, labels: Tensor, seed: int) -> Tensor:
    """(n, C, H, W): one of each label, others for each seed as long as there are."""
    images.require_labels("start = real")
    chosen = torch.empty(len(labels), dtype=torch.int64)
    for label in labels.unique():
        rows, own = (labels == label).nonzero()[:, 0], (images.labels == label).nonzero()[:, 0]
        if not len(own):
            raise ValueError(f"start = real needs images of every class, but there are none of {int(label)}")
        chosen[rows] = own[(seed * len(rows) + torch.arange(len(rows))) % len(own)]
    return data.to_float(images.images[chosen])
