"""Weighs every call and hook and writes the weights files: `make weights` (docs/benchmarks.md, "Weights")."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.framework import CACHE, hash_us
from benchmarks.machine import machine, versions
from benchmarks.weights import rounds, users
from benchmarks.weights.chain import VALIDATORS
from benchmarks.weights.files import Formula, Linear, write
from benchmarks.weights.rounds import Weighed
from runtime.quorum import faulty

FEW, RECORDS, FEW_RECORDS = 10, 50, 10
"""Miners, and test records of each, besides the most."""


def main() -> int:
    argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__).parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    before = hash_us()
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        calls = users.weigh(folder / "users") | users.weigh_queue(folder / "queue")
        most = rounds.weigh(folder / "most", VALIDATORS, RECORDS)
        few = rounds.weigh(folder / "few", FEW, RECORDS)
        short = rounds.weigh(folder / "short", VALIDATORS, FEW_RECORDS)
    here = machine()
    measured_on = (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: {here['cpu']}, Python {versions()['python']};\n"
        f"a BLAKE2b hash took {before:g} µs before and {hash_us():g} µs after."
    )
    for owner, formulas in derive(calls, most, few, short).items():
        write(owner, formulas, measured_on)
    found = {"calls": calls} | {
        f"{one.miners} miners, {one.records} records": {
            "empty": one.empties,
            "calls": one.calls,
            "ends": one.ends,
        }
        for one in (most, few, short)
    }
    print(json.dumps(found, indent=1))
    return 0


def derive(
    calls: Mapping[str, float], most: Weighed, few: Weighed, short: Weighed
) -> dict[str, dict[str, Formula]]:
    """Return the weights of each file, from what was measured.

    What grows with nothing that a call shows weighs as much as with the most miners.
    """
    base = calls["system.remark"]
    long = (calls["system.remark long"] - base) / users.LONG

    def own(name: str) -> float:
        return calls[name] - base

    def step(name: str) -> float:
        return most.call(name) - base

    others = most.miners - 1
    per_label = (most.call("cast") - short.call("cast")) / (others * (most.records - short.records))
    accused = (most.call("attest 1 1") - most.call("attest 1 0")) / (faulty(most.miners) + 1)
    baseline = (most.call("attest 1 0") - most.call("attest 0 0")) / most.miners
    by_label = (most.call("reveal") - short.call("reveal")) / (most.miners * (most.records - short.records))
    return {
        "runtime": {"BLOCK": most.empty, "extrinsic": Linear(base, {"length": long})},
        "system": {"REMARK": own("system.remark")},
        "coin": {
            "TRANSFER": own("coin.transfer"),
            "CANCEL": own("coin.cancel"),
            "PAY": calls["coin.pay"],
            "DEAL": calls["coin.deal"],
        },
        "validators": {
            name.upper(): own(f"validators.{name}")
            for name in ("join", "rejoin", "leave", "report_equivocation", "report_twin")
        },
        "round": {
            "READY": step("ready"),
            "open": _line(few.miners, few.end("NONE"), most.miners, most.end("NONE"), "miners"),
        }
        | {
            f"end_{phase.lower()}": _end(phase, most, few, short)
            for phase in ("TRAIN", "PREDICT", "REVEAL", "VOTE", "AUDIT", "AGGREGATE")
        },
        "model_propose": {"PROPOSE": step("propose")},
        "prediction": {
            "COMMIT": step("commit"),
            "reveal": Linear(
                step("reveal") - max(0.0, by_label) * most.miners * most.records, {"predictions": by_label}
            ),
        },
        "vote": {
            "cast": _plane(
                few.call("cast") - base, few.miners - 1, most.call("cast") - base, others,
                per_label, most.records, ("ranked", "labels"), square=False,
            ),
        },
        "aggregation": {
            "audit": _line(few.winners, few.call("audit") - base, most.winners, step("audit"), "verdicts"),
            "attest": Linear(
                most.call("attest 0 0") - base, {"baselines": baseline, "false_tags": accused}
            ),
        },
    }  # fmt: skip


def _end(phase: str, most: Weighed, few: Weighed, short: Weighed) -> Linear:
    labels = most.miners * most.miners * (most.records - short.records)
    per_label = (most.end(phase) - short.end(phase)) / labels if phase == "VOTE" else 0.0
    return _plane(
        few.end(phase), few.miners, most.end(phase), most.miners,
        per_label, most.records, ("miners", "labels"), square=True,
    )  # fmt: skip


def _plane(
    low: float,
    few: int,
    high: float,
    many: int,
    per_label: float,
    records: int,
    sizes: tuple[str, str],
    *,
    square: bool,
) -> Linear:
    """Return what grows with a number of miners and with the labels that are compared for them."""
    per_label = max(0.0, per_label)

    def without_labels(total: float, miners: int) -> float:
        return total - per_label * records * (miners * miners if square else miners)

    line = _line(few, without_labels(low, few), many, without_labels(high, many), sizes[0])
    return Linear(line.base, {**line.slopes, sizes[1]: per_label})


def _line(few: int, low: float, many: int, high: float, size: str) -> Linear:
    """Return the line through two points; level at the higher one where it would fall."""
    slope = max(0.0, (high - low) / (many - few))
    return Linear(max(low, high) - slope * many if slope else max(low, high), {size: slope})


if __name__ == "__main__":
    sys.exit(main())
