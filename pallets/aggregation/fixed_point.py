"""Arithmetic on models that gives the same bytes on every machine and in any order.

Averages of float32 depend on the order of the models, so nothing here adds floats:

    q(w)              = rint(float64(w) * 2^32)  as int64     exact but for rint, which rounds half to even
    average of n      = (q_1 + ... + q_n) / n                 in integers, rounded half away from zero
    back to a weight  = float32(float64(average) / 2^32)      one IEEE rounding, half to even

|w| <= 2^15 is checked first (NaN and infinities are refused), so |q| <= 2^47: exact as a float64, and 256 of
them add up to at most 2^55, far inside int64. Every operation used is exactly specified by IEEE 754 or is
integer, so processor, thread count and library do not matter.

This is the layer below the aggregation rules (pallets/aggregation/rules): means, weighted means and squared
lengths of such integers, all exact before one rounding.

The difference of a model from the global model is the paper's: the mean over layers of the mean absolute
difference within the layer, times 2^32, each mean rounded down. A layer is a named tensor.

A model travels as safetensors: float32 tensors sorted by name, no metadata, as the safetensors library writes
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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

LIMIT = 1 << 47
"""Largest absolute value of a weight in fixed point: BOUND * SCALE."""

MAX_MODELS = 256
"""Most models of an average."""

MAX_TOTAL_WEIGHT = 1 << 38
"""Largest sum of the weights of a weighted mean."""

Tensors = Mapping[str, npt.NDArray[np.float32]]
Integers = npt.NDArray[np.int64]

_LOW_BITS = 24
_LOW = (1 << _LOW_BITS) - 1


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
    parsed = read_models(models)
    return write_model(
        {name: from_fixed(mean(to_fixed(model[name]) for model in parsed)) for name in parsed[0]}
    )


def read_models(models: Sequence[bytes]) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Return the tensors of 1 to MAX_MODELS models. Raise InvalidWeights unless all have one layout."""
    if not 1 <= len(models) <= MAX_MODELS:
        raise InvalidWeights(f"an average takes 1 to {MAX_MODELS} models, not {len(models)}")
    parsed = [read_model(model) for model in models]
    for other in parsed[1:]:
        require_same_layout(parsed[0], other)
    return parsed


def mean(values: Iterable[Integers]) -> Integers:
    """Return the mean of 1 to MAX_MODELS tensors of at most LIMIT, rounded half away from zero."""
    total: Integers = np.zeros((), np.int64)
    count = 0
    for tensor in values:
        total, count = total + tensor, count + 1
    quotient: Integers = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
    return quotient


def weighted_mean(values: Iterable[Integers], weights: Sequence[int]) -> Integers:
    """Return the mean of tensors of at most LIMIT, one weight each, rounded half away from zero.

    Weights are not negative and add up to 1 to MAX_TOTAL_WEIGHT.
    """
    total = sum(weights)
    assert min(weights) >= 0
    assert 1 <= total <= MAX_TOTAL_WEIGHT
    # value = high * 2^24 + low with |high| <= 2^23 and 0 <= low < 2^24: sums stay within 2^61 and 2^62.
    high: Integers = np.zeros((), np.int64)
    low: Integers = np.zeros((), np.int64)
    for tensor, weight in zip(values, weights, strict=True):
        high = high + (tensor >> _LOW_BITS) * weight
        low = low + (tensor & _LOW) * weight
    high, low = high + (low >> _LOW_BITS), low & _LOW
    # The same of the absolute value; here low may be 2^24, which does no harm.
    negative = high < 0
    high, low = np.where(negative, -high - 1, high), np.where(negative, _LOW + 1 - low, low)
    quotient, rest = np.divmod(high, total)
    # rest < 2^38, so rest * 2^24 stays below 2^62.
    magnitude = (quotient << _LOW_BITS) + ((rest << _LOW_BITS) + low + total // 2) // total
    signed: Integers = np.where(negative, -magnitude, magnitude)
    return signed


def squared_length(values: Integers) -> int:
    """Return the exact sum of squares of integers of at most 2^48."""
    magnitude = np.abs(values)
    high, low = magnitude >> _LOW_BITS, magnitude & _LOW
    # Each factor is at most 2^24, so each product at most 2^48, which _sum takes.
    return (_sum(high * high) << 2 * _LOW_BITS) + (_sum(high * low) << _LOW_BITS + 1) + _sum(low * low)


def weight_difference(model: bytes, global_model: bytes) -> int:
    """Return the mean over layers of the mean absolute difference within a layer, times 2^32; below 2^49.

    Raise InvalidWeights when a model is malformed or the two differ in names or shapes.
    """
    ours, theirs = read_model(model), read_model(global_model)
    require_same_layout(ours, theirs)
    means = [_sum(np.abs(to_fixed(ours[name]) - to_fixed(theirs[name]))) // ours[name].size for name in ours]
    return sum(means) // len(means)


def _sum(values: Integers) -> int:
    """Return the exact sum of integers of 0 to 2^48; an int64 sum could overflow above 2^15 of them."""
    high = int((values >> _LOW_BITS).sum(dtype=np.int64))
    low = int((values & _LOW).sum(dtype=np.int64))
    return (high << _LOW_BITS) + low


def require_same_layout(one: Tensors, other: Tensors) -> None:
    """Raise InvalidWeights unless two models have the same tensors of the same shapes."""
    if one.keys() != other.keys():
        raise InvalidWeights("the models have different tensors")
    for name, tensor in one.items():
        if tensor.shape != other[name].shape:
            raise InvalidWeights(f"tensor {name!r} has shapes {tensor.shape} and {other[name].shape}")
