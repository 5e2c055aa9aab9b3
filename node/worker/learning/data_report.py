"""What a miner's data holds, for `pocl data check`: facts to print, and what looks wrong though it can be used."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.task_inputs import Column, NumberColumn, TableFormat
from node.worker.learning.datasets import Dataset, load_dataset
from node.worker.learning.own.folder import OwnRecords
from node.worker.learning.own.held_out import fingerprints, own_dataset
from node.worker.learning.own.load import load_own
from node.worker.learning.share import share_of

ODD_MEAN = 3.0
"""A column whose mean is further from the spec's, in the spec's deviations, is likely in another unit."""


def report(
    task: LearningTask, folder: Path | None, *, index: int | None, miners: int, test_records: int
) -> dict[str, Any]:
    """Return the facts of a miner's data; JSON's types alone. Raise DataError when it cannot be used.

    `index` is the miner's place among `miners`; without it nothing is said of a miner's part of a shared data set.
    """
    if task.format is None:
        data, own = load_dataset(task, folder), None
    else:
        own = load_own(task, folder)
        data = own_dataset(own, task)
    inputs = np.concatenate([data.x_train, data.x_test])
    labels = np.concatenate([data.y_train, data.y_test])
    facts: dict[str, Any] = {
        "dataset": task.dataset,
        **({} if task.format is None else {"format": task.format.name}),
        "input": f"{task.input_dtype}{list(task.input_shape)}",
        "records": len(labels),
        "training": len(data.y_train),
        "evaluation": len(data.y_test),
        "classes": _class_counts(task, labels),
        "values": {"lowest": _number(inputs.min()), "highest": _number(inputs.max())},
        **_copies(inputs, labels),
    }
    columns: list[dict[str, Any]] = []
    if own is not None:
        columns = _columns(task.format, inputs) if isinstance(task.format, TableFormat) else []
        facts |= {"files": own.files, "missing": dict(own.filled), "ignored_columns": list(own.ignored)}
        facts |= {"columns": columns} if columns else {}
    if own is not None or index is not None:
        facts["share"] = _share(task, data, index or 0, miners, test_records)
    facts["warnings"] = _warnings(task, facts, own)
    return facts


def _class_counts(task: LearningTask, labels: npt.NDArray[np.uint8]) -> dict[str, int]:
    names = task.class_names or tuple(map(str, range(task.classes)))
    counts = np.bincount(labels, minlength=task.classes).tolist()
    return dict(zip(names, counts, strict=True))


def _copies(inputs: npt.NDArray[Any], labels: npt.NDArray[np.uint8]) -> dict[str, int]:
    """Return how many records repeat an earlier one, and how many different records have several labels."""
    marks = fingerprints(inputs, 0)
    distinct = np.unique(marks)
    labelled = np.unique(np.stack([marks, labels.astype(np.uint64)]), axis=1)[0]
    _, classes = np.unique(labelled, return_counts=True)
    return {
        "duplicates": len(marks) - len(distinct),
        "contradictions": int(np.count_nonzero(classes > 1)),
    }


def _columns(table: TableFormat, inputs: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """Return what each column holds, in its own unit."""
    facts, place = [], 0
    for column in table.columns:
        facts.append(_column(column, inputs[:, place : place + column.width].astype(np.float64)))
        place += column.width
    return facts


def _column(column: Column, part: npt.NDArray[np.float64]) -> dict[str, Any]:
    if isinstance(column, NumberColumn):
        # What the file said is what was standardised, undone: float32 keeps about six digits of a deviation.
        digits = 5 - floor(log10(column.deviation))
        values = np.round(part[:, 0] * column.deviation + column.mean, digits) + 0.0
        return {
            "name": column.name,
            "lowest": _number(values.min()),
            "highest": _number(values.max()),
            "mean": _number(values.mean()),
            "deviations_off": round(float((values.mean() - column.mean) / column.deviation), 2),
        }
    if column.coding == "one-hot":
        places = part.argmax(axis=1)
    else:
        places = np.rint(part[:, 0] * (len(column.categories) - 1)).astype(np.int64)
    counts = np.bincount(places, minlength=len(column.categories)).tolist()
    return {"name": column.name, "counts": dict(zip(column.categories, counts, strict=True))}


def _share(task: LearningTask, data: Dataset, index: int, miners: int, test_records: int) -> dict[str, Any]:
    """Return what the miner trains on and takes test records from, and for how many rounds none repeats."""
    own = share_of(task, data, index, miners, test_records)
    place = {} if task.format is not None else {"index": index, "miners": miners}
    return {
        **place,
        "records": len(own),
        "classes": _class_counts(task, data.y_train[own]),
        "rounds_until_test_records_repeat": len(own) // test_records,
    }


def _warnings(task: LearningTask, facts: Mapping[str, Any], own: OwnRecords | None) -> list[str]:
    found = [f"class {name} has no record" for name, count in facts["classes"].items() if count == 0]
    if facts["contradictions"]:
        found.append(f"{facts['contradictions']} records stand there with more than one label")
    if own is not None and facts["duplicates"] > facts["records"] // 10:
        found.append(f"{facts['duplicates']} of {facts['records']} records repeat others")
    for column in facts.get("columns", []):
        if abs(column.get("deviations_off", 0)) > ODD_MEAN:
            found.append(
                f"column {column['name']} has mean {column['mean']:g}, {abs(column['deviations_off']):g} deviations "
                "from the spec's: is it in the spec's unit?"
            )
        absent = [name for name, count in column.get("counts", {}).items() if count == 0]
        if absent:
            found.append(f"column {column['name']} never is {' or '.join(absent[:4])}")
    return found


def _number(value: Any) -> float:
    """Return a number as people write it: six digits that count."""
    return float(f"{float(value):.6g}")
