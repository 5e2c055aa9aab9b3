"""The time of the block, in Unix milliseconds.

It is the header's timestamp, which the executive requires to be above the parent's. How far it may be ahead
of a validator's own clock is a matter of agreement, not of the state transition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.frame import U64, Pallet, StorageValue


class Timestamp(Pallet):
    """The time of the last block."""

    name = "timestamp"

    Now = StorageValue(U64, default=0, doc="Time of the last block, in Unix milliseconds.")

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take the genesis header's time."""
        self.Now.put(self.env.header.timestamp_ms)

    def on_initialize(self) -> int:
        """Take the header's time."""
        self.Now.put(self.env.header.timestamp_ms)
        return 0

    def now(self) -> int:
        """Return the time of the block being executed, or of the last block of the state looked at."""
        return self.Now.get()
