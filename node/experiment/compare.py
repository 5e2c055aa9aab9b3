"""Two experiments beside each other: cells with the same varied values, or the only cell of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import ExperimentError
from node.experiment.plan import label_of
from node.experiment.tables import by_cell, cell_rows

_MEASURES = ("final_accuracy", "settled", "void", "mean_round_ms")


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row a measure and cell: {cell, measure, a, b, difference}. Raise ExperimentError for none in common."""
    pairs = _pairs(first, second)
    if not pairs:
        raise ExperimentError(
            f"{first['experiment']} and {second['experiment']} have no cell in common: they vary "
            f"{_varied(first)} and {_varied(second)}"
        )
    rows = []
    for label, one, other in pairs:
        for measure in dict.fromkeys((*_MEASURES, *_group_measures(one), *_group_measures(other))):
            a, b = one.get(measure), other.get(measure)
            rows.append(
                {
                    "cell": label,
                    "measure": measure,
                    "a": a,
                    "b": b,
                    "difference": None if a is None or b is None else round(b - a, 6),
                }
            )
    return rows


def _pairs(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    one, other = _cells(first), _cells(second)
    if len(one) == len(other) == 1:
        (label, a), (_, b) = *one.items(), *other.items()
        return [(label, a, b)]
    return [(label, row, other[label]) for label, row in one.items() if label in other]


def _cells(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    labels = {index: label_of(runs[0]["values"]) for index, runs in by_cell(results).items()}
    return {labels[row["cell"]]: row for row in cell_rows(results)}


def _group_measures(row: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name in row
        if name.endswith(("_wins", "_places", "_disqualified", "_income_a_miner", "_income_ratio"))
    ]


def _varied(results: Mapping[str, Any]) -> str:
    return ", ".join(results["varied"]) or "nothing"
