"""Runs benchmarks, prints one table, records the figures in benchmarks/results.json (docs/benchmarks.md)."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks import record
from benchmarks.framework import FOLDER, BenchError, Result, load, part_names, run_part
from benchmarks.machine import machine, versions


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="parts to run, separated by commas; default: all")
    parser.add_argument("--profile", action="store_true", help="write a profile (CPU time) of each part")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the workloads; below 1 for a quick look"
    )
    parser.add_argument("--allow-missed", action="store_true", help="exit with 0 when floors are missed")
    given = parser.parse_args(arguments)
    names = [name for name in given.only.split(",") if name] or part_names()
    try:
        for name in names:
            load(name)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(f"{machine()['cpu']}, {machine()['cores']} cores, Python {versions()['python']}\n")
    print(_row("part", "figure", "median", "min", "max", "n", "unit", "floor", ""))
    results, failed = run_parts(names, lambda name: _in_process(name, given.scale, given.profile))
    for result in results.values():
        print("\n".join(result.notes))
    for name, reason in failed.items():
        print(f"{name}: FAILED: {reason}", file=sys.stderr)
    missed = any(one["reached"] is False for result in results.values() for one in result.figures)
    if given.profile or given.scale != 1:
        print("not recorded: profiled or scaled runs give other figures")
        return int(bool(failed))
    _record(names, results)
    return int(bool(failed) or (missed and not given.allow_missed))


def run_parts(names: list[str], run: Callable[[str], Result]) -> tuple[dict[str, Result], dict[str, str]]:
    """Run parts one after the other and print their figures; return what they gave, and why others failed."""
    results: dict[str, Result] = {}
    failed: dict[str, str] = {}
    for name in names:
        try:
            results[name] = run(name)
        except Exception as error:
            # Whatever it is: what the other parts measure in an hour must not be lost by it.
            failed[name] = f"{type(error).__name__}: {error}"
            print(_row(name, failed[name][:44], *[""] * 6, "FAILED"), flush=True)
            continue
        for one in results[name].figures:
            print(_figure_row(name, one), flush=True)
    print()
    return results, failed


def _in_process(name: str, scale: float, profile: bool) -> Result:
    # A process of its own: no part meets the memory, the caches or the garbage of another.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run_part, name, scale, profile).result()


def _record(names: list[str], results: dict[str, Result]) -> None:
    run, before = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), record.read()
    hashes = [part["hash_us"] for part in before["parts"].values() if "hash_us" in part]
    best = min(hashes + [result.hash_us for result in results.values()], default=0.0)
    measured = {name: record.part_record(run, result, best) for name, result in results.items()}
    for name, part in measured.items():
        for reason in part["disturbed"]:
            print(f"{name}: DISTURBED: {reason}")
    record.write(record.merged(before, measured, names, part_names()))
    print(f"recorded in {record.RESULTS.relative_to(FOLDER.parent)}")


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
