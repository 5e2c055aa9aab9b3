"""Tasks and data of the worker's tests."""

from pathlib import Path
from typing import Any

import numpy as np

from node import chain_spec
from node.learning_task import LearningTask, parse_task, task_bytes

DIGITS = dict(chain_spec.load("local").learning)
CIFAR10 = dict(chain_spec.load("pocl-cifar10").learning)
NPZ = DIGITS | {
    "dataset": "npz",
    "input_shape": [6],
    "input_dtype": "float32",
    "classes": 3,
    "architecture": "mlp",
}


def task_of(fields: dict[str, Any], **changes: Any) -> LearningTask:
    """Return a task: one of the dictionaries above with some fields changed."""
    return parse_task(task_bytes(fields | changes))


def npz_arrays(seed: int = 0) -> dict[str, Any]:
    """Return a small data set that fits NPZ: three clouds of points."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for part, count in (("train", 240), ("test", 60)):
        labels = np.arange(count) % 3
        points = rng.normal(0, 0.6, (count, 6)) + np.eye(6)[labels] * 2
        arrays |= {f"x_{part}": points.astype(np.float32), f"y_{part}": labels.astype(np.int64)}
    return arrays


def write_npz(folder: Path, arrays: dict[str, Any]) -> Path:
    """Write the data set where the npz loader looks for it; return the folder."""
    np.savez(folder / "data.npz", **arrays)
    return folder
