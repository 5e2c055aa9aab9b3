"""Arrays of one's own in npz files: read without pickle, and no further than memory allows."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from node.learning_task import LearningTask
from node.task_inputs import INPUT_BOUND
from node.worker.learning.errors import DataError

MAX_BYTES = 2 * 2**30
"""What the records of a miner may take in memory: a file that claims more is refused before it is read."""

Arrays = tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]


def read_npz(file: Path, task: LearningTask, names: Sequence[tuple[str, str]]) -> list[Arrays]:
    """Return checked inputs [N, *input_shape] and labels uint8[N] of each pair of names. Raise DataError."""
    wanted = [name for pair in names for name in pair]
    try:
        with zipfile.ZipFile(file) as packed:
            # Of each member no more than this is unpacked, whatever the array inside says of its shape.
            size = sum(member.file_size for member in packed.infolist())
        if size > MAX_BYTES:
            raise DataError(f"{file}: holds {size} bytes when unpacked: it may be at most {MAX_BYTES}")
        with np.load(file, allow_pickle=False) as arrays:
            return [_checked(file, task, *pair, *_pair(file, arrays, pair, wanted)) for pair in names]
    except FileNotFoundError:
        raise DataError(
            f"{file}: there is no such file: the task needs it (--data names its folder)"
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{file}: has an array that says it is larger than this machine's memory") from None
    # zlib.error and what else a damaged archive raises are of no common kind.
    except (ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataError(f"{file}: is not an npz file of plain arrays: {_first_line(error)}") from None


def _pair(file: Path, arrays: Any, pair: tuple[str, str], wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
    for name in pair:
        if name not in arrays.files:
            needed = f"{', '.join(wanted[:-1])} and {wanted[-1]}"
            raise DataError(f"{file}: has no array {name}: it needs {needed}")
    return [arrays[name] for name in pair]


def _checked(
    file: Path, task: LearningTask, x_name: str, y_name: str, x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> Arrays:
    if x.dtype != task.input_dtype:
        raise DataError(f"{file}: {x_name} is {x.dtype}: the task's input_dtype is {task.input_dtype}")
    if x.ndim == 0 or x.shape[1:] != task.input_shape:
        raise DataError(
            f"{file}: {x_name} has shape {list(x.shape)}: "
            f"it must be [N, {', '.join(map(str, task.input_shape))}]"
        )
    if y.dtype.kind not in "ui" or y.shape != (len(x),):
        raise DataError(
            f"{file}: {y_name} is {y.dtype} of shape {list(y.shape)}: "
            f"it must be whole numbers of shape [{len(x)}]"
        )
    if len(x) == 0:
        raise DataError(f"{file}: {x_name} is empty")
    if int(y.min()) < 0 or int(y.max()) >= task.classes:
        raise DataError(
            f"{file}: {y_name} has labels from {y.min()} to {y.max()}: "
            f"the task's {task.classes} classes are 0 to {task.classes - 1}"
        )
    if x.dtype == np.float32:
        # One comparison refuses NaN and infinities too: NaN compares false.
        good = (np.abs(x) <= INPUT_BOUND).reshape(len(x), -1).all(axis=1)
        if not good.all():
            raise DataError(
                f"{file}: {x_name} has values that are not finite or above {INPUT_BOUND:.0f}, "
                f"the first in record {int(good.argmin())}: scale them"
            )
    return x, y.astype(np.uint8)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
