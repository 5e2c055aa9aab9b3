"""A disk that refuses ends the node, wherever that was noticed.

The error of a failed read or write often ends up where it must not end the node: in the session of a peer, in the
call of a client, in the worker's. So storage and blob store tell this watch of every failure as well, from
whatever thread, and its task, an essential one, ends the node with the first of them.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from node.errors import PoclError


class DiskWatch:
    """Waits for the first failure. Made on the trio thread."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._noticed = trio.Event()
        self._failures: list[PoclError] = []

    def tell(self, failure: PoclError) -> None:
        """Take in a failure; from any thread."""
        self._failures.append(failure)
        with suppress(trio.RunFinishedError):  # The node has ended already.
            self._token.run_sync_soon(self._noticed.set)

    async def run(self) -> None:
        """Wait until cancelled, or raise the first failure."""
        await self._noticed.wait()
        raise self._failures[0]
