"""Errors of the storage, beside NodeStartError for a database that cannot be opened."""

from __future__ import annotations

import plyvel  # type: ignore[import-untyped]

from node.errors import PoclError

FAILURES = (plyvel.Error, RuntimeError)
"""What LevelDB raises: its own errors, and a RuntimeError when the database is closed."""


class StorageError(PoclError):
    """The database cannot be read or written: a full disk, a damaged file."""


class StatePruned(StorageError):
    """The state after that block is not kept any more."""


class UnknownState(StorageError):
    """There is no state after a block that is not final yet."""
