"""A page put together: its text, and within it the style sheets, scripts, data and pictures that it is shown by."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from ppgn.report.markup import Html, data, tag

OWN = Path(__file__).parent
STYLES = (OWN / "page.css", OWN / "table.css", OWN / "plots.css")
SCRIPTS = (OWN / "dom.js", OWN / "scales.js", OWN / "plot.js", OWN / "heat.js", OWN / "table.js", OWN / "film.js")


def page(
    title: str,
    body: Sequence[Html],
    *,
    styles: Sequence[Path] = (),
    scripts: Sequence[Path] = (),
    content: Mapping[str, Any] | None = None,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The file's text; the same of the same.

    body       elements of <main>
    styles     sheets after our own; scripts: parts of one function after our own, of which the last begins the work
    content    what the scripts read as `readData("content")`
    pictures   name -> data: URI, read as `readData("pictures")`; they stand last, so that the rest is shown before
    """
    style = "\n".join(path.read_text() for path in (*STYLES, *styles))
    inner = "\n".join(path.read_text() for path in (*SCRIPTS, *scripts))
    script = f'"use strict";\n(() => {{\n{inner}\n}})();\n'
    for text, end in ((style, "</style"), (script, "</script")):
        if end in text.lower():
            raise ValueError(f"a style or script must not have {end!r} in it, which would end it")
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    template = Template((OWN / "page.html").read_text())
    return template.substitute(
        policy=policy,
        title=tag("title", title),
        style=style,
        script=script,
        body="\n".join(body),
        content=data("content", dict(content or {})),
        pictures=data("pictures", dict(pictures or {})),
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
