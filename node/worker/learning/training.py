"""What training takes and gives, whatever does it: Keras (trainer.py) or NumPy (numpy_trainer.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from node.worker.learning.weights import Weights, within_bounds

Inputs = npt.NDArray[Any]
Labels = npt.NDArray[np.uint8]

SGD_MOMENTUM = 0.9
"""Nesterov's, of the task's optimizer `sgd`."""


@dataclass(frozen=True)
class Samples:
    """Inputs [N, *input_shape] as the data set has them, and labels uint8[N]; N at least 1."""

    inputs: Inputs
    labels: Labels


@dataclass(frozen=True)
class Fitted:
    """What a round of training gave: the weights, and loss and accuracy on the validation part.

    `training_accuracy` is that of the epoch's batches, each as it was trained on; None when there was none.
    """

    weights: Weights
    loss: float
    accuracy: float
    epochs: int
    training_accuracy: float | None = None


class Trainer(Protocol):
    """One model of the task's architecture. Not for several threads at once."""

    def warm_up(self, weights: Weights) -> None:
        """Compile what there is to compile, before the first round needs it."""

    def fit(
        self,
        start: Weights,
        training: Samples,
        validation: Samples,
        rng: np.random.Generator,
        deadline: Callable[[], bool],
    ) -> Fitted:
        """Train from `start` until it stops by itself or `deadline()`, asked before every batch, is true."""

    def predict(self, weights: Weights, inputs: Inputs) -> Labels:
        """Return the model's label of each input, uint8[N]."""


class BestEpoch:
    """The epoch with the lowest loss so far, and when to stop waiting for a lower one.

    Weights that are not finite or out of bounds are never the best.
    """

    def __init__(self, patience: int) -> None:
        self.best: Fitted | None = None
        self._patience = patience
        self._waited = 0

    def take(self, fitted: Fitted) -> bool:
        """Take in an epoch; return False when training has not improved for `patience` epochs."""
        usable = np.isfinite(fitted.loss) and within_bounds(fitted.weights)
        if usable and (self.best is None or fitted.loss < self.best.loss):
            self.best, self._waited = fitted, 0
        else:
            self._waited += 1
        return self._waited < self._patience


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Yield an epoch's batches: `count` samples in a new order, in full batches.

    What is left over waits for another epoch. Fewer samples than a batch are repeated: batch statistics of a
    few samples would be worse.
    """
    order = rng.permutation(count)
    if count < size:
        order = np.resize(order, size)
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def cross_entropy(logits: npt.NDArray[np.float32], labels: Labels) -> tuple[float, float]:
    """Return mean cross-entropy (inf for weights that have run away) and accuracy."""
    exact = logits.astype(np.float64)
    accuracy = float((exact.argmax(axis=1) == labels).mean())
    if not np.all(np.isfinite(exact)):
        return np.inf, accuracy
    exact -= exact.max(axis=1, keepdims=True)
    chosen = exact[np.arange(len(exact)), labels]
    loss = float((np.log(np.exp(exact).sum(axis=1)) - chosen).mean())
    return loss, accuracy
