"""What a cell's samples are measured by: a judge that was never the condition, and real images beside it.

Everything is `ppgn.evaluation`'s; a number means something only beside the floor, real images at the same n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from ppgn import data, evaluation, files, models, pretrained, records
from ppgn.ablation import walks
from ppgn.ablation.cells import Cell, Measure
from ppgn.ablation.figures import Real, fewest, figures, nth, unjudged
from ppgn.pretrained.catalogue import WEIGHTS
from ppgn.samples import Samples

REAL = 100  # real images a class by which the spread is told


@runtime_checkable
class _Featured(Protocol):
    def features(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Yardstick:
    """What judges the images of a model.

    judge    None: nobody does
    real     real images in its features, or what is known of them
    classes  that they are of; (): all that the model has
    floors   name -> number, of real images measured as a cell is: at its n if there were images, once a seed
    said     of which images, and how many, the floors are
    source   sha256 of the real images, or of what the bundle says of its own
    """

    judge: nn.Module | None = None
    real: Real = field(default_factory=Real)
    classes: tuple[int, ...] = ()
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
    judge: nn.Module | None, bundle: str | None, sets: tuple[data.ImageSet, data.ImageSet] | None, n: int, seeds: int,
    labels: Sequence[int] = (),
) -> Yardstick:  # fmt: skip
    """A judge with real images beside it: those of `sets`, (train, test), or else what the bundle says of its own.

    labels   the classes that are asked for; (): all that there are

    The floors are n training images a class, others for each seed, against the test images. Raises ValueError for
    images without labels, or none of a class that is asked for.
    """
    if judge is None:
        return Yardstick()
    if sets is None:
        return _bundled(judge, bundle, n)
    train, test = (_of(part, labels) for part in sets)
    shown = train.per_class(min(REAL, fewest(train.labels)))
    seen = _features(judge, test)
    moments = evaluation.moments(seen) if len(seen) > seen.shape[1] else None
    spread = evaluation.spread(_features(judge, shown), shown.labels) if fewest(shown.labels) > 1 else None
    real = Real(moments, spread, seen, test.labels)
    floors = []
    for seed in range(min(seeds, fewest(train.labels) // n)):
        rows = nth(train.labels, n, seed)
        images = data.to_float(train.images[rows])
        floors.append(figures(_judge(judge), images, train.labels[rows], real, True, seed))
    said = (
        f"{n} training images a class against {len(test)} test images; coverage, density, precision and recall are "
        f"against {n} test images a class, as those of the samples are"
    )
    classes = tuple(test.labels.unique().tolist())
    return Yardstick(judge, real, classes, tuple(floors), said, walks.sha256(*sets))


def judged(yardsticks: Mapping[str, Yardstick]) -> Measure:
    """The measure by a judge, model by model; `ppgn.ablation.tables.NAMES` says what its figures are."""

    def measure(samples: Samples, cell: Cell) -> Mapping[str, float | str]:
        by = yardsticks[str(cell.settings["model"])]
        if by.judge is None:
            return unjudged("no judge: the model's bundle has none, and none was given")
        same = set(cell.labels) == set(by.classes or range(cell.classes))
        return figures(_judge(by.judge), samples.images, cell.asked, by.real, same, cell.seed)

    return measure


def _bundled(judge: nn.Module, bundle: str | None, n: int) -> Yardstick:
    """With what the bundle says of its real images: their moments, and the floors of REAL a class."""
    path = WEIGHTS / (bundle or "") / "reference.safetensors"
    if bundle is None or not path.is_file():
        return Yardstick(judge)
    found, header = files.read_tensors(path)
    moments = evaluation.Moments(found["mean"].double(), found["covariance"].double())
    real = Real(moments, float(found["floor_spread"]))
    floor = {"distance": float(found["floor_distance"]), "spread": 1.0}
    other = "" if n == REAL else "; distances at another n are not comparable, images are needed"
    return Yardstick(judge, real, (), (floor,), f"{header['of']}{other}", files.sha256(path))


def _of(images: data.ImageSet, labels: Sequence[int]) -> data.ImageSet:
    """Those of these labels, all if none is told."""
    images.require_labels("a judge")
    missing = sorted(set(labels) - set(images.labels.tolist()))
    if missing:
        raise ValueError(f"real images of every class asked for are needed, class {missing[0]} has none")
    if not labels:
        return images
    rows = torch.isin(images.labels, torch.tensor(labels))
    return replace(images, images=images.images[rows], labels=images.labels[rows])


def _features(judge: nn.Module, images: data.ImageSet) -> Tensor:
    place, _ = records.of_device(judge)
    return evaluation.features(_judge(judge), data.to_float(images.images).to(place)).cpu()


def _featured(network: nn.Module) -> nn.Module:
    if not isinstance(network, _Featured):
        raise TypeError(f"judge must show the features it decides by, features(x); {type(network).__name__} does not")
    return network


def _judge(network: nn.Module) -> evaluation.Judge:
    return cast(evaluation.Judge, network)
