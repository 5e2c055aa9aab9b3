"""Tasks with own data, and how a folder is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.worker.learning.errors import DataError
from node.worker.learning.own.folder import OwnRecords
from node.worker.learning.own.load import load_own
from tests.node.worker.tasks import DIGITS, task_of

TRAINING = {name: value for name, value in DIGITS.items() if name != "partition"} | {"architecture": "mlp"}

AGE = {"name": "age", "mean": "50", "deviation": "10", "range": ["0", "120"]}
SEX = {"name": "sex", "categories": ["female", "male", "other"], "coding": "one-hot"}
GRADE = {"name": "grade", "categories": ["low", "middle", "high"], "coding": "ordinal"}
TABLE = TRAINING | {
    "dataset": "own",
    "format": "table",
    "class_names": ["ill", "well"],
    "label": "state",
    "columns": [AGE, SEX, GRADE],
}
IMAGES = TRAINING | {
    "dataset": "own",
    "format": "images",
    "input_shape": [8, 6, 3],
    "resize": "none",
    "class_names": ["cat", "dog"],
}
ARRAYS = TRAINING | {
    "dataset": "own",
    "format": "npz",
    "input_shape": [2, 3],
    "input_dtype": "float32",
    "classes": 3,
}
CIFAR = TRAINING | {"dataset": "own", "format": "cifar10", "classes": 4}


def load(fields: dict[str, Any], folder: Path | None, **changes: Any) -> OwnRecords:
    return load_own(task_of(fields, **changes), folder)


def refusal(fields: dict[str, Any], folder: Path | None, **changes: Any) -> str:
    """Return the one line with which a folder is refused."""
    with pytest.raises(DataError) as caught:
        load(fields, folder, **changes)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 600
    return line
