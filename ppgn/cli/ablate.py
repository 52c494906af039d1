"""`ppgn ablate`: what each epsilon, each training noise and each network does, in a table with errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ppgn import ablation, training
from ppgn.cli.commands import command


@dataclass(frozen=True, kw_only=True)
class Varied:
    """What is varied, and how it is combined."""

    axis: Annotated[
        list[str] | None,
        typer.Option(
            help=f"NAME=VALUE,VALUE,... or NAME=LOW..HIGH[:log][:COUNT], of {', '.join(ablation.AXES)}; once an axis, "
            "in place of the design's own"
        ),
    ] = None
    kind: Annotated[
        str | None, typer.Option(help="of --axis alone: grid (if not told), sobol, latin-hypercube or random")
    ] = None
    points: Annotated[int | None, typer.Option(help="so many settings are drawn; not for a grid")] = None
    design_seed: Annotated[int | None, typer.Option(help="of the settings that are drawn, 0 if not told")] = None
    model: Annotated[str | None, typer.Option(help="as of `ppgn sample`, in place of the design's; mnist")] = None
    n: Annotated[int | None, typer.Option(help="chains a class, in place of the design's; 10")] = None
    steps: Annotated[int | None, typer.Option(help="of a chain, in place of the design's; 200")] = None
    seeds: Annotated[int | None, typer.Option(help="runs of each setting, in place of the design's; 3")] = None
    label: Annotated[list[int] | None, typer.Option(help="a class, in place of all; may be repeated")] = None


@command(Varied)
def ablate_command(
    varied: Varied,
    design: Annotated[
        str | None,
        typer.Argument(help=f"a .toml file, or a ready one: {', '.join(ablation.ready())}; the model's usual"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder of results; gone on with if of this design")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="real images, for a floor at the same n and for start=real: an .npz, a folder, ..."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="bundle whose judge is taken, or a file of `ppgn train classifier`; the model's")
    ] = None,
    shard: Annotated[str, typer.Option(help="i/n: the i-th of n parts of the cells alone")] = "1/1",
    cell: Annotated[list[str] | None, typer.Option(help="the cell of that id alone; may be repeated")] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="make the page, --out, of this folder of results; may be repeated, for shards"),
    ] = None,
    megabytes: Annotated[float, typer.Option(min=0.2, help="of the page that --report makes, at the most")] = 20,
    retry: Annotated[bool, typer.Option("--retry", help="walk cells anew that failed")] = False,
    show: Annotated[bool, typer.Option("--list", help="list the ready designs and the axes")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list the cells, and walk none")] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; default: a GPU if there is one")] = None,
    progress: Annotated[bool, typer.Option(help="a bar, on a terminal")] = True,
) -> None:
    """Walk a model under many settings, several seeds each, and put what a judge finds into a table with errors."""
    if show:
        typer.echo(_listed())
        return
    if report:
        typer.echo(ablation.page.write(out or Path("report.html"), *report, limit=int(1e6 * megabytes)))
        return
    asked, part, only = _design(design, varied), _shard(shard), cell or []
    place: Any = training.join(device)
    if out is None and not dry_run:
        raise ValueError("--out is needed: a folder for the results")
    planned = ablation.plan(asked, data=data, judge=judge, device=place)
    chosen = planned.chosen(only, part)
    if out is None or dry_run:
        lines = [f"{one.id} seed={one.seed} {ablation.told(one.settings)}" for one in chosen]
        typer.echo("\n".join([*lines, f"{len(lines)} cells of {asked.n} chains a class"]))
        return
    own = tuple(one.id for one in chosen[training.index() :: training.count()])  # of several that a launcher started
    rows = ablation.walk(planned, out, only=own, retry=retry, progress=progress and training.is_main()) if own else []
    if rows and {one.id for one in chosen} <= {row["id"] for row in rows}:  # the last of them speaks
        _tell(rows, out)


def _tell(rows: list[dict[str, Any]], out: Path) -> None:
    """Show the table. Raises RuntimeError if cells have failed."""
    typer.echo((out / "table.md").read_text())
    typer.echo(f"{len(rows)} cells in {out / 'results.jsonl'}; with their images in {out / 'report.html'}")
    failed = [row for row in rows if row["error"] is not None]
    if failed:
        raise RuntimeError(
            f"{len(failed)} of {len(rows)} cells failed, the first ({failed[0]['id']}): {failed[0]['error']}"
        )


def _design(source: str | None, varied: Varied) -> ablation.Design:
    given = varied.axis or []
    axes = dict(_axis(text) for text in given)
    if len(axes) < len(given):
        raise ValueError(f"--axis must be given once an axis, got {' '.join(given)}")
    drawn = {"kind": varied.kind, "points": varied.points, "seed": varied.design_seed}
    told = {name: value for name, value in drawn.items() if value is not None}
    if source is None and axes:
        block: Any = {"axes": axes, **told}
        found = ablation.Design((ablation.Block(**block),))
    elif told:
        raise ValueError(f"{', '.join(told)} are of --axis alone; {source or 'the usual design'} says its own")
    elif source is None:
        found = ablation.usual(varied.model or "mnist")
    else:
        found = ablation.read(source).with_axes(axes)
    if varied.model is not None:
        found = replace(found, fixed={**found.fixed, "model": varied.model})
    numbers = {name: getattr(varied, name) for name in ("n", "steps", "seeds")}
    others: Any = {name: value for name, value in numbers.items() if value is not None}
    return replace(found, labels=tuple(varied.label or found.labels), **others)


def _axis(text: str) -> tuple[str, ablation.Values]:
    name, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"--axis must be NAME=VALUE,VALUE,..., got {text!r}")
    return name.strip(), ablation.parsed(name.strip(), values)


def _shard(text: str) -> tuple[int, int]:
    i, slash, n = text.partition("/")
    if not slash or not i.isdigit() or not n.isdigit():
        raise ValueError(f"--shard must be i/n, as 1/2, got {text!r}")
    return int(i), int(n)


def _listed() -> str:
    designs = [f"  {name:15} {ablation.read(name).about}" for name in ablation.ready()]
    axes = [f"  {name:15} {axis.about}" + (f": {', '.join(axis.among)}" if axis.among else "")
            for name, axis in ablation.AXES.items()]  # fmt: skip
    return "\n".join(["designs", *designs, "", "axes", *axes])
