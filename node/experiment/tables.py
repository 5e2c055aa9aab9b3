"""The results as CSV: one line a cell, a round, a miner, and a miner's round."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from node.durable import replace_file
from node.experiment.measures import income_percent
from node.experiment.plan import value_label

Row = Mapping[str, Any]


def write_tables(results: Row, out: Path) -> list[Path]:
    """Write the tables into a folder and return their files."""
    tables: dict[str, Sequence[Row]] = {
        "cells.csv": cell_rows(results),
        "rounds.csv": list(_round_rows(results)),
        "miners.csv": list(_miner_rows(results)),
        "miner_rounds.csv": list(_miner_round_rows(results)),
    }
    for name, rows in tables.items():
        replace_file(out / name, _csv(rows))
    return [out / name for name in tables]


def by_cell(results: Row) -> dict[int, list[Row]]:
    """Return the runs of each cell, one a seed."""
    cells: dict[int, list[Row]] = {}
    for run in results["runs"]:
        cells.setdefault(run["cell"], []).append(run)
    return cells


def cell_rows(results: Row) -> list[dict[str, Any]]:
    """Return what each cell came to, as means over its seeds."""
    rows = []
    for runs in by_cell(results).values():
        summaries = [run["summary"] for run in runs]
        accuracies = [row["final_accuracy"] for row in summaries if row["final_accuracy"] is not None]
        row: dict[str, Any] = {"cell": runs[0]["cell"], **_values(runs[0])}
        row |= {
            "seeds": len(runs),
            "final_accuracy": _mean(accuracies),
            "accuracy_deviation": round(statistics.pstdev(accuracies), 6) if accuracies else None,
            "settled": sum(entry["settled"] for entry in summaries),
            "void": sum(entry["void"] for entry in summaries),
            "mean_round_ms": round(statistics.fmean(entry["mean_round_ms"] for entry in summaries)),
        }
        for name in summaries[0]["groups"]:
            groups = [entry["groups"][name] for entry in summaries]
            row[f"{name}_wins"] = sum(group["wins"] for group in groups)
            row[f"{name}_places"] = _mean([group["places"] for group in groups])
            row[f"{name}_disqualified"] = sum(group["disqualified"] for group in groups)
            row[f"{name}_income_a_miner"] = sum(int(group["income_a_miner"]) for group in groups) // len(
                groups
            )
            ratio = income_percent(runs, name) / 100
            row[f"{name}_income_ratio"] = None if math.isnan(ratio) else round(ratio, 6)
        rows.append(row)
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of those that are known, None of none."""
    known = [value for value in values if value is not None]
    return round(statistics.fmean(known), 6) if known else None


def _values(run: Row) -> dict[str, str]:
    return {name: value_label(value) for name, value in run["values"].items()}


def _round_rows(results: Row) -> Iterator[Row]:
    for run in results["runs"]:
        for entry in run["rounds"]:
            yield {
                "cell": run["cell"],
                **_values(run),
                "seed": run["seed"],
                "round": entry["round"],
                "void": int(entry["void"]),
                "accuracy": entry["accuracy"],
                "duration_ms": entry["duration_ms"],
                **{f"{name}_ms": spent for name, spent in entry["phases_ms"].items()},
                "winners": " ".join(map(str, entry["winners"])),
                "disqualified": " ".join(entry["disqualified"]),
            }


def _miner_rows(results: Row) -> Iterator[Row]:
    for run in results["runs"]:
        for miner in run["miners"]:
            yield {"cell": run["cell"], **_values(run), "seed": run["seed"], **miner}


def _miner_round_rows(results: Row) -> Iterator[Row]:
    for run in results["runs"]:
        for entry in run["rounds"]:
            for miner in entry["miners"]:
                index = str(miner["miner"])
                yield {
                    "cell": run["cell"],
                    "seed": run["seed"],
                    "round": entry["round"],
                    **miner,
                    "delivered": " ".join(miner["delivered"]),
                    "won": int(miner["miner"] in entry["winners"]),
                    "reward": entry["rewards"].get(index, "0"),
                }


def _csv(rows: Sequence[Row]) -> bytes:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _plain(value) for name, value in row.items()})
    return text.getvalue().encode()


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list)) else value
