"""`ppgn models`: what comes with the toolkit."""

from __future__ import annotations

from typing import Annotated

import typer

from ppgn import pretrained


def models_command(
    name: Annotated[str | None, typer.Argument(help="one model: show its networks' cards")] = None,
) -> None:
    """List the bundled models, or the cards of one."""
    if name is not None:
        for card in pretrained.cards(name):
            figures = ", ".join(f"{what} {value:g}" for what, value in card.measured.items())
            typer.echo(f"{card.name}: {card.role}\n  {card.architecture}, seed {card.seed}, sha256 {card.sha256}")
            typer.echo(f"  trained on {card.data}\n  measured: {figures}\n  {card.command}\n")
        return
    for known in pretrained.names():
        described = pretrained.describe(known)
        typer.echo(f"{known}: {described['description']}")
        for variant, parts in described["variants"].items():
            default = " (default)" if variant == described["default"] else ""
            typer.echo(f"  {variant}{default}: {parts['description']}")
