"""The data sets: what they hold, and which files are refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node.worker.learning import datasets
from node.worker.learning.datasets import CIFAR_BATCH, CIFAR_RECORD, COPIES, load_dataset
from node.worker.learning.errors import DataError
from tests.node.worker.tasks import CIFAR10, DIGITS, NPZ, npz_arrays, task_of, write_npz


def refusal(fields: dict[str, Any], folder: Path | None) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(task_of(fields), folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# digits


def test_digits_on_their_canvas() -> None:
    data = load_dataset(task_of(DIGITS), None)
    assert data.x_train.shape == (1500 * COPIES, 16, 16, 1)
    assert data.x_test.shape == (297 * COPIES, 16, 16, 1)
    assert data.x_train.dtype == data.y_train.dtype == np.uint8
    assert set(data.y_train) == set(data.y_test) == set(range(10))
    # A group of copies is one digit, each time at a place and with noise of its own.
    groups = data.y_train.reshape(-1, COPIES)
    assert (groups == groups[:, :1]).all()
    assert len({picture.tobytes() for picture in data.x_train}) == len(data.x_train)


def test_digits_depend_on_the_seed_alone() -> None:
    one, same, other = (load_dataset(task_of(DIGITS, seed=seed), None).x_train for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_no_digit_is_in_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[np.ndarray[Any, Any]] = []
    place = datasets._place

    def spy(images: Any, labels: Any, which: Any, rng: Any) -> Any:
        chosen.append(which)
        return place(images, labels, which, rng)

    monkeypatch.setattr(datasets, "_place", spy)
    load_dataset(task_of(DIGITS), None)
    assert sorted(np.concatenate(chosen).tolist()) == list(range(1797))


def test_noisy_digits_stay_where_they_are() -> None:
    task = task_of(DIGITS, dataset="noisy-digits", architecture="mlp")
    data = load_dataset(task, None)
    assert data.x_train.shape == (1500 * COPIES, 8, 8, 1)
    assert data.x_test.shape == (297 * COPIES, 8, 8, 1)
    assert set(data.y_train) == set(data.y_test) == set(range(10))
    copies = data.x_train[:COPIES].astype(float)
    # The same strokes under four different noises: bytes stand for -1 to 2, so the noise is 0.3 of 85.
    assert len({picture.tobytes() for picture in data.x_train[:COPIES]}) == COPIES
    assert 15 < (copies - copies.mean(axis=0)).std() < 35
    assert np.array_equal(data.x_train, load_dataset(task, None).x_train)


# cifar10


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write batches of the right size: record k of a file has label k mod 10 and pixels that tell their place."""
    folder = tmp_path_factory.mktemp("cifar")
    records = np.zeros((CIFAR_BATCH, CIFAR_RECORD), np.uint8)
    records[:, 0] = np.arange(CIFAR_BATCH) % 10
    records[:, 1:1025], records[:, 1025:2049], records[:, 2049:] = 10, 20, 30
    records[:, 1 + 33] = 77  # red, second row, second column
    for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def test_cifar10_planes_become_channels(cifar: Path) -> None:
    data = load_dataset(task_of(CIFAR10), cifar)
    assert data.x_train.shape == (50_000, 32, 32, 3)
    assert data.x_test.shape == (10_000, 32, 32, 3)
    assert data.x_train[7, 0, 0].tolist() == [10, 20, 30]
    assert data.x_train[7, 1, 1].tolist() == [77, 20, 30]
    assert data.y_train[10_003] == data.y_test[3] == 3


def test_cifar10_needs_its_files_in_their_size(tmp_path: Path) -> None:
    assert refusal(CIFAR10, None).startswith("this chain's data set does not come with the node: give --data")
    (tmp_path / "cifar-10-batches-bin").mkdir()
    batch = tmp_path / "cifar-10-batches-bin" / "data_batch_1.bin"
    assert refusal(CIFAR10, tmp_path).startswith(f"{batch}: there is no such file: ")
    batch.write_bytes(bytes(CIFAR_BATCH * CIFAR_RECORD - 1))
    assert refusal(CIFAR10, tmp_path) == (
        f"{batch}: has 30729999 bytes: a CIFAR-10 batch has 30730000 (10000 records of 3073): "
        "take the binary version"
    )
    batch.write_bytes(b"\x0a" + bytes(CIFAR_BATCH * CIFAR_RECORD - 1))
    assert refusal(CIFAR10, tmp_path) == f"{batch}: has label 10: CIFAR-10's labels are 0 to 9"
    batch.unlink()
    batch.mkdir()
    assert refusal(CIFAR10, tmp_path) == f"{batch}: cannot be read: Is a directory"


@pytest.mark.skipif(
    "POCL_CIFAR10" not in os.environ, reason="POCL_CIFAR10 does not name a folder with CIFAR-10"
)
def test_the_real_cifar10() -> None:
    data = load_dataset(task_of(CIFAR10), Path(os.environ["POCL_CIFAR10"]))
    assert np.bincount(data.y_train).tolist() == [5000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert 110 < data.x_train.mean() < 130


# npz


def test_npz(tmp_path: Path) -> None:
    arrays = npz_arrays()
    data = load_dataset(task_of(NPZ), write_npz(tmp_path, arrays))
    assert np.array_equal(data.x_train, arrays["x_train"])
    assert np.array_equal(data.y_test, arrays["y_test"])
    assert data.y_train.dtype == np.uint8


BAD: list[tuple[dict[str, Any], str]] = [
    ({"y_test": None}, "has no array y_test: it needs x_train, y_train, x_test and y_test"),
    ({"x_train": np.zeros((4, 6))}, "x_train is float64: the task's input_dtype is float32"),
    ({"x_train": np.zeros((4, 5), np.float32)}, "x_train has shape [4, 5]: it must be [N, 6]"),
    ({"x_train": np.float32(1)}, "x_train has shape []: it must be [N, 6]"),
    ({"x_test": np.zeros((0, 6), np.float32), "y_test": np.zeros(0, int)}, "x_test is empty"),
    ({"y_train": np.zeros(9, int)}, "y_train is int64 of shape [9]: it must be whole numbers of shape [240]"),
    (
        {"y_train": np.zeros(240)},
        "y_train is float64 of shape [240]: it must be whole numbers of shape [240]",
    ),
    ({"y_train": np.arange(240) % 3 - 1}, "y_train has labels from -1 to 1: the task's 3 classes are 0 to 2"),
    ({"y_test": np.full(60, 3)}, "y_test has labels from 3 to 3: the task's 3 classes are 0 to 2"),
    (
        {"x_test": np.full((60, 6), np.nan, np.float32)},
        "x_test has values that are not finite or above 32768",
    ),
    ({"x_test": np.full((60, 6), 1e6, np.float32)}, "x_test has values that are not finite or above 32768"),
    ({"x_test": np.array([{}] * 60)}, "is not an npz file of plain arrays: Object arrays cannot be loaded"),
]


@pytest.mark.parametrize(("changes", "problem"), BAD)
def test_npz_arrays_are_checked(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    arrays = {name: array for name, array in (npz_arrays() | changes).items() if array is not None}
    folder = write_npz(tmp_path, arrays)
    assert refusal(NPZ, folder).startswith(f"{folder / 'data.npz'}: {problem}")


def test_npz_files_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    assert refusal(NPZ, tmp_path).startswith(f"{file}: there is no such file: ")
    for content in (b"", b"text", b"PK\x03\x04 not a zip"):
        file.write_bytes(content)
        assert refusal(NPZ, tmp_path).startswith(f"{file}: is not an npz file of plain arrays: ")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(file)
    assert refusal(NPZ, tmp_path).startswith(f"{file}: is not an npz file")
