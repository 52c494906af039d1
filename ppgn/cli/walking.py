"""How `ppgn sample` walks: the options of the run and of its walk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ppgn import named, recipes

SETTINGS = (
    "mode", "eps_prior", "eps_condition", "eps_noise", "step_size", "gamma", "levels", "sigma_max", "limit",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """Of what, how long and where."""

    out: Annotated[Path, typer.Option(help="new folder for report.html, pictures, samples.safetensors and run.json")]
    model: Annotated[
        str,
        typer.Option(help="a bundled model, `ppgn models` lists them; or a saved pipeline: its folder, or user/name"),
    ] = "mnist"
    variant: Annotated[str | None, typer.Option(help="one of the model's; default: its own")] = None
    n: Annotated[int, typer.Option(help="chains for each label or caption")] = 16
    steps: Annotated[
        int | None, typer.Option(help="steps; with --resume, so many more; default: 200, or the recipe's")
    ] = None
    seed: Annotated[int, typer.Option(help="chain i depends on (seed, i) alone")] = 0
    batch_size: Annotated[int | None, typer.Option(help="evaluate so many chains at a time")] = None
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: a GPU if there is one")] = None
    resume: Annotated[
        Path | None, typer.Option(help="go on with the run saved in this folder; only --steps applies")
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier run in --out")] = False
    progress: Annotated[bool, typer.Option(help="a bar, on a terminal")] = True


@dataclass(frozen=True, kw_only=True)
class Walk:
    """By which sampler, with which numbers, and what is kept of it."""

    recipe: Annotated[
        str | None, typer.Option(help=f"walk as the authors did, and say how: {', '.join(recipes.names())}")
    ] = None
    sampler: Annotated[
        str | None,
        typer.Option(help=f"instead of the model's own: {', '.join(named.NAMES)}; they need a prior with a density"),
    ] = None
    mode: Annotated[str | None, typer.Option(help="paper (its Eq. 11) or released (the authors' code)")] = None
    eps_prior: Annotated[float | None, typer.Option(help="weight of the prior's score")] = None
    eps_condition: Annotated[float | None, typer.Option(help="weight of the condition's gradient")] = None
    eps_noise: Annotated[float | None, typer.Option(help="standard deviation of the noise")] = None
    step_size: Annotated[float | None, typer.Option(help="released mode, dgn-am: mean move of a coordinate")] = None
    gamma: Annotated[float | None, typer.Option(help="annealed: power of the condition, 1 is Bayes' rule")] = None
    levels: Annotated[int | None, typer.Option(help="annealed: steps of its ladder; as many as --steps allows")] = None
    sigma_max: Annotated[
        float | None, typer.Option(help="annealed: the noise that it begins in; less stays nearer to --start")
    ] = None
    limit: Annotated[float | None, typer.Option(help="annealed: of a steep condition's pull, as known pixels'")] = None
    restart: Annotated[int | None, typer.Option(help="each chain begins anew every so many steps")] = None
    thin: Annotated[int | None, typer.Option(help="keep every so many-th step's code")] = None
    keep_above: Annotated[
        float | None, typer.Option(help="kept.png: of the codes of --thin those of a greater probability")
    ] = None
    crop: Annotated[bool, typer.Option("--crop", help="seen.png: of each image what the --unit sees alone")] = False

    @property
    def settings(self) -> dict[str, Any]:
        """The sampler's numbers that were given."""
        given = {name: getattr(self, name) for name in SETTINGS}
        return {name: value for name, value in given.items() if value is not None}

    def check(self) -> None:
        """Raise ValueError for options that contradict each other."""
        numbers = ", ".join(self.settings)
        if self.sampler is not None and numbers:
            raise ValueError(f"--sampler walks with numbers of its own; leave out {numbers}")
        if self.recipe is not None and (numbers or self.sampler or self.restart):
            told = numbers or ("sampler" if self.sampler else "restart")
            raise ValueError(f"--recipe walks with numbers of its own; leave out {told}")
        if self.keep_above is not None and (self.thin is None or not 0 < self.keep_above < 1):
            raise ValueError(
                f"--keep-above is a probability between 0 and 1, of the codes of --thin, got {self.keep_above} "
                f"and thin = {self.thin}"
            )
