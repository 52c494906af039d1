"""What figures are called in a report and which way is better, where that is known; others have their own names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from ppgn.ablation.tables import NAMES

Better = Literal["high", "low", "one"]


class Meaning(NamedTuple):
    """A figure's title, and what is better: high, low, near one; None: neither is, or it is not known."""

    title: str
    better: Better | None = None


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "judge": Meaning("Judge agrees", "high"),
        "distance": Meaning("Distance", "low"),
        "spread": Meaning("Spread", "one"),
        "coverage": Meaning("Coverage", "high"),
        "density": Meaning("Density", "one"),
        "precision": Meaning("Precision", "high"),
        "recall": Meaning("Recall", "high"),
        "r_hat": Meaning("R-hat", "low"),
        "ess": Meaning("Effective size", "high"),
        "cost": Meaning("Cost", "low"),
        "guide": Meaning("Condition agrees"),
        "log_p": Meaning("log p(y | x)"),
        "seconds": Meaning("Seconds"),
    }
)
"""In the order in which a report shows them."""


def meaning(name: str) -> Meaning:
    """Of a figure by its name."""
    return MEANINGS.get(name, Meaning(name))


def about(name: str, told: Mapping[str, str]) -> str:
    """What the figure is, in words: those of the results' own folder, if it has some."""
    return str(told.get(name, NAMES.get(name, "")))
