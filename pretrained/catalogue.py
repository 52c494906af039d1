"""Cards: what a bundled network is, how it was made, and the sha256 its file must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ppgn import files, models

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Card:
    """One network of a bundle.

    role           what it does in the bundle
    architecture   class in `ppgn.models`, its configuration in the file's header
    data           the images it was trained on
    command        the command that made it, seed included
    sha256         of the weights file
    measured       figures by name, as {"test accuracy": 0.991}
    latent_shape   of one code that it takes or gives; None: none
    value_range    (low, high) of the images that it takes or gives; None: none
    source         where the weights come from: a repository or address; by default they were trained here
    revision       of the source: a commit or tag; None: the source has none
    licence        of the weights
    """

    bundle: str
    name: str
    role: str
    architecture: str
    data: str
    command: str
    seed: int
    sha256: str
    measured: Mapping[str, float]
    latent_shape: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None
    source: str = "trained here, by command"
    revision: str | None = None
    licence: str = "MIT"

    @property
    def path(self) -> Path:
        """The weights file."""
        return WEIGHTS / self.bundle / f"{self.name}.safetensors"


def bundles() -> list[str]:
    """Names of the bundles in this installation."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/bundle.json"))


def loadable() -> list[str]:
    """Names of the bundles that hold a whole pipeline, for `ppgn.load`; the others need a part of somebody else's."""
    return [name for name in bundles() if bundle(name)["variants"]]


def bundle(name: str) -> dict[str, Any]:
    """The bundle's description: variants and recommended settings. Raises ValueError naming the bundles there are."""
    if name not in bundles():
        hint = "; a saved pipeline is loaded by ppgn.pretrained.from_pretrained" if "/" in name else ""
        raise ValueError(f"model must be one of {', '.join(bundles())}, got {name!r}{hint}")
    return files.read_json(WEIGHTS / name / "bundle.json")


def cards(name: str) -> list[Card]:
    """The cards of a bundle's networks."""
    return [card(name, part) for part in bundle(name)["networks"]]


def card(name: str, part: str) -> Card:
    """One card. Raises ValueError naming the bundle's networks."""
    known = bundle(name)["networks"]
    if part not in known:
        raise ValueError(f"{name} has the networks {', '.join(known)}, got {part!r}")
    described = files.read_json(WEIGHTS / name / f"{part}.json")
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in described.items()
    }
    return Card(bundle=name, name=part, **fields)


def network(name: str, part: str) -> nn.Module:
    """A bundle's network, checked against its card's sha256: frozen, in eval mode.

    Raises ValueError for unknown names, DamagedFileError for a file that was altered or cut.

    >>> network("mnist", "judge").training
    False
    """
    found = card(name, part)
    return models.load(found.path, found.sha256)
