"""Own data as npz and as CIFAR's binary batches; npz files that lie."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node.worker.learning import npz_file
from node.worker.learning.errors import DataError
from node.worker.learning.own import folder as own_folder
from tests.node.worker.own.common import ARRAYS, CIFAR, load, refusal

X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
Y = np.array([0, 2, 1, 0])


def test_all_npz_of_a_folder(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", x=X, y=Y)
    np.savez_compressed(tmp_path / "a.npz", x=X[:1] + 100, y=Y[:1] + 1, more=np.zeros(3))
    records = load(ARRAYS, tmp_path)
    assert np.array_equal(records.inputs, np.concatenate([X[:1] + 100, X]))
    assert records.labels.tolist() == [1, 0, 2, 1, 0]
    assert records.labels.dtype == np.uint8
    assert records.files == 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"y": None}, "has no array y: it needs x and y"),
        ({"x": X.astype(np.float64)}, "x is float64: the task's input_dtype is float32"),
        ({"x": X[:, :1]}, "x has shape [4, 1, 3]: it must be [N, 2, 3]"),
        ({"y": Y[:3]}, "y is int64 of shape [3]: it must be whole numbers of shape [4]"),
        ({"y": Y + 1}, "y has labels from 1 to 3: the task's 3 classes are 0 to 2"),
        (
            {"x": np.where(X == 13, np.nan, X)},
            "x has values that are not finite or above 32768, the first in record 2: scale them",
        ),
        ({"x": np.array([print] * 4)}, "is not an npz file of plain arrays: Object arrays cannot be loaded"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    arrays = {name: array for name, array in ({"x": X, "y": Y} | changes).items() if array is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    assert refusal(ARRAYS, tmp_path).startswith(f"{tmp_path / 'a.npz'}: {problem}")


def packed(x: bytes) -> bytes:
    """Return an npz whose array x is these bytes."""
    data, labels = io.BytesIO(), io.BytesIO()
    np.save(labels, Y)
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", x)
        file.writestr("y.npy", labels.getvalue())
    return data.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return data.getvalue()


def test_files_that_lie_of_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.npz"
    for shape in ((10**6, 2, 3), (10**15, 2, 3), (2**62, 2, 3)):
        file.write_bytes(packed(header(shape) + bytes(24)))
        assert refusal(ARRAYS, tmp_path).startswith(f"{file}: ")
    file.write_bytes(packed(header((2**20, 2, 3)) + bytes(24 * 2**20)))
    assert file.stat().st_size < 200_000
    monkeypatch.setattr(npz_file, "MAX_BYTES", 2**20)
    assert "when unpacked: it may be at most 1048576" in refusal(ARRAYS, tmp_path)


def test_damaged_files(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=X, y=Y)
    data = (tmp_path / "a.npz").read_bytes()
    for position in range(0, len(data), 7):
        (tmp_path / "a.npz").write_bytes(
            data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]
        )
        with suppress(DataError):  # some bytes, such as times, do not matter
            load(ARRAYS, tmp_path)
    assert refusal(ARRAYS, tmp_path / "none").startswith(f"{tmp_path / 'none'}: cannot be read: ")


# CIFAR


def batch(*labels: int) -> bytes:
    return b"".join(bytes([label]) + bytes([label * 10]) * 1024 + bytes(2048) for label in labels)


def test_batches_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(batch(1, 2, 3))
    (tmp_path / "a.bin").write_bytes(batch(0))
    records = load(CIFAR, tmp_path)
    assert records.inputs.shape == (4, 32, 32, 3)
    assert records.inputs[3, 5, 5].tolist() == [30, 0, 0]
    assert records.labels.tolist() == [0, 1, 2, 3]


def test_batches_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.bin"
    for content in (b"", batch(1)[:-1]):
        file.write_bytes(content)
        assert refusal(CIFAR, tmp_path) == (
            f"{file}: has {len(content)} bytes: it must be one or more records of 3073 "
            "(1 label and 3072 pixels)"
        )
    file.write_bytes(batch(1, 4, 5))
    assert refusal(CIFAR, tmp_path) == f"{file}: record 1 has label 4: the task's 4 classes are 0 to 3"
    monkeypatch.setattr(own_folder, "MAX_BYTES", 7000)
    assert "there are 3 records or more: at most 2 of 3073 bytes" in refusal(CIFAR, tmp_path)
