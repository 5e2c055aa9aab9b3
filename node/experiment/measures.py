"""Figures of a cell as means over its runs, one a seed: what is drawn of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from node.experiment.plan import HONEST_GROUP

Run = Mapping[str, Any]
NONE = float("nan")


def final_accuracies(runs: Sequence[Run]) -> list[float]:
    """Return the final accuracy of each run that has one."""
    found = [run["summary"]["final_accuracy"] for run in runs]
    return [value for value in found if value is not None]


def accuracy_percent(runs: Sequence[Run]) -> float:
    """Return the final accuracy, nan where nobody measured it."""
    values = final_accuracies(runs)
    return 100 * statistics.fmean(values) if values else NONE


def round_seconds(runs: Sequence[Run]) -> float:
    """Return how long a round took."""
    return statistics.fmean(run["summary"]["mean_round_ms"] for run in runs) / 1000


def places_percent(runs: Sequence[Run], group: str) -> float:
    """Return in how many of a hundred rounds a miner of the group won, nan where there is no such group."""
    return _mean([100 * entry["places"] for entry in _entries(runs, group)])


def income_percent(runs: Sequence[Run], group: str) -> float:
    """Return what a miner of the group earned for every 100 of an honest one."""
    earned = sum(int(entry["income_a_miner"]) for entry in _entries(runs, group))
    honest = sum(int(entry["income_a_miner"]) for entry in _entries(runs, HONEST_GROUP))
    return 100 * earned / honest if honest else NONE


def attackers(cells: Sequence[Sequence[Run]]) -> list[str]:
    """Return the groups that misbehave in some cell."""
    miners = [miner for runs in cells for miner in runs[0]["miners"]]
    return sorted({miner["group"] for miner in miners if miner["behaviour"] != HONEST_GROUP})


def _entries(runs: Sequence[Run], group: str) -> list[Mapping[str, Any]]:
    groups = [run["summary"]["groups"] for run in runs]
    return [entry[group] for entry in groups if group in entry]


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else NONE
