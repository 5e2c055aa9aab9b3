"""What was seen lately, bounded in number and in time."""

from __future__ import annotations

from collections.abc import Callable


class SeenCache:
    """A set of hashes that forgets: the oldest beyond `capacity`, and each `keep_s` seconds after it came."""

    def __init__(self, capacity: int, keep_s: float, now: Callable[[], float]) -> None:
        self._capacity = capacity
        self._keep_s = keep_s
        self._now = now
        self._added: dict[bytes, float] = {}

    def add(self, item: bytes) -> bool:
        """Remember an item. Return True when it is new."""
        now = self._now()
        if item in self:
            return False
        self._added.pop(item, None)
        self._added[item] = now
        if len(self._added) > self._capacity:
            del self._added[next(iter(self._added))]
        return True

    def __contains__(self, item: bytes) -> bool:
        added = self._added.get(item)
        return added is not None and added + self._keep_s > self._now()
