"""Removing what only pruned states need.

The stale index names every tree node and history entry with the version since which no state reads it. A
state is read at versions from the oldest kept one on, so an entry may go when that is at or above its
`since`. The index is walked in its order, oldest first: a deletion's own entry goes after all that it hides
(schema.STALE_TOMBSTONE).
"""

from __future__ import annotations

from typing import Any

import plyvel  # type: ignore[import-untyped]

from node.storage import schema
from node.storage.entries import open_range
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Block


def prune(db: plyvel.DB, oldest: int, max_entries: int) -> int:
    """Remove what no block from `oldest` on needs, about `max_entries` entries at most; return how many.

    It need not be synced: the index stays until what it names is gone.
    """
    with db.write_batch(transaction=True) as batch:
        batch.put(schema.META_OLDEST_STATE, schema.u64(oldest))
        removed = _prune_state(db, batch, oldest, max_entries)
        return removed + _prune_bodies(db, batch, oldest, max_entries - removed)


def _prune_state(db: plyvel.DB, batch: Any, oldest: int, max_entries: int) -> int:
    removed = 0
    with open_range(db, schema.STALE, schema.STALE + schema.u64(oldest + 1)) as entries:
        for key, _ in entries:
            if removed >= max_entries:
                break
            batch.delete(schema.stale_target(key))
            batch.delete(key)
            removed += 1
    return removed


def _prune_bodies(db: plyvel.DB, batch: Any, oldest: int, max_entries: int) -> int:
    number = schema.number_of(db.get(schema.META_OLDEST_BODY, schema.u64(0)))
    removed = 0
    while number < oldest and removed < max_entries:
        body = db.get(schema.BODY + schema.u64(number), verify_checksums=True)
        for data in Block.FromString(body).extrinsics if body else ():
            batch.delete(schema.EXTRINSIC + extrinsic_hash(data))
            removed += 1
        batch.delete(schema.BODY + schema.u64(number))
        batch.delete(schema.EVENTS + schema.u64(number))
        removed += 2
        number += 1
    batch.put(schema.META_OLDEST_BODY, schema.u64(number))
    return removed
