"""Parts of the transaction pool: one sender's transactions, the order of eviction, the order of inclusion."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolTransaction:
    """An extrinsic in the pool and what its last validation said."""

    hash: bytes
    data: bytes
    """The canonical Extrinsic."""
    signer: bytes
    nonce: int
    """The account nonce; for the operational class nothing depends on it."""
    operational: bool
    provides: bytes
    """What only one transaction can provide: (signer, nonce) or, operational, (round, kind, signer)."""
    priority: int
    """Higher goes first; for the normal class it grows with the tip."""
    valid_until: int
    """The last block number that may include it; 0 = no end."""
    future: bool
    """Whether it was ahead of the state when validated: its turn comes after others'."""
    sequence: int
    """Arrival number in this pool: of two equals the earlier one goes first."""


class SenderQueue:
    """The normal transactions of one sender, by nonce.

    One is ready when the state awaits its nonce, or when the one before it is ready too. `ready` is in the order
    of nonces.
    """

    __slots__ = ("entries", "ready", "ready_hashes", "tail_rank", "version")

    def __init__(self) -> None:
        self.entries: dict[int, PoolTransaction] = {}
        self.ready: list[PoolTransaction] = []
        self.ready_hashes: set[bytes] = set()
        self.tail_rank: tuple[bool, int, int] = (False, 0, 0)
        self.version = 0

    @property
    def tail(self) -> PoolTransaction:
        """The transaction with the highest nonce: the only one whose removal strands no other."""
        return self.entries[max(self.entries)]

    def refresh(self) -> None:
        """Recompute what follows from `entries`, which must not be empty."""
        ready: list[PoolTransaction] = []
        for nonce in sorted(self.entries):
            entry = self.entries[nonce]
            if not entry.future or (ready and ready[-1].nonce == nonce - 1):
                ready.append(entry)
        self.ready = ready
        self.ready_hashes = {entry.hash for entry in ready}
        tail = self.tail
        # Nothing is included before its predecessors: the tail is worth as little as the least of them.
        worth = min(entry.priority for entry in self.entries.values())
        self.tail_rank = (tail.hash in self.ready_hashes, worth, -tail.sequence)

    def extend(self, entry: PoolTransaction) -> bool:
        """Make the newest of `entries` the last ready one, if all are ready and it follows them; tell whether.

        The same as `refresh` then, at a cost that does not grow with the queue.
        """
        ready = self.ready
        if len(ready) != len(self.entries) - 1 or (
            entry.nonce != ready[-1].nonce + 1 if ready else entry.future
        ):
            return False
        worth = min(entry.priority, self.tail_rank[1]) if ready else entry.priority
        ready.append(entry)
        self.ready_hashes.add(entry.hash)
        self.tail_rank = (True, worth, -entry.sequence)
        return True


class EvictionOrder:
    """Finds the sender whose tail is worth least: future before ready, then low priority, then late arrival.

    A heap with lazy deletion: every change of a queue pushes its new rank, and a rank of another version than
    the queue's is an old one.
    """

    def __init__(self, queues: dict[bytes, SenderQueue]) -> None:
        self._queues = queues
        self._heap: list[tuple[tuple[bool, int, int], bytes, int]] = []
        # Counted here, not in the queue: a sender's queue comes and goes.
        self._version = 0

    def push(self, signer: bytes) -> None:
        """Note the rank of that sender's queue after a change."""
        queue = self._queues[signer]
        self._version += 1
        queue.version = self._version
        heapq.heappush(self._heap, (queue.tail_rank, signer, queue.version))
        if len(self._heap) > 64 + 4 * len(self._queues):
            self._heap = [(other.tail_rank, name, other.version) for name, other in self._queues.items()]
            heapq.heapify(self._heap)

    def worst(self) -> PoolTransaction:
        """Return the transaction to evict next; there must be one."""
        while True:
            _, signer, version = self._heap[0]
            queue = self._queues.get(signer)
            if queue is not None and queue.version == version:
                return queue.tail
            heapq.heappop(self._heap)


class ReadyIterator(Iterator[PoolTransaction]):
    """Transactions in the best order for a block: operational by arrival, normal by priority and arrival.

    A sender's transactions come in the order of their nonces. The iterator shows the pool as it was when the
    iterator was made.
    """

    def __init__(
        self,
        operational: Iterable[PoolTransaction],
        runs: Iterable[tuple[PoolTransaction, ...]],
        exclude: Container[bytes],
    ) -> None:
        self._operational = iter([entry for entry in operational if entry.hash not in exclude])
        self._exclude = exclude
        self._heads: list[tuple[int, int, int, tuple[PoolTransaction, ...]]] = []
        self._last: tuple[int, tuple[PoolTransaction, ...]] | None = None
        for run in runs:
            self._push(run, 0)

    def __next__(self) -> PoolTransaction:
        for entry in self._operational:
            return entry
        if self._last is not None:
            position, run = self._last
            self._last = None
            self._push(run, position + 1)
        if not self._heads:
            raise StopIteration
        _, _, position, run = heapq.heappop(self._heads)
        self._last = (position, run)
        return run[position]

    def skip(self) -> None:
        """Say that the last one was not included: its sender's later ones, which depend on it, are left out.

        Not to be called for one that is stale (already included): its successors are next then.
        """
        self._last = None

    def _push(self, run: tuple[PoolTransaction, ...], position: int) -> None:
        while position < len(run) and run[position].hash in self._exclude:
            position += 1
        if position < len(run):
            entry = run[position]
            heapq.heappush(self._heads, (-entry.priority, entry.sequence, position, run))
