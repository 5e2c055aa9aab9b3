"""Waking streams when a block becomes final.

A stream keeps no queue: it remembers the last final number it has dealt with and waits for a higher one, so a
slow reader costs nothing, and one that wants only the newest skips what it missed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import grpc

from node.rpc.errors import stopping


class FinalFeed:
    """The newest final number, to wait for. `advance` and `close` are called by the node, the rest by streams."""

    def __init__(self, number: int) -> None:
        self._condition = threading.Condition()
        self._number = number
        self._closed = False

    @property
    def number(self) -> int:
        """The newest final number."""
        with self._condition:
            return self._number

    def advance(self, number: int) -> None:
        """Note that the block of this number is final."""
        with self._condition:
            self._number = max(self._number, number)
            self._condition.notify_all()

    def close(self) -> None:
        """End every wait, now and later: the node is stopping."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def watch(self, context: grpc.ServicerContext) -> Callable[[int], int | None]:
        """Return a function for one stream: it waits until the newest final number is above the one given and
        returns it, or None when the client has gone. It raises RpcFault (UNAVAILABLE) when the node stops.
        """

        def wake() -> None:
            with self._condition:
                self._condition.notify_all()

        context.add_callback(wake)

        def wait_above(number: int) -> int | None:
            with self._condition:
                while self._number <= number and not self._closed and context.is_active():
                    self._condition.wait()
                if self._closed:
                    raise stopping()
                return self._number if context.is_active() else None

        return wait_above
