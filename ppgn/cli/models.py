"""`ppgn models`: what comes with the toolkit, and what was downloaded."""

from __future__ import annotations

import dataclasses
import json
from itertools import groupby
from typing import Annotated, Any

import typer

from ppgn import pretrained
from ppgn.pretrained import hub
from ppgn.pretrained.catalogue import bundles


def models_command(
    name: Annotated[str | None, typer.Argument(help="one model: show its networks' cards")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """List the bundled models and what is in the cache ($PPGN_HOME), or the cards of one model."""
    if as_json:
        chosen = bundles() if name is None else [name]
        cached = [dataclasses.asdict(one) for one in hub.cached()]
        typer.echo(
            json.dumps({"bundles": {one: _whole(one) for one in chosen}, "cached": cached}, indent=2, default=str)
        )
    elif name is None:
        typer.echo(_bundles() + _cache())
    else:
        typer.echo("\n".join([_headline(name), *(_card(card) for card in pretrained.cards(name))]))


def _whole(name: str) -> dict[str, Any]:
    cards = {card.name: dataclasses.asdict(card) for card in pretrained.cards(name)}
    return {**pretrained.describe(name), "networks": cards}


def _bundles() -> str:
    lines = []
    for known in bundles():
        described = pretrained.describe(known)
        lines.append(f"{known}: {described['description']}")
        if not described["variants"]:
            lines.append(f"  {described['needs']}")
        for variant, parts in described["variants"].items():
            default = " (default)" if variant == described["default"] else ""
            lines.append(f"  {variant}{default}: {parts['description']}")
    return "\n".join(lines)


def _cache() -> str:
    """What was downloaded, a line for each source."""
    lines = []
    for source, group in groupby(hub.cached(), key=lambda one: one.source):
        found = list(group)
        files = found[0].file if len(found) == 1 else f"{len(found)} files"
        lines.append(f"  {source or '.'}: {files}, {_size(sum(one.size for one in found))}")
    if not lines:
        return f"\n\nNothing was downloaded yet (the cache is {hub.home()})"
    return "\n".join([f"\n\nDownloaded to {hub.home()}:", *lines])


def _headline(name: str) -> str:
    described = pretrained.describe(name)
    if not described["variants"]:
        return f"{name}: {described['description']}\n  {described['needs']}\n"
    variants = [f"{v} (default)" if v == described["default"] else v for v in described["variants"]]
    names = described.get("class_names", ())
    return (
        f"{name}: {described['description']}; {described['classes']} classes{': ' * bool(names)}{', '.join(names)}\n"
        f'  ppgn.load("{name}") or ppgn.load("{name}", VARIANT), with {", ".join(variants)}\n'
    )


def _card(card: pretrained.Card) -> str:
    architecture, _, config = card.architecture.partition(" ")
    settings = ", ".join(
        f"{key} {_shown(value, 'x' if 'shape' in key else '/')}" for key, value in json.loads(config or "{}").items()
    )
    widest = max(map(len, card.measured), default=0)
    figures = [f"{what:{widest}}  {value:g}" for what, value in card.measured.items()]
    low_high = card.value_range and f"images in [{card.value_range[0]:g}, {card.value_range[1]:g}]"
    code = card.latent_shape and f"codes of {_shown(card.latent_shape)}"
    rows = {
        "network": f"{architecture}: {settings}" if settings else architecture,
        "works on": ", ".join(part for part in (low_high, code) if part),
        "trained on": f"{card.data}; seed {card.seed}",
        "measured": "\n              ".join(figures),
        "source": card.source + ("" if card.revision is None else f" at {card.revision}"),
        "command": card.command,
        "licence": card.licence,
        "sha256": card.sha256,
    }
    lines = [f"  {what:12}{text}" for what, text in rows.items() if text]
    return "\n".join([f"{card.name}: {card.role}", *lines, ""])


def _shown(value: Any, between: str = "x") -> str:
    return between.join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _size(count: float) -> str:
    """Bytes, to be read by people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
