"""Training and prediction with one Keras model that lives as long as the worker.

Both are compiled once, for a fixed batch shape, and reused in every round: a round sets the weights and
resets the optimiser; building a model anew would cost seconds of tracing a round. A loop of our own instead
of `Model.fit`, because the deadline is looked at before every batch and nothing may be retraced.

A round of training:
- the validation part is held out; loss and accuracy on it are measured after every epoch;
- an epoch is the training part in a new random order, in full batches (what is left over waits for another
  epoch);
- training stops after the task's epochs, when the loss has not improved for `early_stopping_patience`
  epochs, or at the deadline; the weights of the epoch with the lowest loss are returned;
- weights that are not finite or out of bounds are never returned: the model one started from takes their
  place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.architectures import Architecture
from node.worker.learning.keras_model import build_model, keras, tf, variables_of
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

PREDICT_BATCH = 64


class KerasTrainer:
    """One model with its optimiser. Not for several threads at once."""

    def __init__(self, architecture: Architecture, task: LearningTask) -> None:
        self._task = task
        self._model = build_model(architecture)
        self._variables = variables_of(self._model, architecture)
        self._optimizer = _optimizer(task)
        self._optimizer.build(self._model.trainable_variables)
        # Slots, step count and learning rate as they are before the first step.
        self._fresh = [(variable, variable.numpy()) for variable in self._optimizer.variables]
        inputs = (*architecture.input_shape,)
        dtype = tf.as_dtype(task.input_dtype)
        self._step = tf.function(
            self._train_batch,
            input_signature=[
                tf.TensorSpec((task.batch_size, *inputs), dtype),
                tf.TensorSpec((task.batch_size,), tf.uint8),
            ],
        )
        self._logits = tf.function(
            self._predict_batch, input_signature=[tf.TensorSpec((PREDICT_BATCH, *inputs), dtype)]
        )

    def warm_up(self, weights: Weights) -> None:
        """Compile everything before it is needed: one step and one prediction on zeros."""
        self._set(weights)
        shape = self._model.input_shape[1:]
        zeros = np.zeros((self._task.batch_size, *shape), self._task.input_dtype)
        self._step(zeros, np.zeros(self._task.batch_size, np.uint8))
        self.predict(weights, zeros[:1])

    def fit(
        self,
        start: Weights,
        training: Samples,
        validation: Samples,
        rng: np.random.Generator,
        deadline: Callable[[], bool],
    ) -> Fitted:
        """Train from `start` (rules in the module's docstring). The same generator gives the same weights."""
        self._set(start)
        self._reset(rng)
        epochs = BestEpoch(self._task.early_stopping_patience)
        for epoch in range(1, self._task.epochs + 1):
            in_time, right = self._epoch(training, rng, deadline)
            fitted = Fitted(self._get(), *self._measure(validation), epoch, right)
            if not epochs.take(fitted) or not in_time:
                break
        if epochs.best is not None:
            return epochs.best
        self._set(start)
        return Fitted(start, *self._measure(validation), epochs=0)

    def predict(self, weights: Weights, inputs: Inputs) -> Labels:
        """Return the model's label of each input, uint8[N]."""
        self._set(weights)
        labels: Labels = self._all_logits(inputs).argmax(axis=1).astype(np.uint8)
        return labels

    def _epoch(
        self, training: Samples, rng: np.random.Generator, deadline: Callable[[], bool]
    ) -> tuple[bool, float | None]:
        """Train one epoch; return False when the deadline cut it short, and the accuracy on its batches."""
        right = []
        in_time = True
        for batch in batches(len(training.labels), self._task.batch_size, rng):
            if deadline():
                in_time = False
                break
            right.append(self._step(training.inputs[batch], training.labels[batch]))
        return in_time, float(np.mean([count.numpy() for count in right])) if right else None

    def _measure(self, samples: Samples) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy of the current weights."""
        return cross_entropy(self._all_logits(samples.inputs), samples.labels)

    def _all_logits(self, inputs: Inputs) -> npt.NDArray[np.float32]:
        parts = []
        for start in range(0, len(inputs), PREDICT_BATCH):
            batch = inputs[start : start + PREDICT_BATCH]
            padded = np.zeros((PREDICT_BATCH, *inputs.shape[1:]), inputs.dtype)
            padded[: len(batch)] = batch
            parts.append(self._logits(padded).numpy()[: len(batch)])
        return np.concatenate(parts)

    def _train_batch(self, inputs: Any, labels: Any) -> Any:
        """Train on a batch; return the part of it that the model had right before."""
        with tf.GradientTape() as tape:
            logits = self._model(_scaled(inputs), training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self._model.trainable_variables)
        self._optimizer.apply(gradients, self._model.trainable_variables)
        right = tf.equal(tf.argmax(logits, axis=1), tf.cast(labels, tf.int64))
        return tf.reduce_mean(tf.cast(right, tf.float32))

    def _predict_batch(self, inputs: Any) -> Any:
        return self._model(_scaled(inputs), training=False)

    def _set(self, weights: Weights) -> None:
        for name, variable in self._variables.items():
            variable.assign(weights[name])

    def _get(self) -> Weights:
        return {name: variable.numpy() for name, variable in self._variables.items()}

    def _reset(self, rng: np.random.Generator) -> None:
        """Forget what earlier rounds left: optimiser slots and the streams of dropout."""
        for variable, value in self._fresh:
            variable.assign(value)
        for layer in self._model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign(rng.integers(0, 2**31, 2).astype(np.uint32))


def _scaled(inputs: Any) -> Any:
    """Bytes to [0, 1], as the paper has it; float32 inputs are taken as they are."""
    return tf.cast(inputs, tf.float32) / 255.0 if inputs.dtype == tf.uint8 else inputs


def _optimizer(task: LearningTask) -> Any:
    if task.optimizer == "adam":
        return keras.optimizers.Adam(task.learning_rate)
    return keras.optimizers.SGD(task.learning_rate, momentum=SGD_MOMENTUM, nesterov=True)
