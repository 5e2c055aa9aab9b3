"""Own data by the task's format."""

from __future__ import annotations

from pathlib import Path

from node.learning_task import LearningTask
from node.task_inputs import CifarFormat, ImagesFormat, NpzFormat, TableFormat
from node.worker.learning.datasets import folder_given
from node.worker.learning.own.folder import OwnRecords


def load_own(task: LearningTask, data_path: Path | None) -> OwnRecords:
    """Return all records of a miner's folder. Raise DataError; ModuleNotFoundError without the extra `worker`."""
    folder = folder_given(data_path, "the folder that holds this miner's own data")
    # Each here: pyarrow and Pillow are for those whose data needs them.
    match task.format:
        case NpzFormat():
            from node.worker.learning.own.arrays import read_arrays

            return read_arrays(task, folder)
        case CifarFormat():
            from node.worker.learning.own.arrays import read_cifar_batches

            return read_cifar_batches(task, folder)
        case ImagesFormat() as images:
            from node.worker.learning.own.images import read_images

            return read_images(task, images, folder)
        case TableFormat() as table:
            from node.worker.learning.own.tables import read_tables

            return read_tables(task, table, folder)
        case None:
            raise ValueError(f"{task.dataset} is a shared data set")
