"""Arithmetic on models that gives the same bytes on every machine and in any order.

Averages of float32 depend on the order of the models, so nothing here adds floats:

    q(w)              = rint(float64(w) * 2^32)  as int64     exact but for rint, which rounds half to even
    average of n      = (q_1 + ... + q_n) / n                 in integers, rounded half away from zero
    back to a weight  = float32(float64(average) / 2^32)      one IEEE rounding, half to even

|w| <= 2^15 is checked first (NaN and infinities are refused), so |q| <= 2^47: exact as a float64, and 256 of
them add up to at most 2^55, far inside int64. Every operation used is exactly specified by IEEE 754 or is
integer, so processor, thread count and library do not matter. Every model weighs the same: sample counts are
the miners' own word, and weighting by them would let a liar take over the average (McMahan et al., AISTATS
2017, weights by samples among honest clients).

The difference of a model from the global model is the paper's: the mean over layers of the mean absolute
difference within the layer, times 2^32, each mean rounded down. A layer is a named tensor.

A model travels as safetensors: float32 tensors sorted by name, no metadata, as the safetensors library writes
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from safetensors import SafetensorError

from pallets.offchain_protocols import InvalidWeights

BOUND = 2.0**15
"""Largest absolute value of a weight."""

SCALE = 2.0**32
"""Units of fixed point in 1."""

MAX_MODELS = 256
"""Most models of an average."""

Tensors = Mapping[str, npt.NDArray[np.float32]]
Integers = npt.NDArray[np.int64]

_LOW_BITS = 24


def read_model(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Return the tensors of a model, sorted by name.

    Raise InvalidWeights unless it is safetensors of at least one tensor, all float32, none of them empty, all
    values finite and at most BOUND.
    """
    try:
        # Not safetensors.numpy.load: it fails in its own ways on types that NumPy does not have.
        views = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except (SafetensorError, TypeError, ValueError, OverflowError) as error:
        raise InvalidWeights(f"not a safetensors file: {error}") from None
    if not views:
        raise InvalidWeights("the model has no tensors")
    tensors = {}
    for name, view in sorted(views.items()):
        if view["dtype"] != "F32":
            raise InvalidWeights(f"tensor {name!r} is {view['dtype']}: weights are F32")
        try:
            tensor = np.frombuffer(view["data"], dtype="<f4").reshape(view["shape"])
        except (ValueError, OverflowError) as error:
            # Shapes that safetensors takes and NumPy does not: 65 dimensions, or 2^63 times nothing.
            raise InvalidWeights(f"tensor {name[:60]!r} has no possible shape: {error}") from None
        if tensor.size == 0:
            raise InvalidWeights(f"tensor {name!r} is empty")
        # One comparison refuses NaN and infinities too: NaN compares false.
        if not bool(np.all(np.abs(tensor) <= BOUND)):
            raise InvalidWeights(f"tensor {name!r} has values that are not finite or above {BOUND:.0f}")
        tensors[name] = tensor
    return tensors


def write_model(tensors: Tensors) -> bytes:
    """Return the bytes of a model: the same for the same tensors, in whatever order they come."""
    data: bytes = safetensors.numpy.save(
        {name: np.ascontiguousarray(tensors[name], dtype="<f4") for name in sorted(tensors)}
    )
    return data


def to_fixed(tensor: npt.NDArray[np.float32]) -> Integers:
    """Return the fixed-point integers of weights within the bound."""
    return np.rint(tensor.astype(np.float64) * SCALE).astype(np.int64)


def from_fixed(integers: Integers) -> npt.NDArray[np.float32]:
    """Return the weights nearest to fixed-point integers of at most 2^53."""
    return (integers.astype(np.float64) / SCALE).astype(np.float32)


def fedavg(models: Sequence[bytes]) -> bytes:
    """Return the average of 1 to MAX_MODELS models: the same bytes in whatever order they come.

    Raise InvalidWeights when a model is malformed or the models differ in names or shapes.
    """
    if not 1 <= len(models) <= MAX_MODELS:
        raise InvalidWeights(f"an average takes 1 to {MAX_MODELS} models, not {len(models)}")
    parsed = [read_model(model) for model in models]
    for other in parsed[1:]:
        _require_same_layout(parsed[0], other)
    average = {}
    for name, first in parsed[0].items():
        total = to_fixed(first)
        for other in parsed[1:]:
            total += to_fixed(other[name])
        average[name] = from_fixed(_divide(total, len(models)))
    return write_model(average)


def weight_difference(model: bytes, global_model: bytes) -> int:
    """Return the mean over layers of the mean absolute difference within a layer, times 2^32; below 2^49.

    Raise InvalidWeights when a model is malformed or the two differ in names or shapes.
    """
    ours, theirs = read_model(model), read_model(global_model)
    _require_same_layout(ours, theirs)
    means = [_sum(np.abs(to_fixed(ours[name]) - to_fixed(theirs[name]))) // ours[name].size for name in ours]
    return sum(means) // len(means)


def _divide(total: Integers, count: int) -> Integers:
    """Return total / count, rounded half away from zero: symmetric, unlike NumPy's floor division."""
    quotient: Integers = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
    return quotient


def _sum(values: Integers) -> int:
    """Return the exact sum of integers of 0 to 2^48; an int64 sum could overflow above 2^15 of them."""
    high = int((values >> _LOW_BITS).sum(dtype=np.int64))
    low = int((values & ((1 << _LOW_BITS) - 1)).sum(dtype=np.int64))
    return (high << _LOW_BITS) + low


def _require_same_layout(one: Tensors, other: Tensors) -> None:
    if one.keys() != other.keys():
        raise InvalidWeights("the models have different tensors")
    for name, tensor in one.items():
        if tensor.shape != other[name].shape:
            raise InvalidWeights(f"tensor {name!r} has shapes {tensor.shape} and {other[name].shape}")
