"""Whole experiments: stopped and gone on with, compared, drawn."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from node.cli import run as pocl
from node.experiment import plots, simulate
from node.experiment.display import make_display
from node.experiment.executor import SerialExecutor
from node.experiment.folder import load_results

PLAN = """
name = "small"
chain = "local"
miners = 4
rounds = 2
seeds = [1, 2]
trainer = "numpy"

[spec]
genesis.round.test_records = 20
learning.dataset = "noisy-digits"
learning.architecture = "mlp"
learning.epochs = 2

[groups.cheats]
miners = [3]

[grid]
genesis.round.winners = [1, 2]
cheats.behaviour = ["honest", "knn"]
"""
RUNS = 8


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plan") / "small.toml"
    file.write_text(PLAN)
    return file


@pytest.fixture(scope="module")
def done(plan_file: Path) -> Path:
    """The results of an experiment that nobody stopped."""
    out = plan_file.parent / "done"
    assert pocl(["experiment", "run", str(plan_file), "--simulate", "--out", str(out)]) == 0
    return out


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make Ctrl-C come when so many runs are done."""

    def arrange(count: int) -> None:
        serial = SerialExecutor.map

        def map(self: SerialExecutor, work: Any, jobs: Any, tick: Any) -> Any:
            for number, result in serial(self, work, jobs, tick):
                if number == count:
                    os.kill(os.getpid(), signal.SIGINT)
                yield number, result

        monkeypatch.setattr(SerialExecutor, "map", map)

    return arrange


def same(one: Path, other: Path) -> bool:
    return all(
        (one / name).read_bytes() == (other / name).read_bytes()
        for name in ("results.json", "cells.csv", "rounds.csv", "miners.csv", "miner_rounds.csv")
    )


def test_a_stopped_experiment_goes_on(
    plan_file: Path,
    done: Path,
    tmp_path: Path,
    stopped_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["experiment", "run", str(plan_file), "--simulate", "--no-plots", "--json"]
    command += ["--out", str(tmp_path / "out")]
    with monkeypatch.context():
        stopped_after(3)
        assert pocl(command) == 130
    told = capsys.readouterr().err
    assert "the same command goes on" in told
    assert told.splitlines()[-1] == "pocl: interrupted"
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 3
    monkeypatch.undo()
    assert pocl(command) == 0
    assert json.loads(capsys.readouterr().out)["computed"] == RUNS - 3
    assert same(tmp_path / "out", done)


def test_a_killed_experiment_goes_on(plan_file: Path, done: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["experiment", "run", str(plan_file), "--simulate", "--no-plots", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "node.cli", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        assert b"1/8 winners=1, behaviour=honest, seed 1" in process.stdout.readline()
    finally:
        process.kill()
        process.communicate()
    assert not (out / "results.json").exists()
    assert pocl(command) == 0
    assert same(out, done)


def test_another_plan_is_refused(
    plan_file: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(PLAN.replace("epochs = 2", "epochs = 3"))
    before = (done / "results.json").read_bytes()
    assert pocl(["experiment", "run", str(other), "--simulate", "--out", str(done)]) == 1
    told = capsys.readouterr().err
    assert "holds results of another plan (spec.learning.epochs differs)" in told
    assert told.count("\n") == 1
    assert (done / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "nothing-like-it"],
            "there is no such plan: give a file, or one of attacks, digits-decreasing",
        ),
        (["run", "none/such.toml"], "there is no such file"),
        (["run", "first", "--jobs", "2"], "--jobs is for --simulate"),
        (["run", "matrix"], "the plan's trainer is numpy, which real workers do not have"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pocl(["experiment", *words]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_data_that_is_not_there_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "experiment",
        "run",
        "paper-grouped",
        "--simulate",
        "--no-plots",
        "--out",
        str(tmp_path / "out"),
    ]
    assert pocl(command) == 1
    assert "give --data, the folder that holds cifar-10-batches-bin" in capsys.readouterr().err


def test_tables_hold_every_miner_and_round(done: Path) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((done / name).read_text().splitlines()))

    assert len(rows("cells.csv")) == RUNS / 2
    assert len(rows("rounds.csv")) == RUNS * 2
    assert len(rows("miners.csv")) == RUNS * 4
    assert len(rows("miner_rounds.csv")) == RUNS * 2 * 4
    won = sum(int(row["won"]) for row in rows("miner_rounds.csv"))
    assert won == sum(len(row["winners"].split()) for row in rows("rounds.csv")) > 0
    assert rows("cells.csv")[1]["cheats.behaviour"] == "knn"
    timing = json.loads((done / "timing.json").read_text())["runs"]
    assert all(run["cpu_s"] > 0 for run in timing)
    assert "cpu_s" not in (done / "results.json").read_text()


def test_every_figure_is_labelled_and_shows_something(done: Path) -> None:
    drawn = dict(plots.figures(load_results(done)))
    kinds = ("curves", "share-wins", "rewards", "phases", "participation")
    expected = {"accuracy", "matrix", *(f"cell-{index:02d}-{kind}" for index in range(4) for kind in kinds)}
    assert drawn.keys() == expected
    for name, figure in drawn.items():
        assert (done / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        for axes in figure.axes:
            assert axes.has_data(), f"{name} has an empty panel"
            if axes.get_label() != "<colorbar>":
                assert axes.get_xlabel(), name
                assert axes.get_ylabel(), name
    lines = drawn["accuracy"].axes[0].get_lines()
    assert [len(line.get_xydata()) for line in lines] == [2] * 4


def test_one_varied_field_is_a_line_and_many_cells_have_no_figures_of_their_own(done: Path) -> None:
    results = load_results(done)
    line = results | {"varied": ["genesis.round.winners"], "runs": results["runs"][::4]}
    assert "grid" in dict(plots.figures(line))
    values = [f"attack-{number}" for number in range(plots.MOST_CELLS + 1)]
    longer = [
        results["runs"][2] | {"cell": cell, "values": {"cheats.behaviour": value}}
        for cell, value in enumerate(values)
    ]
    grid = dict(plots.figures(results | {"varied": ["cheats.behaviour"], "runs": longer}))["grid"]
    accuracy, places, income = grid.axes
    assert [label.get_text() for label in accuracy.get_yticklabels()] == values
    assert all(axes.has_data() and axes.get_xlabel() for axes in (places, income))
    many = [run | {"cell": cell} for cell in range(plots.MOST_CELLS + 1) for run in results["runs"][:1]]
    assert dict(plots.figures(results | {"varied": [], "runs": many})).keys() == {"accuracy"}


def test_a_third_field_has_a_heat_map_for_each_value(done: Path) -> None:
    results = load_results(done)
    third = "genesis.round.voting"
    runs = [
        run | {"cell": run["cell"] + 4 * shift, "values": run["values"] | {third: voting}}
        for shift, voting in enumerate(("borda", "screened"))
        for run in results["runs"]
    ]
    # One combination is missing: its place stays empty.
    runs = [run for run in runs if run["cell"] != 7]
    drawn = dict(plots.figures(results | {"varied": [*results["varied"], third], "runs": runs}))
    maps = {name: figure for name, figure in drawn.items() if name.startswith("matrix")}
    assert maps.keys() == {"matrix-borda", "matrix-screened"}
    for name, filled in (("matrix-borda", 4), ("matrix-screened", 3)):
        assert maps[name].get_suptitle() == f"small (simulated), voting={name.removeprefix('matrix-')}"
        accuracy, places, income = maps[name].axes
        assert (accuracy.get_title(), len(accuracy.texts)) == ("final accuracy (%)", 4)
        for axes in (accuracy, places, income):
            assert sum(text.get_text() != "" for text in axes.texts) == filled
        assert [label.get_text() for label in accuracy.get_xticklabels()] == ["honest", "knn"]
    scales = [figure.axes[0].get_images()[0].get_clim() for figure in maps.values()]
    assert scales[0] == scales[1], "the same colour is the same number in both"


def test_experiments_are_compared(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = load_results(done)
    for run in results["runs"]:
        run["summary"]["final_accuracy"] += 0.125
    results["runs"] = results["runs"][2:]
    other = tmp_path / "results.json"
    other.write_text(json.dumps(results))
    figure = tmp_path / "both.png"
    words = ["experiment", "compare", str(done), str(other), "--figure", str(figure), "--json"]
    assert pocl(words) == 0
    rows = json.loads(capsys.readouterr().out)["measures"]
    differences = {(row["cell"], row["measure"]): row["difference"] for row in rows}
    # The cell that the second one lacks is left out.
    assert len({cell for cell, _ in differences}) == 3
    assert {value for (_, name), value in differences.items() if name == "final_accuracy"} == {0.125}
    assert {value for (_, name), value in differences.items() if name != "final_accuracy"} == {0}
    assert figure.stat().st_size > 5000


def test_what_has_no_results_is_not_compared(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pocl(["experiment", "compare", str(done), str(tmp_path)]) == 1
    assert "there are no results" in capsys.readouterr().err
    old = tmp_path / "results.json"
    old.write_text('{"format": 0}')
    assert pocl(["experiment", "compare", str(done), str(old)]) == 1
    assert "results.json: was written by another version" in capsys.readouterr().err


def test_a_defect_of_one_run_keeps_the_others(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = simulate.simulate

    def failing(job: simulate.Simulated, tick: Callable[[], None]) -> dict[str, Any]:
        if job.seed == 2:
            raise AssertionError("a broken invariant")
        return whole(job, tick)

    monkeypatch.setattr(simulate, "simulate", failing)
    command = [
        "experiment",
        "run",
        str(plan_file),
        "--simulate",
        "--no-plots",
        "--out",
        str(tmp_path / "out"),
    ]
    assert pocl(command) == 1
    assert "internal error: AssertionError: a broken invariant" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 1


def test_a_terminal_shows_how_far_it_is() -> None:
    screen = io.StringIO()
    display = make_display(Console(file=screen, force_terminal=True, width=110))
    summary = {"final_accuracy": 0.875, "settled": 2, "void": 1}
    display.begin(4, 1, 2)
    display.round_ended()
    display.cell_done("winners=1", 7, summary)
    display.end()
    shown = screen.getvalue()
    assert "2/4 rounds" in shown
    assert "winners=1, seed 7: accuracy 0.875, 2 rounds, 1 void" in shown
