"""The miner's learner: its share of the data and the task's model (the protocol `Learner` of the off-chain
halves).

The share of a shared data set is dealt by the partition; of own data it is all but what is held out for evaluation.
Of the share, round by round:
- test records are drawn without replacement over the rounds: the share is shuffled once, round r takes the
  r-th run of `test_records`. When the share is used up it is shuffled again and starts over: from then on
  records repeat, which lets others learn them. A share of S lasts floor(S / test_records) rounds: lower
  test_records for longer chains;
- they are held out of training in their round; later rounds train on them (their owner does not rank itself);
- of the rest, one in ten is the validation part, drawn anew each round, and the others are trained on.
  Copies of one original are on one side of that split, else training would be stopped by what it has learnt
  by heart.

Everything is drawn from (task's seed, miner's index, round), so a restarted worker draws the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.architectures import architecture_of
from node.worker.learning.datasets import Dataset
from node.worker.learning.metrics import measured
from node.worker.learning.randomness import generator
from node.worker.learning.records import read_records, write_records
from node.worker.learning.share import share_of
from node.worker.learning.training import Samples, Trainer
from node.worker.learning.weights import Weights, initial_weights, read_weights
from pallets.aggregation.fixed_point import write_model
from pallets.offchain_protocols import Trained

VALIDATION_PART = 10
"""One in so many originals is held out to tell when to stop."""


class TaskLearner:
    """Implements pallets.offchain_protocols.Learner for miner number `index` of `miners`.

    `trainer` may be shared by learners of one process. `overtaken(round)` tells that the chain has left TRAIN
    of that round, so that training further is of no use. Raise DataError when the data cannot be used.
    """

    def __init__(
        self,
        task: LearningTask,
        data: Dataset,
        trainer: Trainer,
        *,
        index: int,
        miners: int,
        test_records: int,
        overtaken: Callable[[int], bool] = lambda round: False,
    ) -> None:
        self._task = task
        self._overtaken = overtaken
        self._architecture = architecture_of(task)
        self._trainer = trainer
        self._index = index
        self._test_records = test_records
        # Numbers of records, not copies of them: learners of one process have their data set in common.
        self._data = data
        self._own = share_of(task, data, index, miners, test_records)

    @property
    def share_size(self) -> int:
        """Records of this miner."""
        return len(self._own)

    def own_data(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Return the share: inputs [N, *input_shape] and labels uint8[N]."""
        return self._data.x_train[self._own], self._data.y_train[self._own]

    def relabelled(self, labels: npt.NDArray[np.uint8]) -> TaskLearner:
        """Return a learner of the same records under other labels, uint8[N]: for experiments."""
        relabelled = self._data.y_train.copy()
        relabelled[self._own] = labels
        other = copy.copy(self)
        other._data = replace(self._data, y_train=relabelled)
        return other

    def warm_up(self) -> None:
        """Compile training and prediction before the first round needs them."""
        self._trainer.warm_up(self._initial_weights())

    def initial_model(self) -> bytes:
        """Return the model every miner starts from."""
        return write_model(self._initial_weights())

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train on the share without the round's test records. Raise InvalidWeights."""
        start = read_weights(global_model, self._architecture)
        rng = generator("train", self._task.seed, self._index, round)
        rest = np.setdiff1d(np.arange(self.share_size), self._test_indices(round))
        originals = np.unique(rest // self._data.copies)
        held_out = rng.permutation(originals)[: max(1, len(originals) // VALIDATION_PART)]
        validating = np.isin(rest // self._data.copies, held_out)
        validation, training = self._samples(rest[validating]), self._samples(rest[~validating])
        fitted = self._trainer.fit(
            start, training, validation, rng, lambda: deadline() or self._overtaken(round)
        )
        return Trained(
            write_model(fitted.weights), len(training.labels), fitted.accuracy, fitted.training_accuracy
        )

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        """Return records and labels of the round (rules in the module's docstring)."""
        if count != self._test_records:
            raise ValueError(
                f"{count} test records are asked for: this learner was made for {self._test_records}"
            )
        samples = self._samples(self._test_indices(round))
        return write_records(samples.inputs), samples.labels.tobytes()

    def predict(self, weights: bytes, records: bytes) -> bytes:
        """Return one label a record. Raise InvalidWeights or InvalidRecords."""
        inputs = read_records(records, self._task)
        return self._trainer.predict(read_weights(weights, self._architecture), inputs).tobytes()

    def check_records(self, records: bytes, count: int) -> None:
        """Raise InvalidRecords unless these are `count` well-formed records."""
        read_records(records, self._task, count)

    def evaluate(self, weights: bytes) -> float:
        """Return the task's metric on the data set's test part, or the task's `evaluation_records` of it; with own
        data on the records that this miner holds out.
        """
        test = _evaluation_part(self._task, self._data)
        labels = self._trainer.predict(read_weights(weights, self._architecture), test.inputs)
        return measured(self._task.metric, test.labels, labels)

    def _initial_weights(self) -> Weights:
        return initial_weights(self._architecture, self._task.seed)

    def _samples(self, indices: npt.NDArray[np.int64]) -> Samples:
        """Return records by their numbers in the share."""
        records = self._own[indices]
        return Samples(self._data.x_train[records], self._data.y_train[records])

    def _test_indices(self, round: int) -> npt.NDArray[np.int64]:
        """Return where in the share the round's test records are. Rounds count from 1."""
        per_pass = self.share_size // self._test_records
        turn, place = divmod(round - 1, per_pass)
        order = generator("test-records", self._task.seed, self._index, turn).permutation(self.share_size)
        return order[place * self._test_records : (place + 1) * self._test_records]


def _evaluation_part(task: LearningTask, data: Dataset) -> Samples:
    wanted = task.evaluation_records
    if task.partition is None or wanted == 0 or wanted >= len(data.y_test):
        return Samples(data.x_test, data.y_test)
    chosen = generator("evaluation", task.seed).permutation(len(data.y_test))[:wanted]
    return Samples(data.x_test[chosen], data.y_test[chosen])
