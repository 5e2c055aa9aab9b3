"""Removing what pruning has left over, and giving the disk the room that it freed, while the node runs."""

from __future__ import annotations

import time

import trio

from node.storage.database import Database
from node.storage.errors import StorageError

POLL_S = 60.0
"""How often it is looked whether there is anything to remove, or enough was freed to be worth a compaction."""

PAUSE_S = 0.02
"""Between two batches of removals: the chain's commits come first."""


async def keep_compact(database: Database) -> None:
    """Remove what the commits left over, and compact the database whenever that is worth it, on a thread of its
    own; end when the disk fails."""
    try:
        while True:
            await trio.sleep(POLL_S)
            await trio.to_thread.run_sync(_tidy, database)
    except StorageError:
        return  # The disk watch ends the node.


def _tidy(database: Database) -> None:
    database.prune_all(between=_pause)
    database.compact(between=trio.from_thread.check_cancelled)


def _pause() -> None:
    trio.from_thread.check_cancelled()
    time.sleep(PAUSE_S)
