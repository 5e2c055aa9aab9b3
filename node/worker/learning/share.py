"""Which records are a miner's own: dealt by the partition, or all that it has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.datasets import Dataset
from node.worker.learning.errors import DataError
from node.worker.learning.partition import partition


def share_of(
    task: LearningTask, data: Dataset, index: int, miners: int, test_records: int
) -> npt.NDArray[np.int64]:
    """Return the miner's records as indices into the training part: whole groups of copies.

    Raise DataError when they are too few for a round.
    """
    # Enough for a test set and as much beside it, with at least one group to train on and one to validate
    # with.
    minimum = max(-(-2 * test_records // data.copies), -(-test_records // data.copies) + 2)
    if task.partition is None:
        if len(data.y_train) < minimum:
            raise DataError(
                f"there are {len(data.y_train)} own records beside the {len(data.y_test)} held out for evaluation: "
                f"a round needs {minimum}: bring more, or lower genesis.round.test_records ({test_records})"
            )
        return np.arange(len(data.y_train))
    groups = partition(data.y_train[:: data.copies], miners, task.partition, minimum)[index]
    records: npt.NDArray[np.int64] = (groups[:, np.newaxis] * data.copies + np.arange(data.copies)).ravel()
    return records
