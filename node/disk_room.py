"""Giving the disk the room that pruning freed, while the node runs."""

from __future__ import annotations

from functools import partial

import trio

from node.storage.database import Database
from node.storage.errors import StorageError

POLL_S = 60.0
"""How often it is looked whether pruning has freed enough to be worth a compaction."""


async def keep_compact(database: Database) -> None:
    """Compact the database whenever that is worth it, on a thread of its own; end when the disk fails."""
    compact = partial(database.compact, between=trio.from_thread.check_cancelled)
    try:
        while True:
            await trio.sleep(POLL_S)
            await trio.to_thread.run_sync(compact)
    except StorageError:
        return  # The disk watch ends the node.
