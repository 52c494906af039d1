from __future__ import annotations

from ppgn import records


def made(text):
    namespace = {}
    exec(text, namespace)
    return namespace["f"]


def test_functions_are_told_by_what_they_do():
    """Nested functions too, wherever in memory they lie; a saved run is resumed in another process."""
    nested = "def f(step):\n    return (lambda x: x * {})(step)"
    assert records.describe(made(nested.format(0.5))) == records.describe(made(nested.format(0.5)))
    assert records.describe(made(nested.format(0.5))) != records.describe(made(nested.format(0.25)))


def test_differences_are_named_leaf_by_leaf():
    saved = {"a": {"b": 1, "c": 2}, "d": "x" * 100}
    assert records.differences(saved, saved) == []
    found = records.differences(saved, {"a": {"b": 1, "c": 3}, "d": None})
    assert found[0] == "a.c: saved 2, now 3"
    assert found[1].startswith("d: saved 'xxx")
    assert found[1].endswith(" ..., now None")
