"""Tables that write themselves into README.md, between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

import datetime
import platform
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch

import ppgn

README = Path(__file__).with_name("README.md")


def write(name: str, head: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> None:
    """Replace the table `name` and print it."""
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    made = (
        f"{note} ppgn {ppgn.__version__}, torch {torch.__version__.split('+')[0]}, Python {platform.python_version()}, "
        f"{torch.get_num_threads()} thread(s) on {platform.machine()}, {datetime.date.today().isoformat()}."
    )
    block = "\n".join([f"<!-- {name} -->", *lines, "", made, f"<!-- /{name} -->"])
    text = README.read_text()
    pattern = re.compile(f"<!-- {name} -->.*?<!-- /{name} -->", re.S)
    if not pattern.search(text):
        raise ValueError(f"README.md must have a place for the table: <!-- {name} --> and <!-- /{name} -->")
    README.write_text(pattern.sub(lambda _: block, text))
    print(block)


def mean_and_error(values: Sequence[float], form: str = ".3f") -> str:
    """`mean ± standard error` of independent repeats."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:{form}}"
    return f"{mean:{form}} ± {statistics.stdev(values) / len(values) ** 0.5:{form}}"
