"""The record of figures, benchmarks/results.json, and the table that the README makes of it.

A run of all parts makes the record anew, so that it is one run's; a run of some parts replaces theirs, as long as
machine and versions are the same. Every part says in which run it was measured, and what disturbed it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks.framework import FOLDER, ROOT, Result
from benchmarks.machine import machine, versions

RESULTS = FOLDER / "results.json"
README = ROOT / "README.md"

HASH_RATIO = 1.25
"""A hash that costs so many times what it costs on this machine at best says that a part was disturbed."""

START, END = "<!-- figures: make bench writes them -->\n", "<!-- end of figures -->\n"


def part_record(run: str, result: Result, best_hash_us: float) -> dict[str, Any]:
    """Return what is recorded of a part of the run that began at `run`."""
    disturbed = list(result.disturbed)
    if result.hash_us > HASH_RATIO * best_hash_us:
        disturbed.append(f"a hash took {result.hash_us:g} µs, at best it takes {best_hash_us:g}")
    return {
        "run": run,
        "disturbed": disturbed,
        "hash_us": result.hash_us,
        "figures": result.figures,
        "notes": result.notes,
    }


def read(path: Path = RESULTS) -> dict[str, Any]:
    """Return the record; an empty one when there is none, or when it is of another machine or other versions."""
    here = {"machine": machine(), "versions": versions()}
    before: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    same = all(before.get(key) == value for key, value in here.items())
    return before if same else here | {"parts": {}}


def merged(
    before: Mapping[str, Any], measured: Mapping[str, Any], names: Collection[str], every: Collection[str]
) -> dict[str, Any]:
    """Return the record after a run of the parts `names`, out of `every`, of which `measured` did not fail."""
    kept = {} if set(names) >= set(every) else before["parts"]
    return {**before, "parts": dict(sorted({**kept, **measured}.items()))}


def write(record: Mapping[str, Any], path: Path = RESULTS, readme: Path = README) -> None:
    """Write the record, and the README's table from it."""
    path.write_text(json.dumps(record, indent=1) + "\n")
    text = readme.read_text()
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    readme.write_text(before + START + readme_table(record) + END + after)


def readme_table(record: Mapping[str, Any]) -> str:
    """Return the table of all figures with a floor, of parts that nothing disturbed."""
    lines = ["| part | figure | median | asked for |", "| --- | --- | --- | --- |"]
    for name, part in record["parts"].items():
        for one in part["figures"]:
            if one["floor"] is not None and not part["disturbed"]:
                unit = f" {one['unit']}" if one["unit"] else ""
                least = "at least" if one["better"] == "higher" else "at most"
                missed = "" if one["reached"] else ", missed"
                value = f"{one['median']:,.0f}" if one["median"] >= 1000 else f"{one['median']:g}"
                cells = name, one["figure"], value + unit, f"{least} {one['floor']:,}{missed}"
                lines.append(f"| {' | '.join(cells)} |")
    if len(lines) == 2:
        return "\nNo figures of an undisturbed run are recorded.\n\n"
    host = record["machine"]
    where = f"{host['cpu']}, {host['cores']} cores, Python {record['versions']['python']}"
    return f"\nMeasured on: {where}.\n\n" + "\n".join(lines) + "\n\n"
