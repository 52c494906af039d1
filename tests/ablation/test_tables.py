from __future__ import annotations

import pytest

from ppgn.ablation import table


def row(settings, figures, **more):
    return {"id": "a", "settings": settings, "figures": figures, "reasons": {}, "error": None, "seconds": 2.0, **more}


def test_means_and_errors_by_hand():
    rows = [row({"gamma": 10.0, "n": 1}, {"judge": value, "log_p": -1.0}) for value in (0.2, 0.4, 0.9)]
    rows += [row({"gamma": 2.0, "n": 1}, {"judge": 0.5, "log_p": None}, reasons={"log_p": "none"})]
    lines = table(rows, floors=[{"judge": 1.0, "log_p": "no"}, {"judge": 0.9}], said="few").splitlines()
    assert lines == [
        "| gamma | runs | judge | log_p | seconds |",
        "| --- | --- | --- | --- | --- |",
        "| 2 | 1 | 0.500 | - | 2.0 |",
        "| 10 | 3 | 0.500 ± 0.208 | -1.00 ± 0.00 | 2.0 ± 0.0 |",
        "| *real images* | 2 | 0.950 ± 0.050 | - | - |",
        "",
        "- real images: few",
        "- no log_p: none (1 of 4 runs)",
    ]


def test_what_no_row_has_is_told_once_below():
    rows = [
        row({"a": x}, {"judge": x, "ess": None, "r_hat": None}, reasons={"ess": "short", "r_hat": "short"})
        for x in (0.0, 1.0)
    ]
    lines = table(rows, floors=[{"ess": 1.0}]).splitlines()
    assert lines[0] == "| a | runs | judge | seconds |"
    assert lines[-1] == "- no ess, r_hat: short (2 of 2 runs)"


def test_rows_are_joined_over_what_is_not_asked_for():
    rows = [row({"a": x, "b": y}, {"judge": x + y}) for x in (0.0, 1.0) for y in ("u", "v") for x, y in [(x, len(y))]]
    assert "| 1 | 2 | 2.000 ± 0.000 | 2.0 ± 0.0 |" in table(rows, by=["a"])
    assert "| all | 4 | 1.500 ± 0.289 | 2.0 ± 0.0 |" in table(rows, by=[])


def test_failures_are_counted_and_told():
    rows = [row({"a": 1.0}, {"judge": 0.5}), row({"a": 1.0}, {}, id="b", error="ValueError: no", seconds=None)]
    text = table(rows)
    assert "| all | 2, 1 failed | 0.500 | 2.0 |" in text
    assert "- failed, b: ValueError: no" in text
    assert "- warned: too few (1 of 1 runs)" in table([row({"a": 1.0}, {}, warnings=["too few"])])


def test_errors():
    with pytest.raises(ValueError, match="a table needs a row or more, got none"):
        table([])
    with pytest.raises(ValueError, match="by must be axes of the rows, a, got b"):
        table([row({"a": 1.0}, {})], by=["b"])
