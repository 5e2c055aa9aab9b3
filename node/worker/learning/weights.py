"""Models as bytes: safetensors of float32 tensors with the names and shapes of the architecture.

The initial model must be the same bytes everywhere, since its name stands for all miners' starting point:
it is drawn from the raw output of PCG64, turned into uniform numbers by exact operations only (no logarithm
or sine, whose last bit differs between libraries). Kernels are Glorot-uniform (Glorot and Bengio, 2010)
with limit sqrt(6 / (in + out)), in and out being the numbers of connections; a layer's constant tensors are
zeros and ones.
"""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import numpy.typing as npt
import safetensors

from node.worker.learning.architectures import Architecture, Tensor
from node.worker.learning.randomness import bit_generator
from pallets.aggregation.fixed_point import BOUND
from pallets.offchain_protocols import InvalidWeights

Weights = dict[str, npt.NDArray[np.float32]]
"""Tensors by name, in the architecture's order."""


def initial_weights(architecture: Architecture, seed: int) -> Weights:
    """Return the model that every miner starts from."""
    return {
        tensor.name: _kernel(tensor, seed, index)
        if tensor.initial is None
        else np.full(tensor.shape, tensor.initial, np.float32)
        for index, tensor in enumerate(architecture.tensors)
    }


def read_weights(data: bytes, architecture: Architecture) -> Weights:
    """Return the tensors of a model that may come from anybody.

    Raise InvalidWeights unless they are exactly the architecture's tensors, float32, finite, at most BOUND,
    and no variance is negative.
    """
    try:
        # Not safetensors.numpy.load: it fails in its own ways on types that NumPy does not have.
        given = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, TypeError, ValueError, OverflowError) as error:
        raise InvalidWeights(f"not a safetensors file: {error}") from None
    expected = {tensor.name for tensor in architecture.tensors}
    if given.keys() != expected:
        odd = sorted(given.keys() ^ expected)[0]
        raise InvalidWeights(
            f"tensor {odd[:60]!r} is {'missing' if odd in expected else 'not one of the model'}"
        )
    return {tensor.name: _tensor(tensor, given[tensor.name]) for tensor in architecture.tensors}


def within_bounds(weights: Weights) -> bool:
    """Tell whether all numbers are finite and at most BOUND."""
    # One comparison refuses NaN and infinities too: NaN compares false.
    return all(bool(np.all(np.abs(tensor) <= BOUND)) for tensor in weights.values())


def _tensor(expected: Tensor, view: dict[str, object]) -> npt.NDArray[np.float32]:
    shape, dtype, data = view["shape"], view["dtype"], view["data"]
    if dtype != "F32":
        raise InvalidWeights(f"tensor {expected.name!r} is {dtype}: weights are F32")
    if shape != list(expected.shape):
        raise InvalidWeights(f"tensor {expected.name!r} has shape {shape}: it must be {list(expected.shape)}")
    assert isinstance(data, (bytes, bytearray))
    values = np.frombuffer(data, dtype="<f4").reshape(expected.shape)
    if not within_bounds({expected.name: values}):
        raise InvalidWeights(f"tensor {expected.name!r} has values that are not finite or above {BOUND:.0f}")
    if expected.name.endswith(".moving_variance") and bool(np.any(values < 0)):
        raise InvalidWeights(f"tensor {expected.name!r} has a negative variance")
    return values


def _kernel(tensor: Tensor, seed: int, index: int) -> npt.NDArray[np.float32]:
    *window, inputs, outputs = tensor.shape
    limit = sqrt(6 / (prod(window) * (inputs + outputs)))
    raw = bit_generator("initial-model", seed, index).random_raw(prod(tensor.shape))
    uniform = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return ((2 * uniform - 1) * limit).astype(np.float32).reshape(tensor.shape)
