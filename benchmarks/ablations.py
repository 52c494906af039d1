"""What does noise do? Ready designs of `ppgn ablate`, their tables here, their pages beside this file.

    python benchmarks/ablations.py section-3.5 --data mnist.npz      # 46 minutes of one core beside a training
    python benchmarks/ablations.py training-noise --data mnist.npz
    python benchmarks/ablations.py annealed --data mnist.npz
    python benchmarks/ablations.py denoisers --data mnist.npz        # denoisers.toml says what to train first

A run that was stopped goes on where it was; several at once share the cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tables
import torch

from ppgn import ablation, files

HERE = Path(__file__).parent
FIGURES = ("judge", "distance", "spread", "coverage", "recall", "r_hat", "ess")
LARGEST = 3_000_000  # bytes of a page that is kept beside this file


@dataclass(frozen=True)
class Study:
    """A design by name or file, the axes that its table tells, and whether its page is kept here."""

    design: str
    by: tuple[str, ...]
    page: bool = False


STUDIES = {
    "section-3.5": Study("section-3.5", ("variant", "mode", "eps_noise"), page=True),
    "training-noise": Study("training-noise", ("variant", "generator_noise", "eps_noise")),
    "annealed": Study("annealed", ("model", "gamma", "corrector", "sigma_min", "steps")),
    "denoisers": Study(str(HERE / "denoisers.toml"), ("variant", "mode", "denoiser_noise")),
}


def table(rows: Sequence[Mapping[str, Any]], by: Sequence[str], floors: Any) -> list[list[str]]:
    """Head and lines of the figures that are told here, as cells."""
    told = [
        {**row, "seconds": None, "figures": {name: row["figures"].get(name) for name in FIGURES}, "reasons": {}}
        for row in rows
    ]
    varied = [axis for axis in by if len({str(row["settings"].get(axis)) for row in told}) > 1]
    text = ablation.table(told, varied, floors).split("\n\n")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [lines[0], *lines[2:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=list(STUDIES))
    parser.add_argument("--data", default="mnist.npz", help="real images")
    parser.add_argument("--work", type=Path, default=Path("runs/ablations"), help="where its cells are")
    parser.add_argument("--name", help="of its folder and its place in README.md, if another than the study's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study, name = STUDIES[arguments.study], arguments.name or arguments.study
    out = arguments.work / name
    design = ablation.read(study.design)
    rows = ablation.run(design, out, data=arguments.data)
    real = files.read_json(out / "design.json")["told"]["floors"]
    head, *lines = table(rows, study.by, [one for floors in real.values() for one in floors])
    minutes = sum(row["seconds"] or 0 for row in rows) / 60
    if study.page:
        ablation.page.write(HERE / f"{name}.html", out, limit=LARGEST)
    tables.write(name, head, lines, (
        f"{design.n} chains a class, {design.steps} steps unless told, {design.seeds} seeds with the standard error "
        f"over them; - is what the variant recommends. Spread: mean distance within a class over that of real images; "
        f"coverage and recall (k = 5) against as many real images as there are samples; R-hat and "
        f"effective size of log p(y | x), second half of the walk. {len(rows)} cells, "
        f"{minutes:.0f} minutes of sampling. No row is exact."
    ))  # fmt: skip


if __name__ == "__main__":
    main()
