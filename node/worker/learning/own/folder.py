"""The files of a folder of own data, and how much they may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.errors import DataError
from node.worker.learning.npz_file import MAX_BYTES

MAX_FILE_BYTES = 8 * 2**30
"""All files of a folder of tables or arrays together: more is a mistake, and would be read for long."""


@dataclass(frozen=True)
class OwnRecords:
    """A miner's records: inputs [N, *input_shape] of the task's dtype and labels uint8[N], N at least 1.

    `files` is how many files they come from, `ignored` the columns of tables that the task does not use, `filled`
    the missing values by column that count as the spec says.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    files: int
    ignored: tuple[str, ...] = ()
    filled: Mapping[str, int] = field(default_factory=dict)


class Room:
    """Counts records against what a miner may take into memory."""

    def __init__(self, task: LearningTask) -> None:
        self._record_bytes = prod(task.input_shape) * np.dtype(task.input_dtype).itemsize + 1
        self.records = 0

    def take(self, file: Path, count: int) -> None:
        """Take in `count` more records of a file. Raise DataError when they are too many."""
        self.records += count
        most = MAX_BYTES // self._record_bytes
        if self.records > most:
            raise DataError(
                f"{file}: with it there are {self.records} records or more: at most {most} of "
                f"{self._record_bytes} bytes are read ({MAX_BYTES} bytes): take fewer files"
            )


def data_files(folder: Path, suffixes: Sequence[str], most_bytes: int = MAX_FILE_BYTES) -> list[Path]:
    """Return the folder's files with these suffixes, by name; hidden ones and others are passed over.

    Raise DataError when there are none, or when they are too large.
    """
    try:
        files = sorted(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()
        )
        size = 0
        for file in files:
            size += file.stat().st_size
            if size > most_bytes:
                raise DataError(f"{file}: with it the data has {size} bytes: it may be at most {most_bytes}")
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None
    if not files:
        raise DataError(f"{folder}: has no file {' or '.join('*' + suffix for suffix in suffixes)}")
    return files
