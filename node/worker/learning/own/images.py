"""Own data as pictures: a folder for each class, named as the spec's `class_names`; a class may have no folder.

A picture becomes gray or RGB as the spec's channels say. Its size is the spec's, or `resize` says how it becomes that:
stretch (whatever its form) or crop (scaled until it covers the size, then cut around its middle). Turned as its EXIF
says. What would lose something unnoticed is refused: more than 8 bits a channel, several frames.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from node.json_fields import shown
from node.learning_task import LearningTask
from node.task_inputs import ImagesFormat
from node.worker.learning.errors import DataError
from node.worker.learning.own.folder import OwnRecords, Room

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
"""Decoders of the usual pictures: rarer ones are more of a risk than of use."""

MAX_PIXELS = 2**26
"""Of one picture: 8,192 by 8,192. A small file may unpack to far more (a decompression bomb)."""

MAX_IMAGE_BYTES = 2**28

_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_images(task: LearningTask, format: ImagesFormat, folder: Path) -> OwnRecords:
    """Return the pictures of a folder of folders. Raise DataError."""
    try:
        files = list(_files(task, folder))
    except OSError as error:
        raise DataError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None
    if not files:
        raise DataError(f"{folder}: has no pictures: they lie in folders named {_names(task.class_names)}")
    Room(task).take(folder, len(files))
    inputs = np.empty((len(files), *task.input_shape), np.uint8)
    for index, (file, _) in enumerate(files):
        inputs[index] = _pixels(file, task, format)
    return OwnRecords(inputs, np.array([label for _, label in files], np.uint8), len(files))


def _files(task: LearningTask, folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield each picture's file and class."""
    for place in sorted(folder.iterdir()):
        if place.name.startswith("."):
            continue
        if not place.is_dir():
            raise DataError(f"{place}: is not a folder of a class: pictures lie in folders named after it")
        if place.name not in task.class_names:
            raise DataError(
                f"{place}: {shown(place.name)} is not a class of the task: it must be {_names(task.class_names)}"
            )
        label = task.class_names.index(place.name)
        for file in sorted(place.iterdir()):
            if file.name.startswith("."):
                continue
            if not file.is_file():
                raise DataError(f"{file}: is not a file: a class's folder holds pictures alone")
            if file.stat().st_size > MAX_IMAGE_BYTES:
                raise DataError(
                    f"{file}: has {file.stat().st_size} bytes: a picture may have at most {MAX_IMAGE_BYTES}"
                )
            yield file, label


def _pixels(file: Path, task: LearningTask, format: ImagesFormat) -> npt.NDArray[np.uint8]:
    """Return a picture as uint8[height, width, channels]."""
    height, width, channels = task.input_shape
    try:
        with warnings.catch_warnings():
            # Of large pictures and odd metadata: the first are refused here, the second do no harm.
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                _check(file, image)
                picture = ImageOps.exif_transpose(image)
                picture = _converted(picture, channels)
    except UnidentifiedImageError:
        raise DataError(f"{file}: is not a picture of a kind that is read: {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{file}: unpacks to more pixels than the {MAX_PIXELS} that are read") from None
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{file}: has gone while the folder was read") from None
    except PermissionError:
        raise DataError(f"{file}: cannot be read: Permission denied") from None
    # Decoders of damaged files raise what they like: OSError, ValueError, SyntaxError, struct.error, IndexError.
    except Exception as error:
        raise DataError(f"{file}: is damaged: {' '.join(str(error).split())[:100]}") from None
    if picture.size != (width, height):
        if format.resize == "none":
            raise DataError(
                f"{file}: is {picture.height} by {picture.width} (height by width): "
                f"the task's pictures are {height} by {width} and resize is none"
            )
        if format.resize == "stretch":
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        else:
            picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture, np.uint8).reshape(height, width, channels)


def _check(file: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"{file}: is {image.height} by {image.width}: a picture may have at most {MAX_PIXELS} pixels"
        )
    # Of 16-bit colours Pillow keeps the upper halves and says so only here.
    if image.mode in _DEEP or any(";16" in str(tile) for tile in getattr(image, "tile", ())):
        raise DataError(f"{file}: has more than 8 bits a channel: save it with 8")
    # Many phones put a smaller copy behind the picture (MPO): the first one is meant.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames != 1:
        raise DataError(f"{file}: has {frames} frames: it must be one picture")


def _converted(picture: Image.Image, channels: int) -> Image.Image:
    """Return the picture as gray or RGB; what is transparent becomes white, as paper would show it."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("L" if channels == 1 else "RGB")


def _names(names: tuple[str, ...]) -> str:
    text = " or ".join(names[:8])
    return text if len(names) <= 8 else f"{text} or one of {len(names) - 8} more"
