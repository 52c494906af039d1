"""Conditions: log p(y | x) of what is asked, y bound inside. One module each: a builder and its frozen record."""

from ppgn.conditions._class_label import ClassLabel, class_label
from ppgn.conditions._inpaint import Inpaint, inpaint
from ppgn.conditions._realism import Realism, realism
from ppgn.conditions._unconditional import Unconditional, unconditional
from ppgn.conditions._views import Views, views

__all__ = [
    "ClassLabel",
    "Inpaint",
    "Realism",
    "Unconditional",
    "Views",
    "class_label",
    "inpaint",
    "realism",
    "unconditional",
    "views",
]
