from __future__ import annotations

import json

import pytest

from ppgn import ablation

SMALL = ["--axis", "variant=ppgn-h", "--axis", "eps_noise=0,1", "--n", 1, "--steps", 2, "--seeds", 1, "--label", 7]


@pytest.fixture
def ablate(call):
    return lambda *arguments: call("ablate", "--device", "cpu", *arguments)


def test_a_table_with_its_rows_and_pictures(ablate, tmp_path):
    out = tmp_path / "out"
    status, said, _ = ablate(*SMALL, "--out", out)
    assert status == 0
    assert said.startswith("| eps_noise | runs | judge | distance |")
    assert "2 cells in" in said
    assert len((out / "results.jsonl").read_text().splitlines()) == len(list((out / "pictures").iterdir())) == 2
    assert json.loads((out / "design.json").read_text())["design"]["labels"] == [7]


def test_cells_are_listed_and_none_walked(ablate):
    _, whole, _ = ablate(*SMALL, "--dry-run")
    assert whole.splitlines()[-1] == "2 cells of 1 chains a class"
    assert whole.splitlines()[0].endswith("seed=0 model=mnist steps=2 variant=ppgn-h eps_noise=0")
    first, second = (ablate(*SMALL, "--dry-run", "--shard", f"{i}/2")[1].splitlines() for i in (1, 2))
    assert [first[0], second[0]] == whole.splitlines()[:2]


def test_a_file_and_axes_in_place_of_its_own(ablate, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('n = 1\nseeds = 1\n[fixed]\nvariant = "ppgn-h"\n[axes]\neps_noise = [0, 1, 2]\n')
    assert "3 cells" in ablate(path, "--dry-run")[1]
    assert "10 cells of 4" in ablate(path, "--dry-run", "--axis", "eps_noise=0..1:5", "--seeds", 2, "--n", 4)[1]
    drawn = ["--axis", "eps_noise=1e-3..1:log", "--kind", "sobol", "--points", 4, "--seeds", 1]
    assert "4 cells" in ablate("--axis", "variant=ppgn-h", *drawn, "--dry-run")[1]


def test_ready_designs_and_axes_are_listed(ablate):
    status, said, _ = ablate("--list")
    assert status == 0
    for name in (*ablation.ready(), *ablation.AXES):
        assert f"\n  {name} " in said


def test_failed_cells_are_the_exit_code(ablate, tmp_path):
    arguments = ["--axis", "variant=ppgn-h", "--axis", "eps_prior=1e38", *SMALL[4:]]
    status, said, error = ablate(*arguments, "--out", tmp_path / "out")
    assert status == 1
    assert "1, 1 failed" in said
    assert error.startswith("ppgn: 1 of 1 cells failed, the first (")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a design is needed: a .toml file, one of classifiers, epsilons, section-3.5, training-noise, or --axis"),
        (["--axis", "gamma=1"], "--out is needed: a folder for the results"),
        (["--axis", "gamma"], "--axis must be NAME=VALUE,VALUE,..., got 'gamma'"),
        (["--axis", "gama=1"], "got 'gama'; did you mean gamma?"),
        (["--axis", "gamma=1", "--axis", "gamma=2"], "--axis must be given once an axis"),
        (["epsilons", "--points", 3], "points are of --axis alone; epsilons says its own"),
        (["epsilon"], "a design must be a .toml file or one of classifiers"),
        (["--axis", "gamma=1", "--shard", "1"], "--shard must be i/n, as 1/2, got '1'"),
        (["--axis", "gamma=1", "--shard", "3/2", "--dry-run"], "a shard must be i/n, with i from 1 to n, got 3/2"),
        (["--axis", "gamma=1", "--model", "mnits", "--dry-run"], "model must be one of"),
    ],
)
def test_errors_are_one_line(ablate, arguments, message):
    status, _, error = ablate(*arguments)
    assert status == 1
    assert message in error
    assert error.count("\n") == 1
