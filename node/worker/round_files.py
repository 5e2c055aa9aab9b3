"""The miner's private files of each round: `<home>/rounds/<round>/<name>`.

They hold what cannot be made again once it is committed to on chain, so a file is written whole or not at
all, and is on disk when `write` returns.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from node.durable import sync_path
from node.errors import PoclError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_ROUND = re.compile(r"[0-9]{1,20}")


class RoundFileError(PoclError):
    """A file cannot be written: the worker must end, for it would commit to what it cannot keep."""


class RoundFiles:
    """The files below one folder, which is made when it is first needed."""

    def __init__(self, home: Path) -> None:
        self._rounds = home / "rounds"

    def write(self, round: int, name: str, data: bytes) -> None:
        """Write a file, atomically and synced, in place of what it held before. Raise RoundFileError."""
        file = self._file(round, name)
        try:
            self._write(file, data)
        except OSError as error:
            raise RoundFileError(f"{file}: cannot be written: {error.strerror}") from None

    def read(self, round: int, name: str) -> bytes | None:
        """Return what was written, None when nothing was."""
        try:
            return self._file(round, name).read_bytes()
        except FileNotFoundError:
            return None

    def drop_before(self, round: int) -> None:
        """Remove the folders of all rounds before this one."""
        if not self._rounds.is_dir():
            return
        for folder in self._rounds.iterdir():
            if _ROUND.fullmatch(folder.name) and int(folder.name) < round:
                shutil.rmtree(folder)

    def _write(self, file: Path, data: bytes) -> None:
        if not file.parent.is_dir():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_path(self._rounds)
        unfinished = file.with_name(f".{file.name}.part")
        with open(unfinished, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
        sync_path(file.parent)

    def _file(self, round: int, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name of a round's file: letters, digits, dots, hyphens, at most 64"
            )
        return self._rounds / str(round) / name
