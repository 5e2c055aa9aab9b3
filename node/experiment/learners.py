"""Learners of many miners in one process: what is computed once for all of them, and what it costs in time.

A model's labels for a record are the same whoever asks, and in a round everybody asks for the winners': a
`MemoLearner` looks them up. Each miner pays for them in virtual time all the same (`TimedLearner`). What is looked up
depends on model and record, and on the test part, which is one for all; so a learner whose own records got other
labels (`relabelled`) has the same answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from node.experiment.network import MemoryNode
from node.experiment.plan import VirtualTime
from node.worker.behaviours import DataLearner
from node.worker.learning.learner import TaskLearner
from node.worker.learning.records import read_records, write_records
from pallets.offchain_protocols import Trained


class Memo:
    """What was computed of the models of the present round and the one before."""

    def __init__(self) -> None:
        self.initial: bytes | None = None
        self._labels: tuple[dict[bytes, dict[bytes, int]], ...] = ({}, {})
        self._accuracy: tuple[dict[bytes, float], ...] = ({}, {})

    def turn(self) -> None:
        """A round has ended: models of the round before it are asked for no more."""
        self._labels = ({}, self._labels[0])
        self._accuracy = ({}, self._accuracy[0])

    def labels(self, weights: bytes) -> dict[bytes, int]:
        """Return the labels known of a model, by record."""
        new, old = self._labels
        if weights not in new:
            new[weights] = old.pop(weights, {})
        return new[weights]

    def accuracy(self, weights: bytes, measure: Callable[[], float]) -> float:
        """Return a model's accuracy on the test part."""
        for known in self._accuracy:
            if weights in known:
                return known[weights]
        self._accuracy[0][weights] = measure()
        return self._accuracy[0][weights]


class MemoLearner(TaskLearner):
    """A TaskLearner that computes nothing that another one of its process has computed."""

    def __init__(self, memo: Memo, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._memo = memo

    def initial_model(self) -> bytes:
        """Return the model every miner starts from, one object for all."""
        if self._memo.initial is None:
            self._memo.initial = super().initial_model()
        return self._memo.initial

    def predict(self, weights: bytes, records: bytes) -> bytes:
        """Return one label a record. Raise InvalidWeights or InvalidRecords."""
        inputs = read_records(records, self._task)
        known = self._memo.labels(weights)
        names = [record.tobytes() for record in inputs]
        new = [index for index, name in enumerate(names) if name not in known]
        if new:
            found = super().predict(weights, write_records(inputs[new]))
            known.update((names[index], label) for index, label in zip(new, found, strict=True))
        return bytes(known[name] for name in names)

    def evaluate(self, weights: bytes) -> float:
        """Return the accuracy on the data set's own test part. Raise InvalidWeights."""
        return self._memo.accuracy(weights, lambda: super(MemoLearner, self).evaluate(weights))


class TimedLearner:
    """A DataLearner whose training and predictions take virtual time on its miner's clock.

    Training costs by the batch: a learner asks for its deadline before each one, so whoever trains less, or
    pretends to train, is done sooner, and whoever is slow is cut off at the deadline. To measure a global model
    on the test part costs nothing: it is no part of the protocol. Nor does what an attack computes by itself,
    neighbours or noise: it is at best too fast.
    """

    def __init__(self, learner: DataLearner, node: MemoryNode, time: VirtualTime, speed: float) -> None:
        self._learner = learner
        self._node = node
        self._time = time
        self._speed = speed
        self._batch_ms = time.batch_ms / speed
        self._record_ms = time.record_ms / speed
        self._rest_ms = 0.0

    def initial_model(self) -> bytes:
        """Return the model every miner starts from."""
        return self._learner.initial_model()

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train, each batch for its time."""

        def next_batch() -> bool:
            if deadline():
                return True
            self._spend(self._batch_ms)
            return False

        return self._learner.train(global_model, round, next_batch)

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        """Return the round's records and labels."""
        return self._learner.test_set(round, count)

    def predict(self, weights: bytes, records: bytes) -> bytes:
        """Return one label a record, each for its time."""
        labels = self._learner.predict(weights, records)
        self._spend(self._record_ms * len(labels))
        return labels

    def check_records(self, records: bytes, count: int) -> None:
        """Raise InvalidRecords unless these are `count` well-formed records."""
        self._learner.check_records(records, count)

    def evaluate(self, weights: bytes) -> float:
        """Return the accuracy on the data set's own test part."""
        return self._learner.evaluate(weights)

    def own_data(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Return the share: inputs [N, *input_shape] and labels uint8[N]."""
        return self._learner.own_data()

    def relabelled(self, labels: npt.NDArray[np.uint8]) -> TimedLearner:
        """Return a learner of the same records under other labels, which takes its time on the same clock."""
        other = self._learner.relabelled(labels)
        return TimedLearner(other, self._node, self._time, self._speed)

    def _spend(self, ms: float) -> None:
        whole, self._rest_ms = divmod(self._rest_ms + ms, 1)
        self._node.clock_ms += int(whole)
