"""What a cell's samples are measured by: a judge that was never the condition, and real images beside it.

Everything is `ppgn.evaluation`'s; a number means something only beside the floor, real images at the same n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from ppgn import data, evaluation, files, models, pretrained, records
from ppgn.ablation import walks
from ppgn.ablation.cells import Cell, Measure
from ppgn.pretrained.catalogue import WEIGHTS
from ppgn.samples import Samples

REAL = 100  # real images a class by which the spread is told


@runtime_checkable
class _Featured(Protocol):
    def features(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Yardstick:
    """What judges the images of a model.

    judge       None: nobody does
    reference   moments of real images in its features; None: there are none
    spread      mean distance of two real images of a class
    floors      name -> number, of real images measured as a cell is: at its n if there were images, once a seed
    said        of which images, and how many, the floors are
    source      sha256 of the real images, or of what the bundle says of its own
    """

    judge: nn.Module | None = None
    reference: evaluation.Moments | None = None
    spread: float | None = None
    floors: tuple[Mapping[str, float | str], ...] = ()
    said: str = ""
    source: str | None = None

    @property
    def described(self) -> dict[str, Any]:
        """What it depends on, the same on any machine."""
        return {"judge": None if self.judge is None else files.fingerprint(self.judge), "real": self.source}


def judge_of(model: str, told: str | nn.Module | None) -> tuple[nn.Module | None, str | None]:
    """(network, the bundle whose it is): the one told, by bundle or file, or that of the model's own bundle.

    Raises TypeError for a network without `features`, FileNotFoundError or DamagedFileError for a file.
    """
    if isinstance(told, nn.Module):
        return _featured(pretrained.frozen(told)), None
    if told is not None and told not in pretrained.names():
        return _featured(models.load(Path(told))), None
    bundle = told or model
    if bundle not in pretrained.names():
        return None, None
    described = pretrained.describe(bundle)
    if "judge" not in described["networks"]:
        bundle = described.get("classifier", bundle)
    if "judge" not in pretrained.describe(bundle)["networks"]:
        return None, None
    return pretrained.network(bundle, "judge"), bundle


def yardstick(
    judge: nn.Module | None, bundle: str | None, sets: tuple[data.ImageSet, data.ImageSet] | None, n: int, seeds: int
) -> Yardstick:
    """A judge with real images beside it: those of `sets`, (train, test), or else what the bundle says of its own.

    The floors are n training images a class, others for each seed, against the moments of the test images.
    """
    if judge is None:
        return Yardstick()
    stored = None if bundle is None else WEIGHTS / bundle / "reference.safetensors"
    found = None if stored is None or not stored.is_file() else files.read_tensors(stored)
    reference, spread, said = None, None, ""
    floors: tuple[Mapping[str, float | str], ...] = ()
    if found is not None:
        tensors, header = found
        reference = evaluation.Moments(tensors["mean"].double(), tensors["covariance"].double())
        spread = float(tensors["floor_spread"])
        floors = ({"distance": float(tensors["floor_distance"]), "spread": 1.0},)
        said = str(header["of"]) + (
            "" if n == REAL else "; distances at another n are not comparable, images are needed"
        )
    if sets is None:
        source = None if stored is None or found is None else files.sha256(stored)
        return Yardstick(judge, reference, spread, floors, said, source)
    train, test = sets
    for part in sets:
        part.require_labels("a judge")
    place, _ = records.of_device(judge)
    seen = evaluation.features(_judge(judge), data.to_float(test.images).to(place)).cpu()
    reference = evaluation.moments(seen) if len(seen) > seen.shape[1] else None
    fewest = int(train.labels.unique(return_counts=True)[1].min())
    real = train.per_class(min(REAL, fewest))
    shown = evaluation.features(_judge(judge), data.to_float(real.images).to(place)).cpu()
    spread = evaluation.spread(shown, real.labels)
    bare = Yardstick(judge, reference, spread)
    parts = [_nth(train, n, seed) for seed in range(min(seeds, fewest // n))]
    floors = tuple(_figures(data.to_float(part.images), part.labels, bare, True) for part in parts)
    said = f"{n} training images a class against {len(test)} test images"
    return Yardstick(judge, reference, spread, floors, said, walks.sha256(*sets))


def judged(yardsticks: Mapping[str, Yardstick]) -> Measure:
    """The measure by a judge, model by model: "judge" (share of images given their label), "distance", "spread".

    distance   Fréchet, in the judge's features, to the real images; biased upwards by about 1/n. There is none where
               only some of the model's classes were asked for
    spread     mean distance of two images of a class in these features, over that of real images
    """

    def measure(samples: Samples, cell: Cell) -> Mapping[str, float | str]:
        model = str(cell.settings["model"])
        return _figures(samples.images, cell.asked, yardsticks[model], len(cell.labels) == cell.classes)

    return measure


def _figures(images: Tensor, labels: Tensor, by: Yardstick, whole: bool) -> dict[str, float | str]:
    if by.judge is None:
        why = "no judge: the model's bundle has none, and none was given"
        return {"judge": why, "distance": why, "spread": why}
    device, dtype = records.of_device(by.judge)
    images = images.to(device, dtype)
    features = evaluation.features(_judge(by.judge), images).cpu()
    return {
        "judge": evaluation.agreement(_judge(by.judge), images, labels.to(device)),
        "distance": _distance(features, by.reference, whole),
        "spread": _spread(features, labels, by.spread),
    }


def _distance(features: Tensor, reference: evaluation.Moments | None, whole: bool) -> float | str:
    n, d = features.shape
    if reference is None:
        return "no real images to measure it from"
    if not whole:
        return "the real images are of all classes, the samples of some"
    if n <= d:
        return f"it needs more samples than the judge has features, {d}; there are {n}"
    return max(0.0, evaluation.frechet_distance(evaluation.moments(features), reference))


def _spread(features: Tensor, labels: Tensor, real: float | None) -> float | str:
    if real is None:
        return "no real images to measure it from"
    if int(labels.unique(return_counts=True)[1].min()) < 2:
        return "it needs two images of a class or more"
    return evaluation.spread(features, labels) / real if real > 0 else math.nan


def _nth(images: data.ImageSet, n: int, seed: int) -> data.ImageSet:
    """n images of every class: the first, the next n, ..."""
    rows = [(images.labels == label).nonzero()[:, 0][seed * n : (seed + 1) * n] for label in images.labels.unique()]
    index = torch.cat(rows)
    return data.ImageSet(images.images[index], images.labels[index])


def _featured(network: nn.Module) -> nn.Module:
    if not isinstance(network, _Featured):
        raise TypeError(f"judge must show the features it decides by, features(x); {type(network).__name__} does not")
    return network


def _judge(network: nn.Module) -> evaluation.Judge:
    return cast(evaluation.Judge, network)
