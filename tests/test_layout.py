"""The house: imports run one way, modules stay short, names lead where they say."""

from __future__ import annotations

import ast
import importlib
import re
import statistics
import tomllib
from pathlib import Path

import pytest

import ppgn

ROOT = Path(__file__).parents[1]
FOLDERS = {"ppgn": "ppgn", "samplers": "ppgn.samplers", "priors": "ppgn.priors", "pretrained": "ppgn.pretrained"}
PUBLIC = [
    "ppgn", "ppgn.conditions", "ppgn.evaluation", "ppgn.models", "ppgn.pretrained", "ppgn.priors", "ppgn.samplers",
    "ppgn.training",
]  # fmt: skip
LADDER = [
    {"types"},
    {
        "cache",
        "checks",
        "clusters",
        "files",
        "folders",
        "images",
        "latents",
        "layers",
        "masks",
        "random",
        "report",
        "samplers",
        "states",
        "strokes",
    },
    {
        "conditions",
        "data",
        "diagnostics",
        "models",
        "pipeline",
        "receptive",
        "records",
        "saving",
        "statistics",
        "trace",
    },
    {"evaluation", "named", "priors", "recipes", "runs", "training"},
    {"pretrained"},
    {"checkpoints", "keeping", "samples", "sampling"},
    {"ablation"},
    {"cli", "__main__", "__init__"},
]


def sources():
    return [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]


def part(path: Path) -> str:
    """The part of the house a file belongs to, as `samplers` or `pipeline`."""
    folder, *rest = path.relative_to(ROOT).parts
    return Path(rest[0]).stem if folder == "ppgn" else folder


def imports(path: Path) -> set[str]:
    """Parts of ppgn that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "ppgn":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ppgn."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ppgn.")}
    return found


def level(name: str) -> int:
    return next(i for i, names in enumerate(LADDER) if name in names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    own = part(path)
    for other in imports(path) - {own}:
        assert level(other) <= level(own), f"{own} imports {other}"
        if own == "samplers":
            assert other == "types"


def test_no_two_modules_of_a_level_import_each_other():
    graph: dict[str, set[str]] = {}
    for path in sources():
        graph.setdefault(part(path), set()).update(imports(path))
    for a, others in graph.items():
        for b in others - {a}:
            assert a not in graph.get(b, set()), f"{a} and {b} import each other"


def test_files_are_short():
    lengths = {path: len(path.read_text().splitlines()) for path in sources()}
    assert max(lengths.values()) <= 300, max(lengths, key=lengths.get)
    assert statistics.median(lengths.values()) < 150


def test_every_listed_package_and_no_other_is_a_folder_with_modules():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for folder, package in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            below = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *below]))
    assert listed == found


@pytest.mark.parametrize("name", PUBLIC)
def test_all_names_are_there(name):  # and sorted, which the linter sees to
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert getattr(module, public).__doc__, f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", PUBLIC)
def test_no_module_shares_its_name_with_what_stands_beside_it(name):
    """`import ppgn.samplers.mala as m` would otherwise give the function."""
    package = importlib.import_module(name)
    for path in package.__path__:
        for module in Path(path).glob("[!_]*.py"):
            assert not callable(getattr(package, module.stem, None)), f"{name}.{module.stem}"


def test_the_version_stands_once():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ppgn.__version__ == version
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest
    assert newest[1] == version


def test_nothing_at_run_time_comes_from_tests_or_benchmarks():
    for path in sources():
        assert not re.search(r"^\s*(from|import) (tests|benchmarks|targets|conftest)\b", path.read_text(), re.M), path
