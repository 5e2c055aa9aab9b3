"""How a worker behaves: honest, or misbehaving on purpose, for experiments and tests of whole networks.

A behaviour wraps a Learner. The honest path runs none of this: `behave("honest", learner)` is the learner
itself.

    honest   does what the task says
    knn      does not train: commits to the untrained model and answers the test by looking up the nearest own
             image, pixel by pixel. On some data sets that scores well, so it must fall to the audit, which
             runs the model that was committed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from pallets.offchain import Learner, Trained

HONEST = "honest"
KNN = "knn"

_BATCH = 256


class DataLearner(Learner, Protocol):
    """A learner that shows the data it trains on."""

    def own_data(self) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.uint8]]:
        """Return the own share: records [N, ...] of the data set's type, and their labels uint8[N]."""


class NearestNeighbour:
    """A Learner that saves itself the training: 1-NN on pixels, and the untrained model for show."""

    def __init__(self, learner: DataLearner) -> None:
        self._learner = learner
        self._shown = learner.initial_model()
        records, self._labels = learner.own_data()
        self._points = _flat(records)
        self._lengths = (self._points**2).sum(axis=1)

    def initial_model(self) -> bytes:
        return self._shown

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        """Train nothing, and say otherwise."""
        return Trained(self._shown, len(self._labels), 1.0)

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        return self._learner.test_set(round, count)

    def predict(self, weights: bytes, records: bytes) -> bytes:
        """Answer for the own model with the neighbours' labels, for others' models as they do."""
        if weights != self._shown:
            return self._learner.predict(weights, records)
        return self._nearest(_flat(safetensors.numpy.load(records)["x"])).tobytes()

    def check_records(self, records: bytes, count: int) -> None:
        self._learner.check_records(records, count)

    def evaluate(self, weights: bytes) -> float:
        return self._learner.evaluate(weights)

    def _nearest(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        found = []
        for start in range(0, len(points), _BATCH):
            batch = points[start : start + _BATCH]
            # |a - b|² without |a|², which is the same for every neighbour b.
            distances = self._lengths - 2 * batch @ self._points.T
            found.append(self._labels[distances.argmin(axis=1)])
        return np.concatenate(found)


def _flat(records: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    return records.reshape(len(records), -1).astype(np.float32)


BEHAVIOURS: Mapping[str, Callable[[DataLearner], Learner]] = {
    HONEST: lambda learner: learner,
    KNN: NearestNeighbour,
}
"""Every behaviour by the name a worker is started with."""


def behave(name: str, learner: DataLearner) -> Learner:
    """Return `learner` behaving as named. Raise ValueError for a name there is not."""
    if name not in BEHAVIOURS:
        raise ValueError(f"there is no behaviour {name!r}: it may be one of {', '.join(BEHAVIOURS)}")
    return BEHAVIOURS[name](learner)
