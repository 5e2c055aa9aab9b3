"""Training and prediction in NumPy, for architectures made of dense layers alone (mlp).

A simulation of hundreds of small rounds would spend most of its time in Keras' overhead a step, and seconds
more on loading it. This is the same training of the same tensors as the Keras trainer's, by the same rules:
batches in the same order, early stopping, the optimisers' formulas those of Keras 3. Weights differ from
Keras' in the last digits, since sums are taken in another order, so all miners of a chain use one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.architectures import Architecture, Dense, Flatten, Relu
from node.worker.learning.errors import DataError
from node.worker.learning.training import (
    SGD_MOMENTUM,
    BestEpoch,
    Fitted,
    Inputs,
    Labels,
    Samples,
    batches,
    cross_entropy,
)
from node.worker.learning.weights import Weights

Array = npt.NDArray[np.float32]

_ADAM_BETAS = 0.9, 0.999
_ADAM_EPSILON = 1e-7


class NumpyTrainer:
    """Implements training.Trainer. Raise DataError for an architecture with layers other than dense ones."""

    def __init__(self, architecture: Architecture, task: LearningTask) -> None:
        self._task = task
        self._dense: list[str] = []
        self._activated: set[str] = set()
        for name, layer in architecture.layers:
            match layer:
                case Dense():
                    self._dense.append(name)
                case Relu() if self._dense:
                    self._activated.add(self._dense[-1])
                case Flatten():
                    pass
                case _:
                    raise DataError(
                        f"architecture {task.architecture} has layer {name}, which the NumPy trainer does not have: "
                        "take mlp, or the Keras trainer"
                    )

    def warm_up(self, weights: Weights) -> None:
        """There is nothing to compile."""

    def fit(
        self,
        start: Weights,
        training: Samples,
        validation: Samples,
        rng: np.random.Generator,
        deadline: Callable[[], bool],
    ) -> Fitted:
        """Train from `start`, as the Keras trainer does. The same generator gives the same weights."""
        weights = {name: np.array(tensor) for name, tensor in start.items()}
        step = _adam(self._task) if self._task.optimizer == "adam" else _sgd(self._task)
        inputs, held_out = _scaled(training.inputs), _scaled(validation.inputs)
        epochs = BestEpoch(self._task.early_stopping_patience)
        for epoch in range(1, self._task.epochs + 1):
            right = []
            in_time = True
            for batch in batches(len(training.labels), self._task.batch_size, rng):
                if deadline():
                    in_time = False
                    break
                values = self._layers(weights, inputs[batch])
                labels = training.labels[batch]
                right.append(float((values[-1].argmax(axis=1) == labels).mean()))
                step(weights, self._gradients(weights, values, labels))
            measured = cross_entropy(self._layers(weights, held_out)[-1], validation.labels)
            copy = {name: tensor.copy() for name, tensor in weights.items()}
            trained = float(np.mean(right)) if right else None
            if not epochs.take(Fitted(copy, *measured, epoch, trained)) or not in_time:
                break
        if epochs.best is not None:
            return epochs.best
        return Fitted(start, *cross_entropy(self._layers(start, held_out)[-1], validation.labels), epochs=0)

    def predict(self, weights: Weights, inputs: Inputs) -> Labels:
        """Return the model's label of each input, uint8[N]."""
        labels: Labels = self._layers(weights, _scaled(inputs))[-1].argmax(axis=1).astype(np.uint8)
        return labels

    def _layers(self, weights: Weights, inputs: Array) -> list[Array]:
        """Return the inputs of every dense layer and, last, the logits: float32[N, units]."""
        values = [inputs]
        for name in self._dense:
            made = values[-1] @ weights[f"{name}.kernel"] + weights[f"{name}.bias"]
            values.append(np.maximum(made, 0) if name in self._activated else made)
        return values

    def _gradients(self, weights: Weights, values: list[Array], labels: Labels) -> Weights:
        """Return the gradient of the batch's mean cross-entropy; `values` are what `_layers` gave for it."""
        logits = values[-1]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = odds / odds.sum(axis=1, keepdims=True)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        gradients: Weights = {}
        for index in reversed(range(len(self._dense))):
            name = self._dense[index]
            if name in self._activated:
                error = error * (values[index + 1] > 0)
            gradients[f"{name}.kernel"] = values[index].T @ error
            gradients[f"{name}.bias"] = error.sum(axis=0)
            if index:
                error = error @ weights[f"{name}.kernel"].T
        return gradients


Step = Callable[[Weights, Weights], None]
"""Changes weights by the gradients of a batch."""


def _adam(task: LearningTask) -> Step:
    """Kingma and Ba, 2015 (arXiv:1412.6980), as Keras writes it."""
    first: Weights = {}
    second: Weights = {}
    beta1, beta2 = _ADAM_BETAS
    count = 0

    def step(weights: Weights, gradients: Weights) -> None:
        nonlocal count
        count += 1
        rate = np.float32(task.learning_rate * np.sqrt(1 - beta2**count) / (1 - beta1**count))
        for name, gradient in gradients.items():
            mean = first.setdefault(name, np.zeros_like(gradient))
            square = second.setdefault(name, np.zeros_like(gradient))
            mean += (gradient - mean) * np.float32(1 - beta1)
            square += (gradient * gradient - square) * np.float32(1 - beta2)
            weights[name] -= rate * mean / (np.sqrt(square) + np.float32(_ADAM_EPSILON))

    return step


def _sgd(task: LearningTask) -> Step:
    """Stochastic gradient descent with Nesterov's momentum, as Keras writes it."""
    velocity: Weights = {}
    rate, momentum = np.float32(task.learning_rate), np.float32(SGD_MOMENTUM)

    def step(weights: Weights, gradients: Weights) -> None:
        for name, gradient in gradients.items():
            speed = velocity.setdefault(name, np.zeros_like(gradient))
            speed *= momentum
            speed -= rate * gradient
            weights[name] += momentum * speed - rate * gradient

    return step


def _scaled(inputs: Inputs) -> Array:
    """Flatten; bytes to [0, 1], as the Keras trainer does."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    return flat / np.float32(255) if inputs.dtype == np.uint8 else flat
