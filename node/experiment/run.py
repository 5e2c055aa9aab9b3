"""Running a whole experiment: what is missing of it, one job a cell and seed, then tables and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from node.experiment.display import Display
from node.experiment.executor import Executor, Work
from node.experiment.folder import ResultsFolder
from node.experiment.plan import Cell, Plan
from node.experiment.tables import write_tables

J = TypeVar("J")

SIMULATE, REAL = "simulate", "real"


@dataclass(frozen=True)
class Outcome:
    """What a run of an experiment ended with."""

    results: dict[str, Any]
    computed: int
    """Cells and seeds of this run; the others were there."""
    figures: tuple[Path, ...]


def run_experiment(
    plan: Plan,
    mode: str,
    out: Path,
    work: Work[J, dict[str, Any]],
    make_job: Callable[[Cell, int], J],
    executor: Executor,
    display: Display,
    *,
    plots: bool = True,
) -> Outcome:
    """Run what is missing of a plan in its folder. Raise PoclError; what was done by then is kept."""
    folder = ResultsFolder(out, plan, mode)
    folder.open()
    places = [(cell, seed) for cell in plan.cells for seed in plan.seeds if not folder.has(cell.index, seed)]
    missing = sum(cell.rounds for cell, _ in places)
    display.begin(plan.total_rounds, plan.total_rounds - missing, len(places))
    jobs = [make_job(cell, seed) for cell, seed in places]
    for number, done in executor.map(work, jobs, display.round_ended):
        cell, seed = places[number]
        folder.put(cell.index, seed, done)
        display.cell_done(cell.label, seed, done["result"]["summary"])
    results = folder.collect()
    write_tables(results, out)
    figures: tuple[Path, ...] = ()
    if plots:
        from node.experiment.plots import draw

        figures = tuple(draw(results, out))
    return Outcome(results, len(places), figures)
