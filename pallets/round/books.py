"""What try_state of the pallets with books asks of all of them: entries only of rounds that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runtime.frame import StorageItem

if TYPE_CHECKING:
    from pallets.round.pallet import Round


def kept_rounds(rounds: Round) -> list[int]:
    """Return the rounds whose books are in the state, oldest first."""
    return [number for number, _ in rounds.Miners.items()]


def check_only_kept(rounds: Round, *items: StorageItem) -> None:
    """Raise AssertionError when an item, whose first key is a round, has an entry of a round not kept."""
    kept = set(kept_rounds(rounds))
    for item in items:
        for number in _rounds_of(rounds, item):
            assert number in kept, f"{item.pallet}.{item.name} holds round {number}, which is not kept"


def _rounds_of(rounds: Round, item: StorageItem) -> Iterator[int]:
    start = len(item.prefix)
    for key, _ in rounds.env.state.iterate(item.prefix):
        yield int.from_bytes(key[start : start + 8], "big")
