"""Runs benchmarks, prints one table, records the figures in benchmarks/results.json (docs/benchmarks.md)."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.framework import FOLDER, BenchError, part_names, run_part
from benchmarks.machine import machine, versions

RESULTS = FOLDER / "results.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="parts to run, separated by commas; default: all")
    parser.add_argument("--profile", action="store_true", help="write a profile (CPU time) of each part")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the workloads; below 1 for a quick look"
    )
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or part_names()
    print(f"{machine()['cpu']}, {machine()['cores']} cores, Python {versions()['python']}\n")
    print(_row("part", "figure", "median", "min", "max", "n", "unit", "floor", ""))
    notes: list[str] = []
    measured: dict[str, Any] = {}
    try:
        for name in names:
            # A process of its own: no part meets the memory, the caches or the garbage of another.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                figures, remarks = pool.submit(run_part, name, given.scale, given.profile).result()
            date = time.strftime("%Y-%m-%d", time.gmtime())
            measured[name] = {"date": date, "figures": figures, "notes": remarks}
            notes += remarks
            for one in figures:
                print(_figure_row(name, one), flush=True)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n" + "\n".join(notes) if notes else "")
    if given.profile or given.scale != 1:
        print("not recorded: profiled or scaled runs give other figures")
    else:
        _record(measured)
        print(f"recorded in {RESULTS.relative_to(FOLDER.parent)}")
    return 0


def _record(measured: dict[str, Any]) -> None:
    """Put the parts that ran into the record; those of another machine or other versions leave it."""
    here = {"machine": machine(), "versions": versions()}
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    same = all(before.get(key) == value for key, value in here.items())
    parts = (before["parts"] if same else {}) | measured
    RESULTS.write_text(json.dumps(here | {"parts": dict(sorted(parts.items()))}, indent=1) + "\n")


def _figure_row(part: str, one: dict[str, Any]) -> str:
    floor = "" if one["floor"] is None else f"{'>=' if one['better'] == 'higher' else '<='} {one['floor']:g}"
    verdict = {True: "ok", False: "MISSED", None: ""}[one["reached"]]
    numbers = (f"{one[key]:,.6g}" for key in ("median", "min", "max"))
    return _row(part, one["figure"], *numbers, str(one["runs"]), one["unit"], floor, verdict)


def _row(*cells: str) -> str:
    widths = (9, 44, 10, 10, 10, 4, 26, 10, 6)
    left = (0, 1, 6, 7, 8)
    return " ".join(
        cell.ljust(width) if place in left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()


if __name__ == "__main__":
    sys.exit(main())
