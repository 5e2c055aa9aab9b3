"""What the database keeps, and removing the rest.

States: the stale index names every tree node and history entry with the version since which no state reads it. A
state is read at versions from the oldest kept one on, so an entry may go when that is at or above its
`since`. The index is walked in its order, oldest first: a deletion's own entry goes after all that it hides
(schema.STALE_TOMBSTONE).

Blocks: bodies and events go with the block. Its header, its hash and its justification go once neither its body
nor its state is kept, and those of its whole epoch: whoever starts from a checkpoint asks for the headers back to the
one that opened its epoch. Block 0 and the blocks that closed an epoch keep theirs for ever, for they lead a light
client from the genesis header to the newest validator set. That is one block a round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plyvel  # type: ignore[import-untyped]

from node.storage import schema
from node.storage.entries import open_range
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Block, Header
from runtime.blocks import ExecutedBlock

ARCHIVE = "archive"

_LEAST = 2_000
"""Entries of each kind that go after any commit, if there are so many."""
_OF_A_BLOCK = 3
"""What a block leaves beside its extrinsics and its state: body, events, header."""


@dataclass(frozen=True)
class Pruning:
    """Of how many last final blocks states and bodies are kept; None keeps all. Raise ValueError below 1."""

    states: int | None = None
    blocks: int | None = None

    def __post_init__(self) -> None:
        for name, keep in (("states", self.states), ("blocks", self.blocks)):
            if keep is not None and not 1 <= keep < 2**63:
                raise ValueError(f"pruning: {name} is {keep}, it may be 1 or more")

    @classmethod
    def both(cls, keep: int | None) -> Pruning:
        """Keep as many states as bodies."""
        return cls(keep, keep)

    @classmethod
    def decode(cls, data: bytes) -> Pruning:
        """Return what `encode` made: 0 stands for all."""
        states, blocks = schema.number_of(data[: schema.U64]), schema.number_of(data[schema.U64 :])
        return cls(states or None, blocks or None)

    def encode(self) -> bytes:
        """Return u64 states, u64 blocks."""
        return schema.u64(self.states or 0) + schema.u64(self.blocks or 0)

    def oldest(self, final: int) -> Oldest:
        """Return what is to be kept when `final` is the last final block."""
        return Oldest(
            *(0 if keep is None else max(0, final - keep + 1) for keep in (self.states, self.blocks))
        )

    def __str__(self) -> str:
        return f"states {self.states or ARCHIVE}, blocks {self.blocks or ARCHIVE}"


@dataclass(frozen=True)
class Oldest:
    """The oldest blocks whose state and whose body are kept."""

    state: int
    body: int


def allowance(blocks: Sequence[ExecutedBlock]) -> int:
    """Return how many entries of each kind to remove after a commit of these blocks.

    It is twice what they leave to be removed one day, so the most that waits is what the last blocks left, and
    a backlog (of a node that has kept more so far) shrinks the faster the more blocks there are.
    """
    left = sum(
        len(block.tree.stale) + 2 * len(block.changes) + len(block.block.extrinsics) + _OF_A_BLOCK
        for block in blocks
    )
    return _LEAST + 2 * left


def prune(db: plyvel.DB, oldest: Oldest, max_entries: int) -> int:
    """Remove what lies before `oldest`; return how many entries that were.

    About `max_entries` are of the states at most, as many of the bodies, and of the headers: bodies need not wait
    until no states are left to go. A header stays as long as its body. It need not be synced: the index stays until
    what it names is gone.
    """
    with db.write_batch(transaction=True) as batch:
        batch.put(schema.META_OLDEST_STATE, schema.u64(oldest.state))
        removed = _prune_state(db, batch, oldest.state, max_entries)
        bodies, body = _prune_bodies(db, batch, oldest.body, max_entries)
        headers = _prune_headers(db, batch, min(oldest.state, body), max_entries)
        return removed + bodies + headers


def _prune_state(db: plyvel.DB, batch: Any, oldest: int, max_entries: int) -> int:
    removed = 0
    with open_range(db, schema.STALE, schema.STALE + schema.u64(oldest + 1)) as entries:
        for key, value in entries:
            if removed >= max_entries:
                break
            for target in schema.stale_targets(key, value):
                batch.delete(target)
                removed += 1
            batch.delete(key)
    return removed


def _prune_bodies(db: plyvel.DB, batch: Any, oldest: int, max_entries: int) -> tuple[int, int]:
    """Return how many entries were removed, and the oldest block that keeps its body now."""
    number = schema.number_of(db.get(schema.META_OLDEST_BODY, schema.u64(0)))
    removed = 0
    while number < oldest and removed < max_entries:
        body = db.get(schema.BODY + schema.u64(number), verify_checksums=True)
        for data in Block.FromString(body).extrinsics if body else ():
            batch.delete(schema.EXTRINSIC + extrinsic_hash(data))
            removed += 1
        batch.delete(schema.BODY + schema.u64(number))
        batch.delete(schema.EVENTS + schema.u64(number))
        removed += 2
        number += 1
    batch.put(schema.META_OLDEST_BODY, schema.u64(number))
    return removed, number


def _prune_headers(db: plyvel.DB, batch: Any, oldest: int, max_entries: int) -> int:
    """Remove the headers of the epochs that were over before `oldest`, but for those that closed one."""
    if oldest == 0:
        return 0
    number = schema.number_of(db.get(schema.META_OLDEST_HEADER, schema.u64(1)))
    opener = _opener(db, number, oldest)
    stop = min(opener, number + max_entries)
    for at in range(number, stop):
        header = _header(db, at)
        if header is not None and not header.HasField("next_epoch"):
            key = schema.u64(at)
            batch.delete(schema.NUMBER + db.get(schema.HASH + key, verify_checksums=True))
            for prefix in (schema.HEADER, schema.HASH, schema.JUSTIFICATION):
                batch.delete(prefix + key)
    if stop > number:
        batch.put(schema.META_OLDEST_HEADER, schema.u64(stop))
    return max(0, stop - number)


def _opener(db: plyvel.DB, first: int, oldest: int) -> int:
    """Return the block that opened the epoch of block `oldest`; `first` when that is not above it."""
    block, known = _header(db, oldest), _header(db, first)
    epoch = 0 if block is None else block.epoch
    if known is not None and (known.epoch == epoch or known.next_epoch.epoch == epoch):
        return first
    # Epochs never fall, and headers are missing at the beginning alone.
    low, high = first, oldest
    while low < high:
        middle = (low + high) // 2
        found = _header(db, middle)
        if found is not None and found.epoch >= epoch:
            high = middle
        else:
            low = middle + 1
    return max(low - 1, first)


def _header(db: plyvel.DB, number: int) -> Header | None:
    data = db.get(schema.HEADER + schema.u64(number), verify_checksums=True)
    return None if data is None else Header.FromString(data)
