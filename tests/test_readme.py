"""The README's and the docstrings' examples run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
import sys
from pathlib import Path

import pytest

import ppgn
from ppgn import cli

ROOT = Path(__file__).parents[1]
MODULES = sorted(m.name for m in pkgutil.walk_packages(ppgn.__path__, "ppgn.") if m.name != "ppgn.__main__")
SNIPPETS = re.findall(r"```(python|console)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
NEEDS = (".npz", ".caffemodel")  # commands on files that people have are run on small ones elsewhere


@pytest.mark.parametrize("name", ["ppgn", *MODULES])
def test_docstring_examples(name):
    module = importlib.import_module(name)
    sources = [getattr(module, n) for n in vars(module) if getattr(vars(module)[n], "__module__", None) == name]
    assert doctest.testmod(module).failed == 0
    assert all(source is not None for source in sources)


def test_the_readme_has_examples():
    assert {kind for kind, _ in SNIPPETS} == {"python", "console"}


def test_readme_python(tmp_path, monkeypatch):
    """In order, in one namespace, as a person pastes them."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for kind, text in SNIPPETS:
        if kind == "python":
            exec(compile(text, "README.md", "exec"), namespace)
    assert (tmp_path / "out" / "grid.png").exists()


def test_readme_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ran = 0
    for kind, text in SNIPPETS:
        for line in text.splitlines() if kind == "console" else []:
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if not line.startswith("$ ppgn ") or any(word.endswith(NEEDS) for word in words):
                continue
            monkeypatch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as end:
                cli.main()
            assert end.value.code == 0, line
            ran += 1
    assert ran >= 3


@pytest.mark.parametrize("page", ["README.md", "benchmarks/README.md", "CONTRIBUTING.md"])
def test_what_a_page_leads_to_is_there(page):
    """Pictures and files, which a page shows only where they are."""
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))
    for link in links:
        assert (ROOT / page).parent.joinpath(link).exists(), link
