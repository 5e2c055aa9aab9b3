"""What a node of the simulation keeps: a LevelDB in memory, a consensus log and blobs in files, private files.

Everything that writes passes *points*: "before" and "after" each write, and "torn" in the middle where a write is
not atomic. A disk that is armed cuts the power at one of the points to come (PowerCut): what was written stays,
the process is gone. Database, log and blob store above are the node's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from sortedcontainers import SortedDict  # type: ignore[import-untyped]

from node.blobs import BlobStore
from node.consensus.log import ConsensusLog
from node.storage.database import Database

_WRITES = ("the database", "the log", "the log anew", "a new log", "a blob", "a private file")

POINTS = (
    *(f"{when} {what}" for what in _WRITES for when in ("before", "after")),
    "torn log",
    "torn log anew",
)
"""All there are."""

_COMPACT_BYTES = 6_000
"""The log is written anew from this size on, so that it happens in a short run."""


class PowerCut(Exception):
    """The process ends here."""

    def __init__(self, point: str) -> None:
        super().__init__(point)
        self.point = point


class Disk:
    """One machine's disk."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder = folder
        self.random = random
        self.left: int | None = None
        """How many points from now the power goes; None: it stays."""
        self.at: str | None = None
        """The name of the point at which it goes."""
        self.wipe()

    def wipe(self) -> None:
        """Lose everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.db = MemoryLevelDB(self.point)
        self.files: dict[tuple[int, str], bytes] = {}

    def arm(self, points: int) -> None:
        """Cut the power at one of the next points."""
        self.left = points

    def point(self, name: str) -> None:
        """Pass a point. Raise PowerCut when it is the one."""
        if self.left is not None:
            self.left -= 1
        if name == self.at or self.left == 0:
            self.left = self.at = None
            raise PowerCut(name)

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Write something in the body."""
        self.point(f"before {what}")
        yield
        self.point(f"after {what}")

    @property
    def log_file(self) -> Path:
        """Where the consensus log is."""
        return self.folder / "log"

    def database(self, genesis_hash: bytes) -> Database:
        """Open the database."""
        return Database(self.db, self.folder, genesis_hash)

    def blobs(self) -> SimulatedBlobs:
        """Open the blob store."""
        return SimulatedBlobs(self)

    def keep(self, round: int, name: str, data: bytes) -> None:
        """Write a private file of a round."""
        with self.writing("a private file"):
            self.files[round, name] = data

    def kept(self, round: int, name: str) -> bytes | None:
        """Read it."""
        return self.files.get((round, name))


class SimulatedLog(ConsensusLog):
    """The node's log with the points of a disk, `disk`, set right after it was opened. A cut may tear a frame."""

    disk: Disk

    def _append(self, records: Sequence[bytes]) -> None:
        disk = self.disk
        with disk.writing("the log"):
            before = self._size
            super()._append(records)
            try:
                disk.point("torn log")
            except PowerCut:
                with open(self._path, "r+b") as file:
                    file.truncate(disk.random.randrange(before, self._size))
                raise

    def prune(self, epoch: int, view: int, keep_calls: int = 0) -> None:
        """Prune, and write anew what is still small."""
        super().prune(epoch, view, keep_calls)
        if self._size > max(_COMPACT_BYTES, 4 * sum(map(len, self._live_records()))):
            self._rewrite()

    def _rewrite(self) -> None:
        with self.disk.writing("the log anew"):
            try:
                self.disk.point("torn log anew")
            except PowerCut:
                self._path.with_name(self._path.name + ".new").write_bytes(b"half")
                raise
            super()._rewrite()


class SimulatedBlobs(BlobStore):
    """The node's blob store with the points of a disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.folder / "blobs")
        self._disk = disk

    def _write(self, file_name: str, data: bytes) -> None:
        with self._disk.writing("a blob"):
            super()._write(file_name, data)


class MemoryLevelDB:
    """As much of plyvel.DB as the node's storage uses."""

    def __init__(self, point: Callable[[str], None]) -> None:
        self.entries: SortedDict = SortedDict()
        self.writes = 0
        self._point = point

    def get(self, key: bytes, default: bytes | None = None, *, verify_checksums: bool = False) -> Any:
        return self.entries.get(key, default)

    def put(self, key: bytes, value: bytes) -> None:
        self.entries[key] = value
        self.writes += 1

    def delete(self, key: bytes) -> None:
        self.entries.pop(key, None)
        self.writes += 1

    def write_batch(self, *, sync: bool = False) -> _Batch:
        return _Batch(self, self._point)

    def raw_iterator(self, *, verify_checksums: bool = False) -> _Iterator:
        return _Iterator(self)

    def close(self) -> None:
        pass


class _Batch:
    """Written whole or not at all."""

    def __init__(self, db: MemoryLevelDB, point: Callable[[str], None]) -> None:
        self._db = db
        self._point = point
        self._changes: dict[bytes, bytes | None] = {}

    def put(self, key: bytes, value: bytes) -> None:
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        self._changes[key] = None

    def write(self) -> None:
        self._point("before the database")
        for key, value in self._changes.items():
            if value is None:
                self._db.delete(key)
            else:
                self._db.put(key, value)
        self._point("after the database")

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.write()


class _Iterator:
    """Walks the database up from where it was sent. LevelDB's does not see later writes: this one fails at them."""

    def __init__(self, db: MemoryLevelDB) -> None:
        self._db = db
        self._entries = db.entries
        self._writes = db.writes
        self._at = 0

    def __enter__(self) -> _Iterator:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def seek(self, key: bytes) -> None:
        self._at = self._entries.bisect_left(key)

    def next(self) -> None:
        self._at += 1

    def valid(self) -> bool:
        assert self._db.writes == self._writes, "the database was written to while somebody iterated over it"
        return self._at < len(self._entries)

    def key(self) -> bytes:
        key: bytes = self._entries.peekitem(self._at)[0]
        return key

    def value(self) -> bytes:
        value: bytes = self._entries.peekitem(self._at)[1]
        return value
