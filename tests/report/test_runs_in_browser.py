"""A run's page as a person has it before them."""

from __future__ import annotations

import pytest
import torch
from browser import CONTRAST, WIDE

import ppgn


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page of a saved run of two labels."""
    pipeline = ppgn.load("mnist", "ppgn-h")
    asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, torch.tensor([3, 3, 7, 7])))
    folder = tmp_path_factory.mktemp("run") / "out"
    ppgn.sample(asked, 4, 6, 0, frames=3, progress=False).save(folder)
    return folder / "report.html"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_all_is_seen_and_read(chromium, made, scheme, width):
    chromium.forget()
    chromium.look(width=width, scheme=scheme)
    chromium.open(made)
    assert chromium.run("document.querySelector('h1').textContent") == "4 images of 3, 7"
    assert chromium.run("document.querySelector('img.sheet').naturalWidth") > 100
    assert chromium.run("document.querySelectorAll('#curves g.series').length") >= 2
    assert chromium.run("document.querySelectorAll('#curves .mark').length") == 14
    last = "document.querySelector('#film output').textContent"
    assert chromium.run(last) == "step 6"  # less motion is asked for: the end is shown
    chromium.run("(() => { const s = document.querySelector('#film input'); s.value = 0; "
                 "s.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert chromium.run(last) == "step 0"
    ratio, text, _ = chromium.run(CONTRAST)[0]
    assert ratio >= 4.5, text
    assert chromium.run(WIDE) == []
    assert chromium.errors == []
    assert all(url.startswith(("file:", "about:")) for url in chromium.asked)
