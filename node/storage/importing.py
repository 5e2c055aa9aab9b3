"""A database that begins with the state of a later block instead of block 0.

It grows in a folder of its own, beside the place of the node's database, part by part: each part's entries, what
they make of the state tree, and how far it has come are one synced batch. So after a crash it goes on with the
part that is missing. `finish` adds the block's header, those back to the one that opened its epoch, and why the
block is final; only then does the folder hold a database, and `install` moves it to its place. Whoever opens the
place of the database sees all of it or nothing.

What comes in is not checked here, but for the state's root at the end: node/checkpoint.py has proven it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import plyvel  # type: ignore[import-untyped]

from node.durable import sync_path
from node.storage import opening, schema
from node.storage.database import Database
from node.storage.errors import FAILURES, StorageError
from pocl.hashing import ZERO_HASH
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.proof_pb2 import StateRange
from runtime.blocks import header_hash
from runtime.codec import encode
from runtime.proof import PATH_BITS, key_path
from runtime.tree import extend, read_root


class StateImport:
    """The database that grows. Make one with `StateImport.open`."""

    def __init__(self, db: plyvel.DB, path: Path, number: int) -> None:
        self._db = db
        self._path = path
        self._number = number

    @classmethod
    def open(cls, path: Path, genesis_hash: bytes, number: int, hash: bytes) -> StateImport:
        """Begin, or go on with, the state after block `number`, whose hash is `hash`, in the folder `path`.

        What is there of another block is removed. Raise NodeStartError when the folder cannot be used.
        """
        wanted = schema.u64(number) + hash
        db = opening.open_database(path, genesis_hash)
        if db.get(schema.META_CHECKPOINT, wanted) != wanted:
            db.close()
            shutil.rmtree(path)
            db = opening.open_database(path, genesis_hash)
        db.put(schema.META_CHECKPOINT, wanted, sync=True)
        return cls(db, path, number)

    def close(self) -> None:
        """Close it; what was added is on disk."""
        self._db.close()

    @property
    def finished(self) -> bool:
        """Whether nothing is missing but to install it."""
        return self._db.get(schema.META_FINAL) is not None

    @property
    def next_path(self) -> bytes | None:
        """The path from which on entries are missing; None when none are."""
        return self._db.get(schema.META_NEXT_PATH, ZERO_HASH) or None

    def get_node(self, key: bytes) -> bytes | None:
        """Return the tree node stored under `key`, or None."""
        node: bytes | None = self._db.get(schema.NODE + key)
        return node

    def add(self, part: StateRange) -> None:
        """Add the entries from `next_path` on. Raise StorageError when the disk fails."""
        if part.start != self.next_path:
            raise ValueError(f"the entries from 0x{part.start.hex()} on are not those that are missing")
        version = schema.u64(self._number)
        entries = {entry.key: entry.value for entry in part.entries}
        tree = extend(self, self._number, entries, first=part.start == ZERO_HASH)
        try:
            with self._db.write_batch(sync=True) as batch:
                for key, value in entries.items():
                    batch.put(schema.FLAT + key, version + value)
                    batch.put(schema.history_key(key, self._number), schema.PRESENT + value)
                for key in tree.stale:
                    batch.delete(schema.NODE + key)
                for key, node in tree.nodes.items():
                    batch.put(schema.NODE + key, node)
                batch.put(schema.META_NEXT_PATH, b"" if part.last else path_after(part.entries[-1].key))
        except FAILURES as error:
            raise StorageError(f"{self._path}: cannot write state: {error}") from error

    def finish(self, genesis: Header, headers: Sequence[Header], justification: Justification) -> None:
        """Make it a database that ends with the last of the headers, which are in order and linked.

        Raise StorageError when the disk fails or the state is not the header's.
        """
        last = headers[-1]
        if self.next_path is not None or read_root(self, self._number) != last.state_root:
            raise StorageError(f"{self._path}: the state after block {last.number} is not whole")
        number = schema.u64(last.number)
        try:
            with self._db.write_batch(sync=True) as batch:
                for header in (genesis, *headers):
                    hash = header_hash(header)
                    batch.put(schema.HEADER + schema.u64(header.number), encode(header))
                    batch.put(schema.HASH + schema.u64(header.number), hash)
                    batch.put(schema.NUMBER + hash, schema.u64(header.number))
                batch.put(schema.JUSTIFICATION + number, encode(justification))
                batch.put(schema.META_OLDEST_STATE, number)
                batch.put(schema.META_OLDEST_BODY, schema.u64(last.number + 1))
                batch.put(schema.META_FINAL, number + header_hash(last))
        except FAILURES as error:
            raise StorageError(f"{self._path}: cannot write block {last.number}: {error}") from error

    def install(self, place: Path, genesis_hash: bytes) -> None:
        """Move the finished database to its place, where there may be one that has block 0 at most.

        Raise NodeStartError when a node uses that one, StorageError when it has more.
        """
        self.close()
        if place.exists():
            # Opened, so that it is known to be nobody's.
            present = Database.open(place, genesis_hash)
            height = -1 if present.empty else present.final()[0]
            present.close()
            if height > 0:
                raise StorageError(f"{place}: holds blocks up to {height}, which are not thrown away")
            shutil.rmtree(place)
        os.replace(self._path, place)
        sync_path(place.parent)


def path_after(key: bytes) -> bytes:
    """Return the first path behind that of a key; that of the last key of all has none and counts as the end."""
    return ((int.from_bytes(key_path(key), "big") + 1) % (1 << PATH_BITS)).to_bytes(PATH_BITS // 8, "big")
