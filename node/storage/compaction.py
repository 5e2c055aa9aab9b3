"""Giving the disk the room that pruning freed.

LevelDB only marks what is deleted, and drops it when a file is merged with older ones, which may be long after where
keys only grow: tree nodes begin with their version. So where pruning has freed much, the ranges that it works in
are compacted by hand, a slice at a time: no slice must keep a node that stops waiting for long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import plyvel  # type: ignore[import-untyped]

from node.storage import schema

_ENTRY_BYTES = 150
"""What an entry takes, with its index entry: about."""

_LEAST_BYTES = 16 * 2**20
_PART = 4
"""Compaction reads and writes all that is kept: it is due when a quarter as much was freed."""

_SLICES = 16


def is_due(db: plyvel.DB, freed_entries: int) -> bool:
    """Tell whether so many removed entries are worth a compaction."""
    freed = freed_entries * _ENTRY_BYTES
    return freed > _LEAST_BYTES and freed * _PART > db.approximate_size(b"\0", b"\xff")


def compact(db: plyvel.DB, final: int, between: Callable[[], object] = lambda: None) -> None:
    """Compact what pruning works in, in a database with blocks up to `final`; call `between` before each slice."""
    for start, stop in slices(final):
        between()
        db.compact_range(start=start, stop=stop)


def slices(final: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ranges of keys, one after the other, of a database with blocks up to `final`."""
    for prefix in (
        schema.STALE,
        schema.BODY,
        schema.EVENTS,
        schema.HEADER,
        schema.HASH,
        schema.JUSTIFICATION,
    ):
        yield prefix, prefix + schema.u64(final + 1)
    for prefix in (schema.EXTRINSIC, schema.NUMBER):
        yield from _split(prefix, [bytes((256 * place // _SLICES,)) for place in range(_SLICES)])
    step = final // _SLICES + 1
    yield from _split(schema.NODE, [schema.u64(version) for version in range(0, final + 1, step)])
    yield schema.HISTORY, schema.end_of(schema.HISTORY)


def _split(prefix: bytes, places: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    bounds = [prefix + place for place in places] + [schema.end_of(prefix)]
    yield from pairwise(bounds)
