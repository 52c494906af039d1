"""Who judges: a classifier with features of its own, which must not be the network that the images were made to please.

An image walked up log p(y|x) of a network is a 7 to that network whatever it shows; only another network, of another
architecture, seed and half of the data, can tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ppgn import files


@runtime_checkable
class Judge(Protocol):
    """A classifier that also shows the features it decides by, as `ppgn.models.ResidualClassifier`."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        ...

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, d)."""
        ...


class SameNetworkWarning(UserWarning):
    """The judge is the network that the images were made to please: its word says nothing of them."""


def agreement(judge: Judge, images: Tensor, labels: Tensor) -> float:
    """The share of images (N, C, H, W) that the judge gives their label (N,)."""
    return float((in_parts(judge, images).argmax(1) == labels).float().mean())


def features(judge: Judge, images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, d), in the judge's features."""
    return in_parts(judge.features, images)


@torch.no_grad()
def in_parts(function: Callable[[Tensor], Tensor], images: Tensor, size: int = 500) -> Tensor:
    """The function of all rows, some hundred at a time, without gradients."""
    return torch.cat([function(part) for part in images.split(size)])


def named(network: object) -> dict[str, Any]:
    """A network by its class and the sha256 of its weights, for a report: features mean nothing without them."""
    weights = files.fingerprint(network) if isinstance(network, nn.Module) else None
    return {"network": type(network).__name__, "sha256": weights}


def warn_of_same(judge: object, pleased: Iterable[str | None]) -> None:
    """Warn (`SameNetworkWarning`) if the judge's weights are among those fingerprints of the condition's networks."""
    own = named(judge)["sha256"]
    if own is not None and own in set(pleased):
        warnings.warn(
            f"the judge must not be the condition, but its weights (sha256 {own[:12]}) are: images made to please a "
            "network please it whatever they show. Judge by another one",
            SameNetworkWarning, stacklevel=3,
        )  # fmt: skip
