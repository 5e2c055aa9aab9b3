"""Own data as arrays (*.npz with x and y) and as binary batches of CIFAR-10 (*.bin)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from node.learning_task import LearningTask
from node.worker.learning.datasets import CIFAR_RECORD, cifar_split
from node.worker.learning.errors import DataError
from node.worker.learning.npz_file import Arrays, read_npz
from node.worker.learning.own.folder import OwnRecords, Room, data_files


def read_arrays(task: LearningTask, folder: Path) -> OwnRecords:
    """Return the records of all *.npz of a folder. Raise DataError."""
    room, parts = Room(task), []
    for file in data_files(folder, [".npz"]):
        (part,) = read_npz(file, task, [("x", "y")])
        room.take(file, len(part[1]))
        parts.append(part)
    return _joined(parts)


def read_cifar_batches(task: LearningTask, folder: Path) -> OwnRecords:
    """Return the records of all *.bin of a folder: any number of them in each. Raise DataError."""
    room, parts = Room(task), []
    for file in data_files(folder, [".bin"]):
        count, rest = divmod(file.stat().st_size, CIFAR_RECORD)
        if rest or not count:
            raise DataError(
                f"{file}: has {file.stat().st_size} bytes: it must be one or more records of {CIFAR_RECORD} "
                "(1 label and 3072 pixels)"
            )
        room.take(file, count)
        try:
            records = np.fromfile(file, np.uint8, count * CIFAR_RECORD).reshape(count, CIFAR_RECORD)
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror}") from None
        wrong = np.flatnonzero(records[:, 0] >= task.classes)
        if len(wrong):
            raise DataError(
                f"{file}: record {wrong[0]} has label {records[wrong[0], 0]}: "
                f"the task's {task.classes} classes are 0 to {task.classes - 1}"
            )
        parts.append(cifar_split(records))
    return _joined(parts)


def _joined(parts: Sequence[Arrays]) -> OwnRecords:
    inputs, labels = zip(*parts, strict=True)
    return OwnRecords(np.concatenate(inputs), np.concatenate(labels), len(parts))
