"""The data sets, each with a training part and a test part of its own. The training part of a shared data set is
dealt to the miners (partition.py); of own data the miner takes all of it (own/__init__.py).

digits   scikit-learn's 8x8 digits on a 16x16 canvas: 1,797 handwritten digits, which ship with scikit-learn
         (from the UCI repository), put at a random place on the canvas, with Gaussian noise of deviation
         0.15, as bytes. Each digit is placed COPIES times. Split by digit before placing: no digit is in both
         parts, and the partition deals whole digits, so no two miners hold the same one.
noisy-digits   the same digits where they are, 8x8, with Gaussian noise of deviation 0.3 (of a full stroke), as
         bytes that stand for -1 to 2: dense networks learn them in little time, and 1-NN, which compares
         noise with noise, stays behind. Split and copied like digits.
breast-cancer   scikit-learn's table of 569 tumours, 30 measures each (Wolberg, Street, Mangasarian 1995; from the
         UCI repository, ships with scikit-learn), standardised. A quarter is the test part.
cifar10  the binary batches of CIFAR-10 (Krizhevsky 2009): data_batch_1.bin to data_batch_5.bin and
         test_batch.bin in the data folder or its folder cifar-10-batches-bin. A record is 1 label byte and
         3072 bytes (red, green, blue).
npz      data.npz in the data folder, with x_train, y_train, x_test, y_test: inputs [N, *input_shape] of the
         task's input_dtype, labels whole numbers from 0 below the task's classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.worker.learning.errors import DataError
from node.worker.learning.npz_file import read_npz
from node.worker.learning.randomness import generator

Inputs = npt.NDArray[Any]
Labels = npt.NDArray[np.uint8]

COPIES = 4
DIGITS_TEST = 297
NOISE = 0.15
ROUGH_NOISE = 0.3
CANVAS = 16

CIFAR_BATCH = 10_000
CIFAR_RECORD = 1 + 3072
CIFAR_FOLDER = "cifar-10-batches-bin"
NPZ_FILE = "data.npz"

BREAST_CANCER_TEST = 142


@dataclass(frozen=True)
class Dataset:
    """Inputs [N, *input_shape] of the task's dtype and labels uint8[N].

    Records come in groups of `copies` that belong together (made of the same original), one group after the
    other.
    """

    x_train: Inputs
    y_train: Labels
    x_test: Inputs
    y_test: Labels
    copies: int = 1


def load_dataset(task: LearningTask, data_path: Path | None) -> Dataset:
    """Return the task's data set; `data_path` is the folder given with --data. Raise DataError."""
    loaders: dict[str, Callable[[LearningTask, Path | None], Dataset]] = {
        "digits": lambda task, data_path: _digits(task, _place),
        "noisy-digits": lambda task, data_path: _digits(task, _roughen),
        "breast-cancer": _breast_cancer,
        "cifar10": _cifar10,
        "npz": _npz,
        "own": _own,
    }
    return loaders[task.dataset](task, data_path)


Make = Callable[
    [npt.NDArray[np.float64], Labels, npt.NDArray[np.int64], np.random.Generator], tuple[Inputs, Labels]
]
"""Makes records of some of the digits: all images [N, 8, 8] from 0 to 1, their labels, which, and randomness."""


def _digits(task: LearningTask, make: Make) -> Dataset:
    # Here: a second of imports that the other data sets can do without.
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    digits = load_digits()
    images, labels = digits.images / 16.0, digits.target.astype(np.uint8)
    rng = generator(task.dataset, task.seed)
    order = rng.permutation(len(images))
    test, train = order[:DIGITS_TEST], order[DIGITS_TEST:]
    x_train, y_train = make(images, labels, train, rng)
    x_test, y_test = make(images, labels, test, rng)
    return Dataset(x_train, y_train, x_test, y_test, copies=COPIES)


def _place(
    images: npt.NDArray[np.float64], labels: Labels, which: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Inputs, Labels]:
    """Put each of these digits COPIES times on a canvas; return uint8[N, 16, 16, 1] and labels."""
    which = np.repeat(which, COPIES)
    side = images.shape[1]
    canvas = np.zeros((len(which), CANVAS, CANVAS))
    places = rng.integers(0, CANVAS - side + 1, (len(which), 2))
    for picture, index, (row, column) in zip(canvas, which, places, strict=True):
        picture[row : row + side, column : column + side] = images[index]
    canvas += rng.normal(0, NOISE, canvas.shape)
    pixels = np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    return pixels[..., np.newaxis], labels[which]


def _roughen(
    images: npt.NDArray[np.float64], labels: Labels, which: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Inputs, Labels]:
    """Lay COPIES different noises over each of these digits; return uint8[N, 8, 8, 1] and labels."""
    which = np.repeat(which, COPIES)
    rough = images[which] + rng.normal(0, ROUGH_NOISE, (len(which), *images.shape[1:]))
    pixels = np.rint(np.clip((rough + 1) / 3, 0, 1) * 255).astype(np.uint8)
    return pixels[..., np.newaxis], labels[which]


def breast_cancer() -> tuple[npt.NDArray[np.float64], Labels, list[str]]:
    """Return the table as it is: values float64[569, 30], labels and the columns' names."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return table.data, table.target.astype(np.uint8), table.feature_names.tolist()


def _breast_cancer(task: LearningTask, data_path: Path | None) -> Dataset:
    values, labels, _ = breast_cancer()
    order = generator("breast-cancer", task.seed).permutation(len(values))
    test, train = order[:BREAST_CANCER_TEST], order[BREAST_CANCER_TEST:]
    # Constants of the whole training part, which every miner has: all see the same units.
    inputs = ((values - values[train].mean(axis=0)) / values[train].std(axis=0)).astype(np.float32)
    return Dataset(inputs[train], labels[train], inputs[test], labels[test])


def _cifar10(task: LearningTask, data_path: Path | None) -> Dataset:
    folder = folder_given(data_path, f"the folder that holds {CIFAR_FOLDER}")
    if (folder / CIFAR_FOLDER).is_dir():
        folder /= CIFAR_FOLDER
    train = np.concatenate([_cifar_batch(folder / f"data_batch_{number}.bin") for number in range(1, 6)])
    test = _cifar_batch(folder / "test_batch.bin")
    return Dataset(*cifar_split(train), *cifar_split(test))


def _cifar_batch(file: Path) -> npt.NDArray[np.uint8]:
    """Return uint8[10000, 3073]."""
    data = np.frombuffer(_read(file), dtype=np.uint8)
    if len(data) != CIFAR_BATCH * CIFAR_RECORD:
        raise DataError(
            f"{file}: has {len(data)} bytes: a CIFAR-10 batch has {CIFAR_BATCH * CIFAR_RECORD} "
            f"({CIFAR_BATCH} records of {CIFAR_RECORD}): take the binary version"
        )
    records = data.reshape(CIFAR_BATCH, CIFAR_RECORD)
    if records[:, 0].max() > 9:
        raise DataError(f"{file}: has label {records[:, 0].max()}: CIFAR-10's labels are 0 to 9")
    return records


def cifar_split(records: npt.NDArray[np.uint8]) -> tuple[Inputs, Labels]:
    """Return uint8[N, 32, 32, 3] and labels of records uint8[N, 3073]."""
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].copy()


def _npz(task: LearningTask, data_path: Path | None) -> Dataset:
    file = folder_given(data_path, f"the folder that holds {NPZ_FILE}") / NPZ_FILE
    train, test = read_npz(file, task, (("x_train", "y_train"), ("x_test", "y_test")))
    return Dataset(*train, *test)


def _own(task: LearningTask, data_path: Path | None) -> Dataset:
    # Here: the packages that read tables and pictures are for those who have some.
    from node.worker.learning.own.held_out import own_dataset
    from node.worker.learning.own.load import load_own

    return own_dataset(load_own(task, data_path), task)


def folder_given(data_path: Path | None, what: str) -> Path:
    """Return the folder given with --data; `what` says what it should be. Raise DataError when none was given."""
    if data_path is None:
        raise DataError(f"this chain's data set does not come with the node: give --data, {what}")
    return data_path


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{file}: there is no such file: the data set needs it (--data names its folder)"
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
