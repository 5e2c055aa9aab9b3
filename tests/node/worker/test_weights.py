"""Architectures without TensorFlow: parameters, the initial model, and the check of foreign models and records."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from node.worker.learning.architectures import architecture_of
from node.worker.learning.records import read_records, write_records
from node.worker.learning.weights import initial_weights, read_weights
from pallets.aggregation.fixed_point import write_model
from pallets.offchain_protocols import InvalidRecords, InvalidWeights
from pocl.hashing import blob_name
from tests.node.worker.tasks import CIFAR10, DIGITS, NPZ, task_of

ARCHITECTURE = architecture_of(task_of(DIGITS))
Change = Callable[[dict[str, Any]], object]


def test_parameters() -> None:
    assert ARCHITECTURE.parameters == 24_394
    assert architecture_of(task_of(CIFAR10)).parameters == 309_290  # the paper's
    assert architecture_of(task_of(NPZ)).parameters == 6 * 64 + 64 + 64 * 3 + 3


def test_the_initial_model_is_the_same_bytes_everywhere() -> None:
    # What the chain calls "the task's initial model": a change here is a hard fork.
    data = write_model(initial_weights(ARCHITECTURE, 0))
    assert blob_name(data).hex() == "6dcd4e2edd3c5f2161d20e7a93f044aa3250016cc0538b28a3481e6689095a09"
    assert write_model(initial_weights(ARCHITECTURE, 1)) != data


def test_kernels_are_glorot_uniform() -> None:
    kernel = initial_weights(ARCHITECTURE, 0)["conv3.kernel"]
    limit = (6 / (9 * (32 + 64))) ** 0.5
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01)
    assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert kernel.mean() == pytest.approx(0, abs=limit / 50)


def test_a_model_comes_back_as_it_was_written() -> None:
    weights = initial_weights(ARCHITECTURE, 3)
    again = read_weights(write_model(weights), ARCHITECTURE)
    assert list(again) == [tensor.name for tensor in ARCHITECTURE.tensors]
    assert all(np.array_equal(again[name], weights[name]) for name in weights)


def bias(value: float) -> Change:
    return lambda tensors: tensors.__setitem__("conv1.bias", np.full(16, value, np.float32))


BAD: list[tuple[Change, str]] = [
    (lambda tensors: tensors.pop("conv1.bias"), "'conv1.bias' is missing"),
    (lambda tensors: tensors.__setitem__("more", np.zeros(1, np.float32)), "'more' is not one of the model"),
    (
        lambda tensors: tensors.__setitem__("conv1.bias", np.zeros(15, np.float32)),
        r"has shape \[15\]: .* \[16\]",
    ),
    (
        lambda tensors: tensors.__setitem__("conv1.bias", np.zeros((16, 1), np.float32)),
        r"has shape \[16, 1\]",
    ),
    (lambda tensors: tensors.__setitem__("conv1.bias", np.zeros(16)), "is F64: weights are F32"),
    (lambda tensors: tensors.__setitem__("conv1.bias", np.zeros(16, np.float16)), "is F16: weights are F32"),
    (bias(np.nan), "not finite or above 32768"),
    (bias(-np.inf), "not finite or above 32768"),
    (bias(32769.0), "not finite or above 32768"),
    (
        lambda tensors: tensors.__setitem__("norm1.moving_variance", np.full(16, -1e-6, np.float32)),
        "'norm1.moving_variance' has a negative variance",
    ),
]


@pytest.mark.parametrize(("change", "problem"), BAD)
def test_foreign_weights_are_checked(change: Change, problem: str) -> None:
    tensors: dict[str, Any] = initial_weights(ARCHITECTURE, 0)
    change(tensors)
    with pytest.raises(InvalidWeights, match=problem):
        read_weights(safetensors.numpy.save(tensors), ARCHITECTURE)


@pytest.mark.parametrize("value", [32768.0, -32768.0, 0.0])
def test_the_bound_itself_is_allowed(value: float) -> None:
    tensors: dict[str, Any] = initial_weights(ARCHITECTURE, 0)
    bias(value)(tensors)
    assert read_weights(safetensors.numpy.save(tensors), ARCHITECTURE)["conv1.bias"][0] == value


GOOD = write_model(initial_weights(ARCHITECTURE, 0))
GARBAGE = [b"", b"\x00", b"x" * 100, GOOD[:-1], GOOD + b"\x00", b"\xff" * 8 + GOOD[8:], bytes(64)]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_not_a_model_nor_records(data: bytes) -> None:
    with pytest.raises(InvalidWeights, match="not a safetensors file"):
        read_weights(data, ARCHITECTURE)
    with pytest.raises(InvalidRecords, match="not a safetensors file"):
        read_records(data, task_of(DIGITS))


def test_records_come_back_as_they_were_written() -> None:
    pictures = np.arange(3 * 256, dtype=np.uint8).reshape(3, 16, 16, 1)
    assert np.array_equal(read_records(write_records(pictures), task_of(DIGITS), 3), pictures)
    points = np.full((2, 6), 0.5, np.float32)
    assert np.array_equal(read_records(write_records(points), task_of(NPZ), 2), points)


def image(*shape: int, dtype: Any = np.uint8) -> dict[str, Any]:
    return {"x": np.zeros(shape, dtype)}


@pytest.mark.parametrize(
    ("fields", "tensors", "problem"),
    [
        (DIGITS, image(2, 16, 16, 1), "there are 2 records: it must be 3"),
        (DIGITS, image(0, 16, 16, 1), r"have shape \[0, 16, 16, 1\]"),
        (DIGITS, image(3, 16, 16), r"have shape \[3, 16, 16\]: the task's are \[R, 16, 16, 1\]"),
        (DIGITS, image(), r"have shape \[\]"),
        (DIGITS, image(3, 16, 16, 1, dtype=np.float32), "are F32: the task's are U8"),
        (DIGITS, {"y": np.zeros(3)}, "one tensor x and nothing else"),
        (DIGITS, image(3, 16, 16, 1) | {"y": np.zeros(3)}, "one tensor x and nothing else"),
        (NPZ, {"x": np.full((3, 6), np.nan, np.float32)}, "not finite or above 32768"),
        (NPZ, {"x": np.full((3, 6), 4e4, np.float32)}, "not finite or above 32768"),
    ],
)
def test_foreign_records_are_checked(fields: dict[str, Any], tensors: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRecords, match=problem):
        read_records(safetensors.numpy.save(tensors), task_of(fields), 3)
