"""Errors of the storage, beside NodeStartError for a database that cannot be opened."""

from __future__ import annotations

from pathlib import Path

import plyvel  # type: ignore[import-untyped]

from node.errors import PoclError

FAILURES = (plyvel.Error, RuntimeError)
"""What LevelDB raises: its own errors, and a RuntimeError when the database is closed."""


class StorageError(PoclError):
    """The database cannot be read or written: a full disk, a damaged file. The node must stop (`on_failure`)."""


def reason(error: BaseException) -> str:
    """Return what LevelDB says, which plyvel hands on as bytes."""
    told = error.args[0] if error.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(error)


def describe(path: Path, what: str, error: BaseException) -> str:
    """Return the one line about a failure of LevelDB: what could not be done, why, and what helps."""
    if isinstance(error, plyvel.CorruptionError):
        return (
            f"{path}: the database is damaged ({reason(error)}): restore a copy, or remove it and sync again"
        )
    return f"{path}: {what}: {reason(error)}"


class StatePruned(StorageError):
    """The state after that block is not kept any more."""


class UnknownState(StorageError):
    """There is no state after a block that is not final yet."""
