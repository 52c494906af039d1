"""HTML from names, attributes and texts; every text is escaped, so that no setting's name can be markup."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any, NewType

Html = NewType("Html", str)
"""Text that is markup already, as `tag` makes it."""

VOID = {"br", "col", "img", "input", "meta"}


def tag(name: str, *inside: str | tuple[Html, ...] | list[Html], **attributes: str | int | None) -> Html:
    """An element; strings inside are escaped, sequences are of elements. `class_` is class, `data_id` data-id.

    An attribute of None is left out.

    >>> tag("td", "a & b", [tag("br")], class_="n")
    '<td class="n">a &amp; b<br></td>'
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Html(f"<{name}{told}>")
    body = "".join(html.escape(part, quote=False) if isinstance(part, str) else "".join(part) for part in inside)
    return Html(f"<{name}{told}>{body}</{name}>")


def data(name: str, content: Mapping[str, Any] | list[Any]) -> Html:
    """JSON that a script reads by the element's id, and that cannot end the element: it has no `<` in it.

    Raises ValueError for numbers that JSON has not.
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), sort_keys=True)
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Html(f'<script type="application/json" id="{html.escape(name)}">{safe}</script>')
