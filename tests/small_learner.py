"""A learner that trains in milliseconds: softmax regression in NumPy on made-up data.

Kinds of data, all of ten classes in 32 dimensions:
    LINEAR       one noisy cluster a class: the regression learns it, 1-NN on few samples is worse
    GRADUAL      the same on scales from 0.2 to 2, which descent learns one after the other: accuracy rises
                 over the rounds instead of at once
    MIRRORED     two opposite clusters a class: no linear model can tell them apart, 1-NN can: to cheat
                 pays, as far as accuracy goes
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from pallets.aggregation.fixed_point import read_model, write_model
from pallets.offchain_protocols import InvalidRecords, InvalidWeights, Trained

CLASSES = 10
DIMENSIONS = 32
LINEAR, GRADUAL, MIRRORED = "linear", "gradual", "mirrored"

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


def made_up(kind: str, seed: int, count: int) -> tuple[Array, Labels]:
    """Return `count` samples; the classes are the same for every seed."""
    centres = np.random.default_rng(1).normal(size=(CLASSES, DIMENSIONS))
    rng = np.random.default_rng([2, seed])
    labels = rng.integers(CLASSES, size=count)
    points, noise = centres[labels], 1.3
    if kind == MIRRORED:
        points, noise = points * rng.choice([-1, 1], size=(count, 1)), 0.2
    points = points + rng.normal(scale=noise, size=points.shape)
    if kind == GRADUAL:
        points *= np.geomspace(0.2, 2, DIMENSIONS)
    return points.astype(np.float32), labels.astype(np.uint8)


class SmallLearner:
    """Implements pallets.offchain.Learner, and behaviours.DataLearner."""

    def __init__(
        self, seed: int, *, kind: str = LINEAR, samples: int = 240, steps: int = 40, rate: float = 1.0
    ) -> None:
        self.share, self.labels = made_up(kind, seed, samples)
        self.own_test = made_up(kind, 1000, 200)
        self.seed = seed
        self.steps = steps
        self.rate = rate
        self.trained = 0
        self.predict_calls: list[int] = []
        """Records of each call of `predict`."""

    def own_data(self) -> tuple[Array, Labels]:
        return self.share, self.labels

    def relabelled(self, labels: Labels) -> SmallLearner:
        other = copy.copy(self)
        other.labels = labels
        return other

    def initial_model(self) -> bytes:
        return write_model(
            {"kernel": np.zeros((DIMENSIONS, CLASSES), np.float32), "bias": np.zeros(CLASSES, np.float32)}
        )

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        self.trained += 1
        kernel, bias = (tensor.copy() for tensor in self._model(global_model))
        held_out = self._test_indices(round, 10)
        chosen = np.setdiff1d(np.arange(len(self.labels)), held_out)
        inputs, targets = self.share[chosen], np.eye(CLASSES, dtype=np.float32)[self.labels[chosen]]
        for _ in range(self.steps):
            scores = inputs @ kernel + bias
            odds = np.exp(scores - scores.max(axis=1, keepdims=True))
            error = (odds / odds.sum(axis=1, keepdims=True) - targets) / len(chosen)
            kernel -= self.rate * (inputs.T @ error)
            bias -= self.rate * error.sum(axis=0)
            if deadline():
                break
        weights = write_model({"kernel": kernel, "bias": bias})
        right = np.frombuffer(self._labels(weights, self.share[held_out]), np.uint8) == self.labels[held_out]
        return Trained(weights, len(chosen), float(right.mean()))

    def test_set(self, round: int, count: int) -> tuple[bytes, bytes]:
        indices = self._test_indices(round, count)
        return safetensors.numpy.save({"x": self.share[indices]}), self.labels[indices].tobytes()

    def predict(self, weights: bytes, records: bytes) -> bytes:
        inputs = self._inputs(records)
        self.predict_calls.append(len(inputs))
        return self._labels(weights, inputs)

    def check_records(self, records: bytes, count: int) -> None:
        if len(self._inputs(records)) != count:
            raise InvalidRecords(f"there must be {count} records")

    def evaluate(self, weights: bytes) -> float:
        inputs, labels = self.own_test
        return float((np.frombuffer(self._labels(weights, inputs), np.uint8) == labels).mean())

    def _labels(self, weights: bytes, inputs: Array) -> bytes:
        kernel, bias = self._model(weights)
        return (inputs @ kernel + bias).argmax(axis=1).astype(np.uint8).tobytes()

    def _model(self, weights: bytes) -> tuple[Array, Array]:
        tensors = read_model(weights)
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        if shapes != {"bias": (CLASSES,), "kernel": (DIMENSIONS, CLASSES)}:
            raise InvalidWeights(f"not a model of the task: {shapes}")
        return tensors["kernel"], tensors["bias"]

    def _inputs(self, records: bytes) -> Array:
        try:
            inputs: Array = safetensors.numpy.load(records)["x"]
        except (safetensors.SafetensorError, KeyError) as error:
            raise InvalidRecords(f"not test records: {error}") from None
        if inputs.ndim != 2 or inputs.shape[1] != DIMENSIONS or inputs.dtype != np.float32:
            raise InvalidRecords("not test records of this task")
        return inputs

    def _test_indices(self, round: int, count: int) -> npt.NDArray[np.int64]:
        order = np.random.default_rng([3, self.seed]).permutation(len(self.labels))
        return order[(round - 1) * count : round * count]
