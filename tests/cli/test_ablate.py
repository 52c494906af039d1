from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

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
    assert said.startswith("| eps_noise | runs | judge | guide |")
    assert "2 cells in" in said
    assert len((out / "results.jsonl").read_text().splitlines()) == len(list((out / "pictures").iterdir())) == 2
    assert json.loads((out / "design.json").read_text())["design"]["labels"] == [7]


def test_a_shard_without_a_cell_has_nothing_to_say(ablate, tmp_path):
    assert ablate(*SMALL, "--shard", "3/3", "--out", tmp_path / "out") == (0, "", "")
    assert not (tmp_path / "out").exists()


def test_a_page_of_a_run_and_of_its_shards(ablate, tmp_path):
    for i in (1, 2):
        ablate(*SMALL, "--shard", f"{i}/2", "--out", tmp_path / f"{i}")
    ablate(*SMALL, "--out", tmp_path / "whole")
    folders = ["--report", tmp_path / "1", "--report", tmp_path / "2"]
    status, said, _ = ablate(*folders, "--out", tmp_path / "both.html")
    assert (status, said.strip()) == (0, str(tmp_path / "both.html"))
    both, whole = ((tmp_path / name).read_text() for name in ("both.html", "whole/report.html"))
    for row in ablation.read_rows(tmp_path / "whole"):
        assert row["id"] in both
        assert row["id"] in whole
    assert ablate("--report", tmp_path, "--out", tmp_path / "none.html")[0] == 1


def test_cells_are_listed_and_none_walked(ablate):
    _, whole, _ = ablate(*SMALL, "--dry-run")
    assert whole.splitlines()[-1] == "2 cells of 1 chains a class"
    assert whole.splitlines()[0].endswith("seed=0 model=mnist steps=2 variant=ppgn-h eps_noise=0")
    first, second = (ablate(*SMALL, "--dry-run", "--shard", f"{i}/2")[1].splitlines() for i in (1, 2))
    assert [first[0], second[0]] == whole.splitlines()[:2]


def test_a_model_has_a_usual_design(ablate):
    small = ["--dry-run", "--n", 1, "--seeds", 1]
    assert ablate("--model", "mnist", *small)[1] == ablate("epsilons", *small)[1]
    assert ablate("--model", "fashion", *small)[1] == ablate("annealed", "--model", "fashion", *small)[1]


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


def test_a_row_tells_the_command_that_makes_it_again(ablate, tmp_path):
    ablate(*SMALL[:4], "--n", 1, "--steps", 2, "--seeds", 2, "--label", 7, "--label", 3, "--out", tmp_path / "out")
    rows = ablation.read_rows(tmp_path / "out")
    for row in rows[:2]:
        arguments = shlex.split(row["command"])
        assert arguments[:2] == ["ppgn", "ablate"]
        assert arguments[-1] == f"--out={row['id']}"
        assert ablate(*arguments[2:-1], "--out", tmp_path / row["id"])[0] == 0
        (again,) = ablation.read_rows(tmp_path / row["id"])
        assert {**again, "seconds": 0, "command": ""} == {**row, "seconds": 0, "command": ""}
    status, _, error = ablate(*SMALL, "--cell", rows[0]["id"], "--dry-run")
    assert status == 1
    assert f"cell must be one of the design's 2, got {rows[0]['id']}: ids tell" in error


def test_several_processes_share_the_cells(tmp_path):
    """As torchrun starts them; the last one to finish shows the whole table."""
    small = ["--axis", "variant=ppgn-h", "--axis", "eps_noise=0,1,2", "--n", 1, "--steps", 2, "--seeds", 1]
    out = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--", "ppgn",
         "ablate", *map(str, small), "--label", "7", "--device", "cpu", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert out.returncode == 0, out.stdout
    assert "3 cells in" in out.stdout
    assert len(ablation.read_rows(tmp_path / "out")) == 3


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
        ([], "--out is needed: a folder for the results"),
        (["--model", "mnist-gan"], "mnist-gan needs a design: a .toml file, one of annealed, classifiers, epsilons"),
        (["--points", 3], "points are of --axis alone; the usual design says its own"),
        (["--axis", "gamma=1"], "--out is needed: a folder for the results"),
        (["--axis", "gamma"], "--axis must be NAME=VALUE,VALUE,..., got 'gamma'"),
        (["--axis", "gama=1"], "got 'gama'; did you mean gamma?"),
        (["--axis", "gamma=1", "--axis", "gamma=2"], "--axis must be given once an axis"),
        (["epsilons", "--points", 3], "points are of --axis alone; epsilons says its own"),
        (["epsilon"], "a design must be a .toml file or one of annealed, classifiers"),
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
