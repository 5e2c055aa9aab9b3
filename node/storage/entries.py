"""Ranges of keys, read so that damage is never taken for their end.

plyvel's own iterator ends wherever LevelDB's does, and looks at the status only while there is an entry: when a
damaged block has nothing readable behind it, the range just seems to be shorter. Its raw iterator looks at the
status after every step. So every range of the database is read through this module; single gets raise by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import plyvel  # type: ignore[import-untyped]


class Entries:
    """The entries from `start` up to `stop`, ascending, as they were when this was made.

    Each step raises plyvel.Error where LevelDB meets damage, checksums included.
    """

    def __init__(self, raw: Any, start: bytes, stop: bytes | None, include_stop: bool) -> None:
        self._raw = raw
        self._stop = stop
        self._include_stop = include_stop
        self._given = False
        raw.seek(start)

    def __iter__(self) -> Entries:
        return self

    def __next__(self) -> tuple[bytes, bytes]:
        # Not before the next one is wanted: most who look for one entry take no second.
        if self._given:
            self._raw.next()
            self._given = False
        if not self._raw.valid():
            raise StopIteration
        key: bytes = self._raw.key()
        if self._stop is not None and (key >= self._stop) and not (self._include_stop and key == self._stop):
            raise StopIteration
        self._given = True
        return key, self._raw.value()

    def seek(self, key: bytes) -> None:
        """Go on with the first entry at or above `key`."""
        self._given = False
        self._raw.seek(key)


@contextmanager
def open_range(
    db: plyvel.DB, start: bytes, stop: bytes | None, *, include_stop: bool = False
) -> Iterator[Entries]:
    """Give the entries from `start` on; without `stop` to the end of the database."""
    with db.raw_iterator(verify_checksums=True) as raw:
        yield Entries(raw, start, stop, include_stop)
