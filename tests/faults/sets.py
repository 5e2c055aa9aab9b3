"""The validator sets of the epochs, as the chain's closing blocks announce them.

A signer's index in votes and certificates is its place in the set of their epoch: sets change when validators are
put out and come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pocl.v1.block_pb2 import Header


@dataclass(frozen=True)
class Situation:
    """How the network is; nodes by their names."""

    nodes: tuple[str, ...]
    members: frozenset[str]
    """Who is in the validator set in force."""
    abstaining: frozenset[str]
    """Who has no log, or does not vote yet since it lost it; in the set or not."""


class Sets:
    """Every set seen so far. Threads may share it."""

    def __init__(self, genesis: Header) -> None:
        self._members: dict[int, tuple[bytes, ...]] = {}
        self.epoch = 0
        """The newest epoch whose set is known: that of the block after the last one seen."""
        self.add(genesis)

    def add(self, header: Header) -> None:
        """Take in a final block's header; only closing blocks say something new."""
        if header.HasField("next_epoch"):
            change = header.next_epoch
            self._members[change.epoch] = tuple(change.validators)
            self.epoch = max(self.epoch, change.epoch)

    @property
    def members(self) -> Sequence[bytes]:
        """The set in force, sorted by account."""
        return self._members[self.epoch]

    @property
    def smallest(self) -> int:
        """The size of the smallest set there was."""
        return min(map(len, self._members.values()))

    def removals(self) -> int:
        """Count how often a validator was put out of the set."""
        epochs = sorted(self._members)
        return sum(
            len(set(self._members[earlier]) - set(self._members[later]))
            for earlier, later in pairwise(epochs)
        )

    def known(self, epoch: int) -> bool:
        return epoch in self._members

    def account(self, epoch: int, index: int) -> bytes | None:
        """Return who has this index in that epoch; None when nobody has. Raise KeyError for an unknown epoch."""
        members = self._members[epoch]
        return members[index] if index < len(members) else None
