"""The time of the block."""

from pallets.timestamp.pallet import Timestamp

__all__ = ["Timestamp"]
