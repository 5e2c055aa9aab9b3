"""Reading the state after one final block, whatever is committed meanwhile.

A flat value carries the version that wrote it, so it is the value at version v exactly when it is there and
its version is at most v. Otherwise the key was written or deleted after v, or never was there: then the
newest history entry up to v decides. That needs no lock and no snapshot:
- `newest_version` is raised before a commit writes anything. If it still is v after a look at the flat
  values, no later commit had begun at that look, and the flat values were those of v.
- `oldest_state` is raised before pruning removes anything. If it is still at most v after a look, nothing of
  v was missing at that look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import plyvel  # type: ignore[import-untyped]

from node.storage import schema
from node.storage.entries import Entries, open_range
from node.storage.errors import FAILURES, StatePruned, StorageError


class _Owner(Protocol):
    """What a reader needs of the database."""

    db: plyvel.DB
    newest_version: int
    oldest_state: int

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a full key."""

    def get_node(self, key: bytes) -> bytes | None:
        """Return the node of the state tree under `key`."""

    def failure(self, what: str, error: BaseException) -> StorageError:
        """Return the error to raise for a failure of LevelDB."""


class StateReader:
    """The state after block `version`, and its tree: a runtime.blocks.VersionedState."""

    def __init__(self, owner: _Owner, version: int) -> None:
        self._owner = owner
        self.version = version

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        flat = self._owner.get(schema.FLAT + key)
        if flat is not None:
            if schema.number_of(flat[: schema.U64]) <= self.version:
                return flat[schema.U64 :]
        elif self._owner.newest_version == self.version:
            return None
        start = schema.history_start(key)
        first, last = start + schema.inverted(self.version), start + schema.inverted(0)
        with self._range(first, last, include_stop=True) as entries:
            data = next(entries, (b"", schema.TOMBSTONE))[1]
        self.require_kept()
        return None if data == schema.TOMBSTONE else data[1:]

    def iterate(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of the keys that start with `prefix` and are above `after`, ascending."""
        # A key and a zero: the first one above that key.
        start = schema.FLAT + (after + b"\0" if after and after >= prefix else prefix)
        with self._range(start, schema.end_of(schema.FLAT + prefix)) as entries:
            if self._owner.newest_version == self.version:
                for key, data in entries:
                    yield key[len(schema.FLAT) :], data[schema.U64 :]
                return
        yield from self._iterate_history(prefix, after)

    def _iterate_history(self, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        start = schema.HISTORY + schema.escape(prefix)
        if after and after >= prefix:
            start = schema.history_end(after)
        with self._range(start, schema.end_of(schema.HISTORY + schema.escape(prefix))) as entries:
            self.require_kept()
            entry = next(entries, None)
            while entry is not None:
                key, version = schema.history_parts(entry[0])
                if version > self.version:
                    entries.seek(schema.history_key(key, self.version))
                else:
                    if entry[1] != schema.TOMBSTONE:
                        yield key, entry[1][1:]
                    entries.seek(schema.history_end(key))
                entry = next(entries, None)

    def get_node(self, key: bytes) -> bytes | None:
        """Return the tree node under `key`, or None."""
        node = self._owner.get_node(key)
        if node is None:
            self.require_kept()
        return node

    def require_kept(self) -> None:
        """Raise StatePruned when this version's state is not kept any more."""
        oldest = self._owner.oldest_state
        if self.version < oldest:
            raise StatePruned(f"the state after block {self.version} is pruned: the oldest kept is {oldest}")

    @contextmanager
    def _range(self, start: bytes, stop: bytes, *, include_stop: bool = False) -> Iterator[Entries]:
        """Give a range of the database as it is now."""
        try:
            with open_range(self._owner.db, start, stop, include_stop=include_stop) as entries:
                yield entries
        except FAILURES as error:
            raise self._owner.failure("cannot be read", error) from error
