"""What can be wrong with a miner's data."""

from __future__ import annotations

from node.errors import PoclError


class DataError(PoclError):
    """A data set cannot be used: the message is one line that names the file or field and what to do."""
