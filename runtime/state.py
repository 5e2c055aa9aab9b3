"""Key-value state as the runtime sees it: something to read, and overlays that collect changes.

A read-only state is anything with `get` and an ordered `iterate`. A block executes on an `Overlay`, whose
`changes` are all that execution did to the state. Overlays stack: a block that is not final yet is one overlay
on its parent's, and inside a block `begin`/`commit`/`rollback` make a call transactional.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Protocol

Changes = dict[bytes, bytes | None]
"""What to write: key -> value, or None for a key to delete."""


class ReadState(Protocol):
    """A state that can be read."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""

    def iterate(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of the keys that start with `prefix` and are above `after`, ascending."""


class MemoryState:
    """A state held in a dictionary: genesis, tests, tools."""

    def __init__(self, entries: Mapping[bytes, bytes] | None = None) -> None:
        self.entries = dict(entries or {})

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def iterate(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(key for key in self.entries if key.startswith(prefix) and key > after):
            yield key, self.entries[key]

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Write `changes` into this state."""
        for key, value in changes.items():
            if value is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = value


class Overlay:
    """Changes on top of a state that is left as it was.

    `changes` holds the net writes. Between `begin` and `commit` or `rollback` (which nest) the writes can be undone.
    `before` holds what was read of the parent, which is asked once for each key.
    """

    def __init__(self, parent: ReadState) -> None:
        self.parent = parent
        self.changes: Changes = {}
        self.before: dict[bytes, bytes | None] = {}
        # One undo record an open transaction: key -> (was in changes, value then).
        self._undo: list[dict[bytes, tuple[bool, bytes | None]]] = []

    def get(self, key: bytes) -> bytes | None:
        if key in self.changes:
            return self.changes[key]
        if key in self.before:
            return self.before[key]
        value = self.before[key] = self.parent.get(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key` to `value`."""
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        """Remove `key`."""
        self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        if self._undo and key not in self._undo[-1]:
            self._undo[-1][key] = (key in self.changes, self.changes.get(key))
        self.changes[key] = value

    def begin(self) -> None:
        """Open a transaction."""
        self._undo.append({})

    def commit(self) -> None:
        """Keep what was written since the matching `begin`."""
        record = self._undo.pop()
        if self._undo:
            outer = self._undo[-1]
            for key, before in record.items():
                outer.setdefault(key, before)

    def rollback(self) -> None:
        """Undo what was written since the matching `begin`."""
        for key, (present, value) in self._undo.pop().items():
            if present:
                self.changes[key] = value
            else:
                self.changes.pop(key, None)

    def iterate(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        # A copy of the own keys: the caller may write while it iterates.
        own = sorted(key for key in self.changes if key.startswith(prefix))
        position = bisect_right(own, after)
        snapshot = {key: self.changes[key] for key in own}
        for key, value in self.parent.iterate(prefix, after):
            while position < len(own) and own[position] < key:
                changed = snapshot[own[position]]
                if changed is not None:
                    yield own[position], changed
                position += 1
            if position < len(own) and own[position] == key:
                changed = snapshot[key]
                if changed is not None:
                    yield key, changed
                position += 1
            else:
                yield key, value
        for key in own[position:]:
            changed = snapshot[key]
            if changed is not None:
                yield key, changed
