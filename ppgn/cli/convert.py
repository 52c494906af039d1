"""`ppgn convert-caffe`: a .caffemodel becomes a file that `ppgn.models.load` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppgn import files, models, pretrained


def convert_command(
    weights: Annotated[
        Path, typer.Argument(metavar="MODEL.caffemodel", help="CaffeNet, Places205, a DeePSiM generator")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="the .safetensors to write")],
    mean: Annotated[
        str | None, typer.Option(help="a .binaryproto, or R,G,B of [0, 255]; default: the file's own, else 123,117,104")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="side of a classifier's images, or of the centre that a generator keeps")
    ] = None,
    clamp: Annotated[
        bool,
        typer.Option("--clamp/--no-clamp", help="a generator's images are cut off at 0 and 1, or left as they are"),
    ] = True,
) -> None:
    """Convert a Caffe network, image classifier or image generator, to safetensors."""
    if out.suffix != ".safetensors":
        raise ValueError(f"--out must end in .safetensors, got {out}")
    files.check_writable(out)
    network = pretrained.read_caffe(weights, mean=_mean(mean), size=size, clamp=clamp)
    models.save(network, out, {"source": weights.name, "source_sha256": files.sha256(weights)})
    height, width = network.size
    count = sum(p.numel() for p in network.parameters())
    if isinstance(network, models.CaffeNetwork):
        kind = f"a classifier of {network.classes} classes, images of {height} x {width}"
    else:
        kind = f"a generator of images of {height} x {width} from codes {network.latent_shape}"
    typer.echo(f"{weights.name} is {kind}, {count:,} weights, sha256 {files.sha256(weights)}")
    typer.echo(f"{out}: read it with ppgn.models.load")


def _mean(text: str | None) -> tuple[float, float, float] | Path | None:
    """A file, or three numbers. Raises ValueError."""
    if text is None or text.endswith(".binaryproto") or Path(text).is_file():
        return None if text is None else Path(text)
    try:
        red, green, blue = (float(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"--mean must be a .binaryproto or three numbers R,G,B, got {text!r}") from None
    return red, green, blue
