"""Test records as bytes: safetensors with the one tensor `x`, of shape [R, *input_shape] and the task's dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from node.learning_task import LearningTask
from node.task_inputs import INPUT_BOUND
from pallets.offchain_protocols import InvalidRecords

_DTYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "uint8": ("U8", np.dtype("u1")),
    "float32": ("F32", np.dtype("<f4")),
}


def write_records(inputs: npt.NDArray[Any]) -> bytes:
    """Return the bytes of test records."""
    data: bytes = safetensors.numpy.save({"x": np.ascontiguousarray(inputs)})
    return data


def read_records(data: bytes, task: LearningTask, count: int | None = None) -> npt.NDArray[Any]:
    """Return the inputs of records that may come from anybody: `count` of them, or any number without a
    count.

    Raise InvalidRecords for another number, shape or type, and for values that are not finite or too large.
    """
    try:
        given: list[tuple[str, dict[str, Any]]] = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, TypeError, ValueError, OverflowError) as error:
        raise InvalidRecords(f"not a safetensors file: {error}") from None
    if [name for name, _ in given] != ["x"]:
        raise InvalidRecords("records are one tensor x and nothing else")
    view = given[0][1]
    safe_dtype, dtype = _DTYPES[task.input_dtype]
    if view["dtype"] != safe_dtype:
        raise InvalidRecords(f"records are {view['dtype']}: the task's are {safe_dtype}")
    shape = view["shape"]
    if len(shape) == 0 or tuple(shape[1:]) != task.input_shape or shape[0] == 0:
        raise InvalidRecords(
            f"records have shape {shape}: the task's are [R, {', '.join(map(str, task.input_shape))}]"
        )
    if count is not None and shape[0] != count:
        raise InvalidRecords(f"there are {shape[0]} records: it must be {count}")
    inputs: npt.NDArray[Any] = np.frombuffer(view["data"], dtype=dtype).reshape(shape)
    if task.input_dtype == "float32" and not bool(np.all(np.abs(inputs) <= INPUT_BOUND)):
        raise InvalidRecords(f"records have values that are not finite or above {INPUT_BOUND:.0f}")
    return inputs
