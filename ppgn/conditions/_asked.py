"""Which class an image is asked to show, wherever in a condition that is said: what grids and diagnostics go by."""

from __future__ import annotations

from ppgn.conditions._algebra import AllOf
from ppgn.conditions._class_label import ClassLabel
from ppgn.conditions._inpaint import Inpaint
from ppgn.conditions._parts import parts
from ppgn.conditions._region import Region
from ppgn.conditions._views import Views
from ppgn.types import Condition


def class_asked(condition: Condition) -> ClassLabel | None:
    """The one class label that the image, its views, a region of it or what fills its hole is to show.

    None where there is none, or several, or where it is one among alternatives, or led away from.
    """
    if isinstance(condition, ClassLabel):
        return condition
    inside: list[Condition] = []
    if isinstance(condition, AllOf):
        inside = [one for one, weight in zip(condition.conditions, condition.weights, strict=True) if weight > 0]
    elif isinstance(condition, Inpaint | Region | Views):
        inside = parts(condition)
    found = [asked for one in inside if (asked := class_asked(one)) is not None]
    return found[0] if len(found) == 1 else None
