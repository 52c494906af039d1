"""Conditions: log p(y | x) of what is asked, y bound inside. One module each: a builder and its frozen record.

They add up: `a + b`, `0.5 * a`, `a | b`, `~a` (`_algebra.py`).
"""

from ppgn.conditions._algebra import Algebra, AllOf, AnyOf, Complement, all_of, any_of, complement
from ppgn.conditions._asked import class_asked
from ppgn.conditions._caption import Caption, caption
from ppgn.conditions._class_label import ClassLabel, class_label
from ppgn.conditions._class_sets import Mixture, SoftLabel, mixture, soft_label
from ppgn.conditions._in_turn import InTurn, in_turn
from ppgn.conditions._inpaint import Inpaint, inpaint
from ppgn.conditions._parts import walk
from ppgn.conditions._realism import Realism, realism
from ppgn.conditions._region import Region, Segmentation, painted, region, segmentation
from ppgn.conditions._regression import Regression, regression, similar
from ppgn.conditions._text import Text, text
from ppgn.conditions._unconditional import Unconditional, unconditional
from ppgn.conditions._unit import Unit, unit
from ppgn.conditions._views import Views, views

__all__ = [
    "Algebra",
    "AllOf",
    "AnyOf",
    "Caption",
    "ClassLabel",
    "Complement",
    "InTurn",
    "Inpaint",
    "Mixture",
    "Realism",
    "Region",
    "Regression",
    "Segmentation",
    "SoftLabel",
    "Text",
    "Unconditional",
    "Unit",
    "Views",
    "all_of",
    "any_of",
    "caption",
    "class_asked",
    "class_label",
    "complement",
    "in_turn",
    "inpaint",
    "mixture",
    "painted",
    "realism",
    "region",
    "regression",
    "segmentation",
    "similar",
    "soft_label",
    "text",
    "unconditional",
    "unit",
    "views",
    "walk",
]
