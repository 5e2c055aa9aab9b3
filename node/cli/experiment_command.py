"""`pocl experiment`: many rounds under varied rules, data and behaviours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from node.cli.interrupts import interruptible
from node.cli.output import json_option, print_facts, print_rows
from node.errors import ConfigError, ExperimentError
from node.learning_task import OWN
from node.spec_files import folders

if TYPE_CHECKING:
    from node.experiment.display import Display
    from node.experiment.plan import Plan
    from node.experiment.run import Outcome

_PLAN = click.argument("plan_file", metavar="PLAN")


@click.group("experiment")
def command() -> None:
    """Run and compare experiments: the same chain under varied rules, data and behaviours.

    A plan is a TOML file: a chain spec to start from, what is different in it, miners and how they behave,
    rounds, seeds, and a grid of values of which every combination is a cell. chain-spec/experiments/ has some;
    docs/experiments.md explains them.

    \b
    pocl experiment check first                       what a plan would run
    pocl experiment run first --simulate              in one process, in virtual time
    pocl experiment run winner-count --simulate --jobs 4
    pocl experiment run first                         with real nodes and workers of this machine
    pocl experiment compare run/experiments/first run/experiments/first-simulate
    """


@command.command("check")
@_PLAN
@json_option
def check(plan_file: str, as_json: bool) -> None:
    """Read a plan and say what it would run. A mistake in it is one line that names the field.

    \b
    pocl experiment check chain-spec/experiments/knn-attack.toml
    """
    plan = _load(plan_file)
    groups: dict[str, list[str]] = {}
    for group in (group for cell in plan.cells for group in cell.groups):
        behaviours = groups.setdefault(group.name, [])
        if str(group.behaviour) not in behaviours:
            behaviours.append(str(group.behaviour))
    facts = {
        "experiment": plan.name,
        "description": plan.description,
        "cells": len(plan.cells),
        "seeds": len(plan.seeds),
        "rounds": plan.total_rounds,
        "varied": list(plan.varied),
        "groups": groups,
        "dataset": sorted({cell.spec["learning"]["dataset"] for cell in plan.cells}),
        "trainer": plan.trainer,
    }
    print_facts(facts, as_json)


@command.command("run", context_settings={"show_default": True})
@_PLAN
@click.option(
    "--simulate",
    is_flag=True,
    help="One process in virtual time instead of real nodes: no network, no consensus.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, help="Processes; with --simulate.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of the plan's data set (cifar10, npz).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the results (default: run/experiments/NAME, NAME-simulate with --simulate).",
)
@click.option(
    "--worker-threads", type=click.IntRange(1, 1024), default=1, help="Threads of each real training process."
)
@click.option("--no-plots", is_flag=True, help="Draw no figures; they need the extra `experiments`.")
@json_option
def run(
    plan_file: str,
    simulate: bool,
    jobs: int,
    data: Path | None,
    out: Path | None,
    worker_threads: int,
    no_plots: bool,
    as_json: bool,
) -> None:
    """Run a plan: results.json, tables (CSV) and figures (PNG) in one folder.

    PLAN is a file, or the name of one in chain-spec/experiments. A run that was stopped (Ctrl-C, a crash) goes on
    where it was when it is started again: each cell with each seed is kept as soon as it is done. A folder that
    holds results of another plan is refused.

    Simulated, a plan gives the same results.json on every run and with any number of --jobs. Real nodes run one
    cell at a time; their times are this machine's. The exit status is 0 when all is done, 130 when it was stopped,
    else 1.

    \b
    pocl experiment run first --simulate
    pocl experiment run matrix --simulate --jobs 8
    pocl experiment run paper-grouped --data data/cifar10 --worker-threads 1
    """
    from node.experiment.display import make_display
    from node.experiment.run import REAL, SIMULATE

    plan = _load(plan_file)
    if jobs > 1 and not simulate:
        raise ConfigError("--jobs is for --simulate: real nodes have this machine for themselves")
    if not simulate and plan.trainer != "keras":
        raise ConfigError(
            f"the plan's trainer is {plan.trainer}, which real workers do not have: give --simulate, or take keras"
        )
    if simulate and any(cell.spec["learning"]["dataset"] == OWN for cell in plan.cells):
        raise ConfigError(
            "the plan's miners have data of their own, which is for real nodes: leave --simulate out"
        )
    if not no_plots:
        _require_plots()
    mode = SIMULATE if simulate else REAL
    out = out or Path("run") / "experiments" / (plan.name + ("-simulate" if simulate else ""))
    console = Console(stderr=as_json)
    display = make_display(console)
    try:
        with interruptible():
            outcome = _run(plan, mode, out, jobs, data, worker_threads, display, plots=not no_plots)
    except KeyboardInterrupt:
        display.end()
        console.print(f"stopped: the same command goes on with what is missing in {out}", highlight=False)
        raise
    finally:
        display.end()
    from node.experiment.tables import cell_rows

    rows = cell_rows(outcome.results)
    if as_json:
        print_facts(
            {"out": str(out), "computed": outcome.computed, "cells": rows, "figures": len(outcome.figures)},
            True,
        )
        return
    print_rows("cells", rows, False)
    click.echo(f"results, tables and {len(outcome.figures)} figures: {out}")


def _run(
    plan: Plan,
    mode: str,
    out: Path,
    jobs: int,
    data: Path | None,
    threads: int,
    display: Display,
    *,
    plots: bool,
) -> Outcome:
    from node.experiment.executor import Executor, ProcessExecutor, SerialExecutor
    from node.experiment.run import SIMULATE, run_experiment

    executor: Executor = ProcessExecutor(jobs) if jobs > 1 else SerialExecutor()
    if mode == SIMULATE:
        from node.experiment.simulate import Simulated, simulate

        return run_experiment(
            plan, mode, out, simulate,
            lambda cell, seed: Simulated(cell, seed, plan.trainer, plan.time, data),
            executor, display, plots=plots,
        )  # fmt: skip
    from node.experiment.real import Real, run_real

    return run_experiment(
        plan, mode, out, run_real,
        lambda cell, seed: Real(cell, seed, out / "nodes" / f"{cell.index:04d}-seed-{seed}", threads, data),
        executor, display, plots=plots,
    )  # fmt: skip


@command.command("compare")
@click.argument("first", type=click.Path(path_type=Path, exists=True), metavar="A")
@click.argument("second", type=click.Path(path_type=Path, exists=True), metavar="B")
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw the accuracy of both, round by round, into this PNG.",
)
@json_option
def compare(first: Path, second: Path, figure: Path | None, as_json: bool) -> None:
    """Put two finished experiments beside each other, given their folders.

    Cells are compared that vary the same values in both, or the only cell of each: simulated against real, one
    voting rule against another. Figures are means over seeds; `difference` is B less A.

    \b
    pocl experiment compare run/experiments/first-simulate run/experiments/first
    pocl experiment compare run/experiments/median-simulate run/experiments/borda-simulate --figure voting.png
    """
    from node.experiment import compare as comparing
    from node.experiment.folder import load_results

    a, b = load_results(first), load_results(second)
    rows = comparing.compare(a, b)
    if figure is not None:
        _require_plots()
        from node.experiment.plots import draw_comparison

        draw_comparison({str(first): a, str(second): b}, figure)
    print_rows("measures", rows, as_json)


def _load(name: str) -> Plan:
    """Return a plan. Raise ConfigError where what experiments need is not installed."""
    try:
        from node.experiment.plan import load_plan
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed: experiments need the extra `worker` (pip install '.[node,worker]')"
        ) from None
    return load_plan(_find(name))


def _find(name: str) -> Path:
    """Return a plan's file: a path, or a name in chain-spec/experiments."""
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix == "" and "/" not in name:
        plans = [folder / "experiments" / f"{name}.toml" for folder in folders()]
        found = next((file for file in plans if file.is_file()), None)
        if found is not None:
            return found
        known = sorted({file.stem for plan in plans for file in plan.parent.glob("*.toml")})
        raise ExperimentError(f"{name}: there is no such plan: give a file, or one of {', '.join(known)}")
    raise ExperimentError(f"{name}: there is no such file: give a plan's path or its name")


def _require_plots() -> None:
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError(
            "matplotlib is not installed: install the extra `experiments` (pip install '.[experiments]'), "
            "or leave figures out (--no-plots)"
        ) from None
