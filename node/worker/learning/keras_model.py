"""From an architecture to a Keras model. Importing this module imports TensorFlow, quietly and on the CPU's
terms:

- one process has one TensorFlow: threads are set once, before anything else is done with it;
- operations are deterministic where there is no GPU (there it costs speed and some operations do not offer
  it).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node.worker.learning.architectures import (
    Architecture,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPool,
    Layer,
    MaxPool,
    Relu,
)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Silence what TensorFlow's C++ side prints while it is loaded, before any log level counts."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


__all__ = ["build_model", "keras", "limit_threads", "tf", "variables_of"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with _without_stderr():
    import keras  # type: ignore[import-untyped]
    import tensorflow as tf  # type: ignore[import-untyped]

    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def limit_threads(threads: int | None) -> None:
    """Use at most this many threads, for one operation and for several at once; None leaves it to TensorFlow.

    Raise RuntimeError when TensorFlow is running already with another number.
    """
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def build_model(architecture: Architecture) -> keras.Model:
    """Return the model: float32[B, *input_shape] to logits float32[B, classes]."""
    inputs = keras.Input(architecture.input_shape)
    outputs = inputs
    for name, layer in architecture.layers:
        outputs = _keras_layer(name, layer)(outputs)
    return keras.Model(inputs, outputs)


def variables_of(model: keras.Model, architecture: Architecture) -> dict[str, Any]:
    """Return the model's variables by the names of the architecture's tensors."""
    variables = {}
    for tensor in architecture.tensors:
        layer, _, attribute = tensor.name.partition(".")
        variables[tensor.name] = getattr(model.get_layer(layer), attribute)
    return variables


def _keras_layer(name: str, layer: Layer) -> keras.Layer:
    match layer:
        case Conv(filters):
            return keras.layers.Conv2D(filters, 3, padding="same", name=name)
        case BatchNorm(momentum):
            return keras.layers.BatchNormalization(momentum=momentum, name=name)
        case Relu():
            return keras.layers.ReLU(name=name)
        case MaxPool():
            return keras.layers.MaxPooling2D(name=name)
        case GlobalMaxPool():
            return keras.layers.GlobalMaxPooling2D(name=name)
        case Flatten():
            return keras.layers.Flatten(name=name)
        case Dropout(rate):
            return keras.layers.Dropout(rate, name=name)
        case Dense(units):
            return keras.layers.Dense(units, name=name)
