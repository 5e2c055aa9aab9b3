"""What a peer may take of this node's time: who floods it gets a share, and the rest of the node goes on.

*Strangers* are all connections but those that proved an account of the current validator set. What strangers send is
handled one frame at a time, in turn, and each turn is followed by a pause as long as it took: all strangers
together get at most half of this node's time, agreement the other half, whatever they send and however many they
are. Nothing is dropped for it: a stranger's stream is read later, and the sender waits.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

import trio

_WORTH_A_PAUSE_S = 0.005


class Turns:
    """Hands out turns, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = trio.Lock()
        self._owed_s = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and pay for what was done in it."""
        async with self._lock:
            started = time.perf_counter()
            try:
                yield
            finally:
                self._owed_s += time.perf_counter() - started
            if self._owed_s > _WORTH_A_PAUSE_S:
                pause_s, self._owed_s = self._owed_s, 0.0
                await trio.sleep(pause_s)


class Rates:
    """A token bucket each for the `capacity` senders seen last: `burst` at once, `per_second` in the long run."""

    def __init__(self, per_second: float, burst: float, capacity: int, now: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._capacity = capacity
        self._now = now
        # sender -> (tokens, when), the one heard of longest ago first.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, sender: Hashable) -> bool:
        """Take one token of a sender; False when it has none left."""
        tokens, now = self._refilled(sender)
        self._keep(sender, tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    def wait_s(self, sender: Hashable) -> float:
        """Take one token of a sender, on credit if it has none left; return how long to wait before using it."""
        tokens, now = self._refilled(sender)
        self._keep(sender, tokens - 1, now)
        return max(0.0, (1 - tokens) / self._per_second)

    def _refilled(self, sender: Hashable) -> tuple[float, float]:
        now = self._now()
        tokens, since = self._buckets.pop(sender, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._per_second), now

    def _keep(self, sender: Hashable, tokens: float, now: float) -> None:
        self._buckets[sender] = (tokens, now)
        # Who is forgotten starts anew: the bound on memory is worth that.
        while len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
