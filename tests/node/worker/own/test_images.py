"""Own data as pictures in a folder for each class."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from node.worker.learning.own import images as own_images
from tests.node.worker.own.common import IMAGES, load, refusal

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(colour: Any = RED, size: tuple[int, int] = (6, 8), mode: str = "RGB") -> Image.Image:
    """Return a picture; `size` is width and height."""
    return Image.new(mode, size, colour)


def folders(place: Path, **files: Any) -> Path:
    """Save pictures (or bytes) under names such as cat__1_png."""
    for name, content in files.items():
        folder, _, file = name.partition("__")
        (place / folder).mkdir(exist_ok=True)
        path = place / folder / file.replace("_", ".")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path)
    return place


def test_folders_are_classes(tmp_path: Path) -> None:
    folders(tmp_path, dog__1_png=picture(BLUE), cat__2_png=picture(), cat__1_bmp=picture(BLUE))
    folders(tmp_path, cat___hidden=b"not a picture")
    (tmp_path / ".trash").mkdir()
    records = load(IMAGES, tmp_path)
    assert records.inputs.shape == (3, 8, 6, 3)
    assert records.inputs.dtype == np.uint8
    assert records.inputs[:, 0, 0].tolist() == [list(BLUE), list(RED), list(BLUE)]
    assert records.labels.tolist() == [0, 0, 1]
    assert records.files == 3


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "bmp", "tiff", "ppm", "gif"])
def test_the_usual_kinds(tmp_path: Path, kind: str) -> None:
    records = load(IMAGES, folders(tmp_path, **{f"cat__1_{kind}": picture((200, 30, 40))}))
    assert np.abs(records.inputs[0].astype(int) - [200, 30, 40]).max() <= 6


@pytest.mark.parametrize(
    ("mode", "colour", "gray", "rgb"),
    [
        ("L", 77, 77, [77] * 3),
        ("1", 1, 255, [255] * 3),
        ("RGB", RED, 76, list(RED)),
        ("RGBA", (255, 0, 0, 0), 255, [255] * 3),
        ("LA", (10, 255), 10, [10] * 3),
        ("P", 0, 0, [0] * 3),
    ],
)
def test_channels_are_the_specs(tmp_path: Path, mode: str, colour: Any, gray: int, rgb: list[int]) -> None:
    folders(tmp_path, cat__1_png=picture(colour, mode=mode))
    assert load(IMAGES, tmp_path).inputs[0, 0, 0].tolist() == rgb
    assert load(IMAGES, tmp_path, input_shape=[8, 6, 1]).inputs[0, 0, 0].tolist() == [gray]


def test_sizes_change_only_if_the_spec_says_so(tmp_path: Path) -> None:
    wide = picture(size=(24, 8))
    wide.paste(BLUE, (9, 0, 15, 8))  # the middle
    file = folders(tmp_path, cat__1_png=wide) / "cat" / "1.png"
    assert refusal(IMAGES, tmp_path) == (
        f"{file}: is 8 by 24 (height by width): the task's pictures are 8 by 6 and resize is none"
    )
    cropped = load(IMAGES, tmp_path, resize="crop").inputs[0]
    assert (cropped == BLUE).all()
    stretched = load(IMAGES, tmp_path, resize="stretch").inputs[0]
    assert stretched[4, 0, 0] > 240
    assert stretched[4, 3, 2] > 200


def test_the_first_of_a_phones_two_pictures_is_meant(tmp_path: Path) -> None:
    two = encoded(picture((200, 30, 40)), "MPO", save_all=True, append_images=[picture(BLUE)])
    inputs = load(IMAGES, folders(tmp_path, cat__1_jpg=two)).inputs
    assert np.abs(inputs[0].astype(int) - [200, 30, 40]).max() <= 6


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    (tmp_path / "cat").mkdir()
    picture(size=(8, 6)).save(tmp_path / "cat" / "1.jpg", exif=exif)
    assert load(IMAGES, tmp_path).inputs.shape == (1, 8, 6, 3)


def png(width: int, height: int, pixels: bytes = b"", depth: int = 8) -> bytes:
    """Return an RGB PNG that says it has this size, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


FRAMES = encoded(picture(), "GIF", save_all=True, append_images=[picture(BLUE)])
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a picture of a kind that is read: PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is not a picture of a kind that is read: PNG, JPEG"),
        (encoded(NOISE)[:90], "is damaged: "),
        (encoded(NOISE, "JPEG")[:400], "is "),
        (encoded(NOISE)[:60] + bytes(60) + encoded(NOISE)[120:], "is "),
        (png(60_000, 60_000), "unpacks to more pixels than the 67108864 that are read"),
        (png(9_000, 9_000), "is 9000 by 9000: a picture may have at most 67108864 pixels"),
        (encoded(picture(7, mode="I;16")), "has more than 8 bits a channel: save it with 8"),
        (png(6, 8, bytes(8 * (1 + 6 * 6)), 16), "has more than 8 bits a channel: save it with 8"),
        (FRAMES, "has 2 frames: it must be one picture"),
    ],
)
def test_pictures_that_cannot_be_used(tmp_path: Path, content: bytes, problem: str) -> None:
    folders(tmp_path, cat__0_png=picture(), cat__1_png=content)
    assert refusal(IMAGES, tmp_path).startswith(f"{tmp_path / 'cat' / '1.png'}: {problem}")


def test_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(IMAGES, tmp_path) == f"{tmp_path}: has no pictures: they lie in folders named cat or dog"
    (tmp_path / "loose.png").write_bytes(encoded(picture()))
    assert refusal(IMAGES, tmp_path).startswith(f"{tmp_path / 'loose.png'}: is not a folder of a class")
    (tmp_path / "loose.png").unlink()
    folders(tmp_path, cats__1_png=picture())
    assert refusal(IMAGES, tmp_path) == (
        f'{tmp_path / "cats"}: "cats" is not a class of the task: it must be cat or dog'
    )
    (tmp_path / "cats").rename(tmp_path / "cat")
    (tmp_path / "cat" / "deeper").mkdir()
    assert refusal(IMAGES, tmp_path).startswith(f"{tmp_path / 'cat' / 'deeper'}: is not a file")
    (tmp_path / "cat" / "deeper").rmdir()
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    assert refusal(IMAGES, tmp_path).startswith(f"{tmp_path / 'cat' / 'pipe.png'}: is not a file")
    (tmp_path / "cat" / "pipe.png").unlink()
    monkeypatch.setattr(own_images, "MAX_IMAGE_BYTES", 20)
    assert refusal(IMAGES, tmp_path).endswith("bytes: a picture may have at most 20")
