"""An experiment's folder of results: what is done is a file, so that a run that was stopped goes on there.

plan.json                what the results depend on; a run of another plan refuses the folder
cells/0003-seed-7.json   one cell with one seed: result and timing, written whole or not at all
results.json             everything, once all cells are done; the same bytes at every simulation
timing.json              CPU and wall seconds of each cell: of this machine, so apart
*.csv, *.png             tables and figures of it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from node.durable import replace_file, sync_path
from node.errors import ExperimentError
from node.experiment.plan import Plan, identity, same_plan

RESULTS_FILE = "results.json"
TIMING_FILE = "timing.json"
FORMAT = 1
"""Of these files; goes up when what is in them changes."""
_PLAN_FILE = "plan.json"
_CELLS = "cells"


class ResultsFolder:
    """The folder of one plan in one mode ("simulate" or "real")."""

    def __init__(self, path: Path, plan: Plan, mode: str) -> None:
        self.path = path
        self._plan = plan
        self._mode = mode

    def open(self) -> None:
        """Make the folder, or check that it is this plan's. Raise ExperimentError."""
        file = self.path / _PLAN_FILE
        if file.exists():
            self._require_same(file)
            return
        try:
            (self.path / _CELLS).mkdir(parents=True, exist_ok=True)
            if any((self.path / _CELLS).iterdir()):
                raise ExperimentError(f"{self.path}: has results but no {_PLAN_FILE}: give another --out")
            sync_path(self.path)
            replace_file(file, dump({"format": FORMAT, "mode": self._mode, **identity(self._plan)}))
        except OSError as error:
            raise ExperimentError(f"{self.path}: cannot be used: {error.strerror}") from None

    def _require_same(self, file: Path) -> None:
        stored = read(file)
        if stored.pop("format", None) != FORMAT:
            raise ExperimentError(f"{self.path}: was written by another version of pocl: give another --out")
        mode = stored.pop("mode", None)
        name = "--simulate" if mode != self._mode else same_plan(self._plan, stored)
        if name is not None:
            raise ExperimentError(
                f"{self.path}: holds results of another plan ({name.removeprefix('plan.')} differs): "
                "give another --out, or remove it"
            )

    def cell_file(self, cell: int, seed: int) -> Path:
        """Return the file of a cell with a seed."""
        return self.path / _CELLS / f"{cell:04d}-seed-{seed}.json"

    def has(self, cell: int, seed: int) -> bool:
        """Tell whether a cell with a seed is done."""
        return self.cell_file(cell, seed).exists()

    def put(self, cell: int, seed: int, done: dict[str, Any]) -> None:
        """Keep what a cell came to. On disk on return."""
        replace_file(self.cell_file(cell, seed), dump(done))

    def collect(self) -> dict[str, Any]:
        """Write results.json and timing.json of all cells, and return the results."""
        plan = self._plan
        done = [
            read(self.cell_file(cell.index, seed)) | {"cell": cell.index, "seed": seed}
            for cell in plan.cells
            for seed in plan.seeds
        ]
        results = {
            "format": FORMAT,
            "experiment": plan.name,
            "description": plan.description,
            "mode": self._mode,
            "varied": list(plan.varied),
            "seeds": list(plan.seeds),
            "runs": [entry["result"] for entry in done],
        }
        timing = [{"cell": entry["cell"], "seed": entry["seed"], **entry["timing"]} for entry in done]
        replace_file(self.path / RESULTS_FILE, dump(results))
        replace_file(self.path / TIMING_FILE, dump({"runs": timing}))
        return results


def load_results(path: Path) -> dict[str, Any]:
    """Return the results of a finished experiment, given its folder or results.json. Raise ExperimentError."""
    file = path / RESULTS_FILE if path.is_dir() else path
    if not file.is_file():
        done = len(list((path / _CELLS).glob("*.json"))) if path.is_dir() else 0
        unfinished = f" ({done} runs are done: pocl experiment run goes on)" if done else ""
        raise ExperimentError(f"{file}: there are no results{unfinished}")
    results = read(file)
    if results.get("format") != FORMAT:
        raise ExperimentError(f"{file}: was written by another version of pocl: run the experiment anew")
    return results


def read(file: Path) -> dict[str, Any]:
    """Return a JSON object. Raise ExperimentError."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExperimentError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ExperimentError(f"{file}: is not a JSON object: remove it to compute it again")
    return value


def dump(value: object) -> bytes:
    """Return JSON as these files have it."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
