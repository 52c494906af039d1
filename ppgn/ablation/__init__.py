"""The noise-ablation benchmark: what each epsilon, each training noise and each network does, in numbers with errors.

A design says what is varied; its cells, a setting and a seed each, are walked one by one, measured by a judge that was
never the condition, and kept as they come: a run that was stopped goes on, several share the cells.

>>> import tempfile
>>> mine = of_axes({"variant": ["ppgn-h"], "eps_noise": [0, 1.87]}, n=1, steps=2, seeds=1)
>>> rows = run(mine, f"{tempfile.mkdtemp()}/out", progress=False)
>>> [row["settings"]["eps_noise"] for row in rows], rows[0]["error"] is None
([1.87, 0.0], True)
"""

from ppgn.ablation.axes import AXES, Axis, Range, Values, parsed
from ppgn.ablation.cells import Cell, Measure, told
from ppgn.ablation.design import Design, of_axes, read, ready, usual
from ppgn.ablation.planning import Plan, plan
from ppgn.ablation.points import Block
from ppgn.ablation.results import read as read_rows
from ppgn.ablation.running import run, walk
from ppgn.ablation.tables import table

__all__ = [
    "AXES",
    "Axis",
    "Block",
    "Cell",
    "Design",
    "Measure",
    "Plan",
    "Range",
    "Values",
    "of_axes",
    "parsed",
    "plan",
    "read",
    "read_rows",
    "ready",
    "run",
    "table",
    "told",
    "usual",
    "walk",
]
