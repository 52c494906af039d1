"""The words and the table of an ablation's report, which need no script."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ppgn.ablation.page import summary, views
from ppgn.ablation.page.meaning import meaning
from ppgn.ablation.page.summary import Mean, Setting
from ppgn.report import Html, tag

Header = Mapping[str, Any]
NOTES = 20  # reasons and warnings told below the table


def question(header: Header) -> str:
    """What the ablation asks, or that it is one."""
    about = str(_told(header).get("about") or "An ablation of plug-and-play samplers").strip()
    return about[:1].upper() + about[1:]


def names(header: Header) -> dict[str, str]:
    """What each figure is, as the folder says."""
    return dict(_told(header).get("names") or {})


def floors(header: Header) -> dict[str, dict[str, list[float | int | None]]]:
    """model -> figure -> mean, error and count of real images measured as the cells are."""
    found: dict[str, dict[str, list[float | int | None]]] = {}
    for model, real in (_told(header).get("floors") or {}).items():
        for name in dict.fromkeys(name for one in real for name in one):
            mean = summary.mean(one.get(name) if summary.is_number(one.get(name)) else None for one in real)
            if mean is not None:
                found.setdefault(str(model), {})[name] = list(mean)
    return found


def body(header: Header, found: Sequence[Setting], figures: Sequence[Mapping[str, Any]], said: str) -> list[Html]:
    """All of the page but what the scripts draw, and the places where they do."""
    return [
        _head(header, found),
        tag("p", said, class_="said") if said else Html(""),
        tag("section", id="glance", hidden=""),
        tag("section", id="curves", hidden=""),
        tag("section", id="maps", hidden=""),
        _table(header, found, figures),
        _notes(header, found),
        _design(header, found),
        tag("noscript", [tag("p", "Curves, maps, pictures and sorting need JavaScript, which is off.", class_="said")]),
    ]


def _head(header: Header, found: Sequence[Setting]) -> Html:
    rows = [row for one in found for row in one.rows]
    failed = sum(one.failed for one in found)
    seeds = Counter(len(one.rows) for one in found).most_common(1)[0][0]
    design = header.get("design", {})
    expected = header.get("cells")
    lengths = [one.values.get("steps", design.get("steps")) for one in found]
    facts = [
        ("cells", f"{len(rows)} of {expected}" if expected and expected != len(rows) else str(len(rows))),
        ("settings", str(len(found))),
        ("seeds", str(seeds)),
        ("chains a class", str(design.get("n", rows[0].get("n", "-")))),
        ("steps", " / ".join(dict.fromkeys(summary.shown(steps) for steps in lengths))),
        ("failed", str(failed)),
    ]  # fmt: skip
    listed = [tag("div", [tag("dd", value), tag("dt", name)], class_="failed" if name == "failed" and failed else None)
              for name, value in facts]  # fmt: skip
    models = ", ".join(dict.fromkeys(str(one.values.get("model", "")) for one in found if one.values.get("model")))
    return tag("header", [
        tag("p", f"ppgn ablation{' of ' + models if models else ''}", class_="kicker"),
        tag("h1", question(header)),
        tag("dl", listed, class_="facts"),
        tag("p", _measured(header)),
    ])  # fmt: skip


def _measured(header: Header) -> str:
    """Who judges, and what the floor is."""
    if header.get("measure") is not None:
        return "Measured by a function of the caller's."
    judged = [own for own in (header.get("judged") or {}).values() if isinstance(own, Mapping) and own.get("judge")]
    if not judged:
        return "No network judged the samples: only the condition's own figures are told."
    said = dict.fromkeys(str(text) for text in (_told(header).get("said") or {}).values() if text)
    real = f" Real images: {'; '.join(said)}." if said else ""
    return f"Judged by a network that was never the condition.{real}"


def _table(header: Header, found: Sequence[Setting], figures: Sequence[Mapping[str, Any]]) -> Html:
    axes = summary.varied(found)
    first = [axes[j] for j in views.telling([tuple(one.values[name] for name in axes) for one in found])]
    rest = [name for name in axes if name not in first]
    top = [_column(name, summary.about(name), "text") for name in first or ["setting"]]
    top += [_column(str(one["title"]), str(one["about"]), "number") for one in figures]
    top += [_column(name, summary.about(name), "text") for name in rest]
    top.append(_column("sampler", "and whether it is exact", "text"))
    real = [_real(model, own, max(1, len(first)), len(rest), figures) for model, own in floors(header).items()]
    lines = [_line(i, one, first, rest, figures) for i, one in enumerate(found)]
    parts = [tag("thead", [tag("tr", top), *real]), tag("tbody", lines)]
    box = tag("div", [tag("table", parts, class_="sortable", id="means")], class_="scroll", tabindex=0, role="region",
              aria_label="Means over the seeds")  # fmt: skip
    said = "Mean ± standard error over the seeds. Bold: the best of its column, and what is within the errors of it."
    return tag(
        "section", [tag("h2", "Every setting"), tag("p", said, class_="note"), box, _meanings(figures)], id="table"
    )


def _column(name: str, about: str, kind: str) -> Html:
    return tag(
        "th", [tag("button", name, type="button")], scope="col", title=about or None, class_=kind, data_kind=kind
    )


def _real(
    model: str, own: Mapping[str, Sequence[Any]], before: int, after: int, figures: Sequence[Mapping[str, Any]]
) -> Html:
    first = tag("th", "real images", scope="row", title=f"measured as the cells of {model} are")
    empty = [tag("td", model if i == 0 else "") for i in range(before - 1)]
    cells = [_number(one["name"], Mean(*own[one["name"]]) if one["name"] in own else None) for one in figures]
    return tag("tr", [first, *empty, *cells, *[tag("td", "")] * (after + 1)], class_="floor")


def _line(
    i: int, one: Setting, first: Sequence[str], rest: Sequence[str], figures: Sequence[Mapping[str, Any]]
) -> Html:
    """A setting: what tells it, its figures, what follows from the rest, its sampler."""
    name = first[0] if first else None
    head = (
        _value(one.values[name], f"#{one.id}") if name else tag("th", [tag("a", "all", href=f"#{one.id}")], scope="row")
    )
    figured = [_number(own["name"], one.figures.get(own["name"]), i in own["best"]) for own in figures]
    own = [_value(one.values[name]) for name in first[1:]]
    cells = [head, *own, *figured, *(_value(one.values[name]) for name in rest), _sampler(one)]
    return tag("tr", cells, data_setting=i)


def _value(value: Any, link: str | None = None) -> Html:
    """A setting's value; the first of its line leads to the cell."""
    look = "own" if value is None else None
    inside = [tag("a" if link else "span", summary.shown(value), href=link, class_=look)]
    number = f"{value!r}" if summary.is_number(value) else None
    return tag("th" if link else "td", inside, data_value=number, scope="row" if link else None)


def _sampler(one: Setting) -> Html:
    exact = {row["exact"] for row in one.rows if row.get("exact") is not None}
    sampler = next((str(row["sampler"]) for row in one.rows if row.get("sampler")), "")
    word = "" if not exact else " exact" if exact == {True} else " not exact"
    failed = f"{one.failed} of {len(one.rows)} failed" if one.failed else ""
    return tag("td", [tag("span", sampler), tag("small", word), tag("small", failed, class_="failed")])


def _number(name: str, mean: Mean | None, best: bool = False) -> Html:
    if mean is None:
        return tag("td", "-", class_="none")
    error = "" if mean.error is None else f" ± {summary.written_error(name, mean.error)}"
    inside = [tag("span", summary.written(name, mean.value)), tag("small", error)]
    return tag("td", inside, class_="number best" if best else "number", data_value=repr(float(mean.value)))


def _meanings(figures: Sequence[Mapping[str, Any]]) -> Html:
    told = []
    for one in figures:
        said = f" {one['about']}" if one["about"] else ""
        told += [tag("dt", str(one["title"])), tag("dd", [tag("code", str(one["name"])), tag("span", said)])]
    return tag("details", [tag("summary", "What the figures are"), tag("dl", told, class_="terms")])


def _notes(header: Header, found: Sequence[Setting]) -> Html:
    """What is missing, failed or was warned of."""
    rows = [row for one in found for row in one.rows]
    said = Counter(reason for row in rows for reason in _reasons(row.get("reasons") or {}))
    said.update(f"Warned: {text}" for row in rows for text in row.get("warnings") or [])
    listed = [tag("li", f"{text} ({count} of {len(rows)} cells)") for text, count in said.most_common(NOTES)]
    for row in rows:
        if row.get("error") is not None:
            link = tag("a", str(row["id"]), href=f"#{row['id']}")
            listed.append(tag("li", "Failed, ", [link], f": {row['error']}"))
    if any(one.values[name] is None for one in found for name in summary.varied(found)):
        listed.append(tag("li", "“own” is what the model recommends."))
    if not listed:
        return Html("")
    return tag("section", [tag("h2", "Notes"), tag("ul", listed)], id="notes")


def _reasons(of: Mapping[str, str]) -> list[str]:
    """Each reason once, after all figures that it is of."""
    titles = {why: ", ".join(meaning(name).title for name in of if of[name] == why) for why in of.values()}
    return [f"No {names}: {why}" for why, names in titles.items()]


def _design(header: Header, found: Sequence[Setting]) -> Html:
    """Exact settings, versions and hashes of all that the cells share."""
    rows = [row for one in found for row in one.rows]
    design = dict(header.get("design") or {})
    told: list[tuple[str, str]] = [(name, _text(value)) for name, value in design.items()]
    told += [(f"judge of {model}" if key == "judge" else f"real images of {model}", str(digits))
             for model, own in (header.get("judged") or {}).items() if isinstance(own, Mapping)
             for key, digits in own.items() if digits is not None]  # fmt: skip
    told += [("networks", str(header["networks"]))] if header.get("networks") else []
    for name in dict.fromkeys(key for row in rows for key in row.get("versions") or {}):
        several = dict.fromkeys(str(row["versions"][name]) for row in rows if name in (row.get("versions") or {}))
        told.append((name, ", ".join(several)))
    several = dict.fromkeys(str(row["device"]) for row in rows if row.get("device"))
    told += [("device", ", ".join(several))] if several else []
    listed = [part for name, text in told for part in (tag("dt", name), tag("dd", [tag("code", text)]))]
    return tag("section", [tag("h2", "The design, exactly"), tag("dl", listed, class_="terms exact")], id="design")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told(header: Header) -> Mapping[str, Any]:
    found = header.get("told")
    return found if isinstance(found, Mapping) else {}
