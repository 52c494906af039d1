"""Conditions: log p(y | x) of what is asked, y bound inside. One module each: a builder and its frozen record."""

from ppgn.conditions._class_label import ClassLabel, Objective, class_label
from ppgn.conditions._unconditional import Unconditional, unconditional

__all__ = ["ClassLabel", "Objective", "Unconditional", "class_label", "unconditional"]
