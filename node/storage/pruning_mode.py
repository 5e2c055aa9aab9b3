"""What to keep: what the operator asks for, held against what the database was kept under so far."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from node.errors import NodeStartError
from node.storage.database import Database
from node.storage.pruning import ARCHIVE, Pruning

log = logging.getLogger("pocl.storage")

Keep = int | str
"""A number of blocks, or ARCHIVE."""


@dataclass(frozen=True)
class PruningRequest:
    """What an operator asks for; None leaves it as the database has it, which begins as an archive."""

    states: Keep | None = None
    blocks: Keep | None = None

    @classmethod
    def both(cls, keep: Keep) -> PruningRequest:
        """Ask for as many states as bodies."""
        return cls(keep, keep)


def adopt(database: Database, request: PruningRequest) -> None:
    """Let the database keep what is asked for, from now on.

    Raise NodeStartError where an archive is asked for and blocks are gone: that takes a new database.
    """
    before = database.pruning
    wanted = Pruning(
        _resolve(database, "state", request.states, before.states),
        _resolve(database, "blocks", request.blocks, before.blocks),
    )
    if wanted == before:
        return
    if not database.empty and database.final()[0] > 0:
        log.warning("pruning: the database kept %s; from now on it keeps %s", before, wanted)
    database.set_pruning(wanted)


def _resolve(database: Database, what: str, asked: Keep | None, before: int | None) -> int | None:
    if asked is None:
        return before
    if isinstance(asked, int):
        return asked
    if before is not None:
        raise NodeStartError(
            f"{database.path}: is pruned (--{what}-pruning {before}): what is gone does not come back, so it cannot "
            f"become an {ARCHIVE}: keep --{what}-pruning {before}, or `pocl purge-chain` and sync again"
        )
    return None
