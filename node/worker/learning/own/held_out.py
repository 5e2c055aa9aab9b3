"""Which of a miner's own records it keeps for evaluation: never trained on, never a test record of a round.

They are chosen by a keyed hash of the record: the order of files and rows does not matter, copies of a record are on
one side, and a record stays on its side (but for a few at the edge) when others are added.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.datasets import Dataset
from node.worker.learning.own.folder import OwnRecords
from pocl.hashing import hash256

EVALUATION_PART = 5
"""At most one in so many records is held out."""


def own_dataset(records: OwnRecords, task: LearningTask) -> Dataset:
    """Return a miner's records with those held out as the test part."""
    held = hold_out(records.inputs, task)
    x, y = records.inputs, records.labels
    return Dataset(x[~held], y[~held], x[held], y[held])


def hold_out(inputs: npt.NDArray[Any], task: LearningTask) -> npt.NDArray[np.bool_]:
    """Return bool[N], true for those held out: about a fifth, or the task's `evaluation_records` if these are fewer."""
    marks = fingerprints(inputs, task.seed)
    count = max(1, len(marks) // EVALUATION_PART)
    if task.evaluation_records:
        count = min(count, task.evaluation_records)
    held: npt.NDArray[np.bool_] = marks <= np.sort(marks)[count - 1]
    return held


def fingerprints(inputs: npt.NDArray[Any], seed: int) -> npt.NDArray[np.uint64]:
    """Return 64 bits of each record's hash: records are copies of each other where they are equal."""
    key = seed.to_bytes(8, "big")
    hashes = (hash256("pocl/learning/held-out/1", key + record.tobytes())[:8] for record in inputs)
    return np.fromiter((int.from_bytes(hash, "big") for hash in hashes), np.uint64, len(inputs))
