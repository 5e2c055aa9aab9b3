"""The task that gives the disk what pruning freed."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from node.disk_room import keep_compact
from node.storage.errors import StorageError


class Database:
    """Counts compactions, each after there was nothing to prune; fails at the one of that number."""

    def __init__(self, fails_at: int = 0) -> None:
        self.compactions = 0
        self.pruned = 0
        self._fails_at = fails_at

    def prune_all(self, between: Any) -> None:
        between()
        self.pruned += 1

    def compact(self, between: Any) -> bool:
        between()
        self.compactions += 1
        assert self.pruned == self.compactions
        if self.compactions == self._fails_at:
            raise StorageError("the disk is gone")
        return True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.disk_room.POLL_S", 0)


async def test_it_looks_again_and_again_until_it_is_told_to_stop() -> None:
    third = trio.Event()
    token = trio.lowlevel.current_trio_token()

    class Counting(Database):
        def compact(self, between: Any) -> bool:
            if self.compactions == 2:
                token.run_sync_soon(third.set)
            return super().compact(between)

    database: Any = Counting()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_compact, database)
        await third.wait()
        nursery.cancel_scope.cancel()
    assert database.compactions >= 2


async def test_a_failure_of_the_disk_is_told_by_the_watch_alone() -> None:
    database: Any = Database(fails_at=2)
    await keep_compact(database)
    assert database.compactions == 2


@pytest.mark.parametrize("work", ["prune_all", "compact"])
async def test_a_node_that_stops_ends_the_work_between_two_slices(work: str) -> None:
    slices = 0
    began = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def endless(between: Any) -> None:
        nonlocal slices
        while True:
            between()
            slices += 1
            token.run_sync_soon(began.set)

    database: Any = Database()
    setattr(database, work, endless)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_compact, database)
        await began.wait()
        nursery.cancel_scope.cancel()
    assert slices
