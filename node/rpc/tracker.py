"""Following transactions: from the pool through blocks to settlement.

    READY / FUTURE → INCLUDED (again after a fork) → FINALIZED → SETTLED or CANCELLED, for a transfer
                   ↘ DROPPED

Pool and chain tell the tracker what happens, on the trio thread; a watcher's statuses are read
by a gRPC thread. A transaction is tied to its settlement by the queue index in its TransferQueued event.
There is one tracker for all watchers, and it keeps nothing about transactions nobody watches.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeVar

import grpc

from node.chain import Chain
from node.pool import PoolEvent, PoolStatus, TransactionPool
from node.rpc.errors import stopping
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import EventRecord
from pocl.v1.coin_pb2 import CoinEvent
from pocl.v1.system_pb2 import SystemEvent
from pocl.v1.transactions_service_pb2 import TransactionStatus
from runtime.blocks import ExecutedBlock

K = TypeVar("K")

_MAX_PENDING = 64
"""Statuses a slow reader may have waiting; beyond, the oldest are left out. The last one is never lost."""

_POOL_KINDS = {
    PoolStatus.READY: TransactionStatus.READY,
    PoolStatus.FUTURE: TransactionStatus.FUTURE,
    PoolStatus.DROPPED: TransactionStatus.DROPPED,
}


class Watcher:
    """The statuses of one transaction for one stream. Written on the trio thread, read on a gRPC thread."""

    def __init__(self, hash: bytes) -> None:
        self.hash = hash
        self.index: int | None = None
        """Queue index of the transfer whose settlement is awaited."""
        self.block: bytes = b""
        """The block it was last seen in."""
        self._condition = threading.Condition()
        self._pending: deque[TransactionStatus] = deque(maxlen=_MAX_PENDING)
        self._ended = False
        self._closed = False

    def push(self, status: TransactionStatus, last: bool = False) -> None:
        """Add a status; `last` says that none will follow, and what comes later is ignored."""
        with self._condition:
            if not self._ended:
                self._pending.append(status)
                self._ended = last
                self._condition.notify_all()

    def close(self) -> None:
        """End the stream: the node is stopping."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def wake(self) -> None:
        """Let the reader look whether its client is still there."""
        with self._condition:
            self._condition.notify_all()

    def next(self, context: grpc.ServicerContext) -> TransactionStatus | None:
        """Return the next status, waiting for it; None after the last one or when the client has gone."""
        with self._condition:
            while not self._pending:
                if self._closed:
                    raise stopping()
                if self._ended or not context.is_active():
                    return None
                self._condition.wait()
            return self._pending.popleft()


class TransactionTracker:
    """See the module's docstring. It is made, and `catch_up` called, on the trio thread; the rest anywhere."""

    def __init__(self, chain: Chain, pool: TransactionPool) -> None:
        self._chain = chain
        self._pool = pool
        self._best = chain.best_hash
        self._lock = threading.RLock()
        self._by_hash: dict[bytes, list[Watcher]] = {}
        self._by_index: dict[int, list[Watcher]] = {}
        self._unsubscribe = (
            pool.subscribe(self._on_pool),
            chain.on_best(self._on_best),
            chain.on_final(self._on_final),
        )

    def __len__(self) -> int:
        """The number of streams that watch."""
        with self._lock:
            return sum(len(watchers) for watchers in self._by_hash.values())

    def close(self) -> None:
        """Stop listening and end every watcher's stream."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        with self._lock:
            for watchers in self._by_hash.values():
                for watcher in watchers:
                    watcher.close()

    def add(self, hash: bytes) -> Watcher:
        """Return a new watcher of a transaction, which sees everything from now on."""
        watcher = Watcher(hash)
        with self._lock:
            self._by_hash.setdefault(hash, []).append(watcher)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        with self._lock:
            _discard(self._by_hash, watcher.hash, watcher)
            if watcher.index is not None:
                _discard(self._by_index, watcher.index, watcher)

    def catch_up(self, watcher: Watcher) -> bool:
        """Push what is known of the transaction already; False when neither pool nor blocks know it."""
        location = self._chain.database.extrinsic_location(watcher.hash)
        if location is not None:
            number, position = location
            header = self._chain.database.header(number)
            events = self._chain.database.events(number)
            if header is None or events is None:
                return False
            hash = self._chain.database.hash(number)
            self._finalized(watcher, hash or b"", number, position, events)
            return True
        block = self._chain.executed(self._chain.best_hash)
        while block is not None:
            if self._included(block, [watcher]):
                return True
            block = self._chain.executed(block.header.parent_hash)
        status = self._pool.status(watcher.hash)
        if status is None:
            return False
        watcher.push(TransactionStatus(kind=_POOL_KINDS[status]))
        return True

    def _on_pool(self, event: PoolEvent) -> None:
        for watcher in self._watching(event.hash):
            status = TransactionStatus(kind=_POOL_KINDS[event.status], error=event.reason)
            watcher.push(status, last=event.status is PoolStatus.DROPPED)

    def _on_best(self, best: ExecutedBlock) -> None:
        """The best block may have moved by more than one, and to another branch."""
        previous, self._best = self._best, best.hash
        if not self._by_hash:
            return
        branch: list[ExecutedBlock] = []
        block: ExecutedBlock | None = best
        while block is not None and block.hash != previous:
            branch.append(block)
            block = self._chain.executed(block.header.parent_hash)
        with self._lock:
            watching = [watcher for watchers in self._by_hash.values() for watcher in watchers]
        for block in reversed(branch):
            self._included(block, watching)

    def _included(self, block: ExecutedBlock, watchers: Sequence[Watcher]) -> bool:
        """Tell those watchers whose transaction is in the block; return whether there was one."""
        positions = _positions(block)
        found = False
        for watcher in watchers:
            position = positions.get(watcher.hash)
            if position is None:
                continue
            found = True
            if watcher.block != block.hash:
                watcher.block = block.hash
                watcher.push(
                    status_in_block(
                        TransactionStatus.INCLUDED, block.hash, block.header.number, position, block.events
                    )
                )
        return found

    def _on_final(self, blocks: Sequence[ExecutedBlock]) -> None:
        for block in blocks:
            if self._by_hash:
                for hash, position in _positions(block).items():
                    for watcher in self._watching(hash):
                        # Of blocks that came final already, nobody told that they were included.
                        self._included(block, [watcher])
                        self._finalized(watcher, block.hash, block.header.number, position, block.events)
            if self._by_index:
                for status, index in settlements(block.hash, block.header.number, block.events):
                    with self._lock:
                        waiting = list(self._by_index.get(index, ()))
                    for watcher in waiting:
                        watcher.push(status, last=True)

    def _watching(self, hash: bytes) -> list[Watcher]:
        with self._lock:
            return list(self._by_hash.get(hash, ()))

    def _finalized(
        self, watcher: Watcher, hash: bytes, number: int, position: int, events: Iterable[EventRecord]
    ) -> None:
        status = status_in_block(TransactionStatus.FINALIZED, hash, number, position, events)
        index = next((_queued(event) for event in status.events if event.name == "TransferQueued"), None)
        if watcher.index is None and index is not None:
            with self._lock:
                watcher.index = index
                self._by_index.setdefault(index, []).append(watcher)
        watcher.push(status, last=index is None)


def settlements(
    hash: bytes, number: int, events: Iterable[EventRecord]
) -> list[tuple[TransactionStatus, int]]:
    """Return the SETTLED and CANCELLED statuses that a block's events tell of, each with its queue index."""
    found = []
    for event in events:
        if event.pallet != "coin" or event.name not in ("TransferSettled", "TransferCancelled"):
            continue
        status = TransactionStatus(block_hash=hash, block_number=number, events=[event])
        if event.name == "TransferSettled":
            settled = CoinEvent.TransferSettled.FromString(event.data)
            status.kind, status.round, index = TransactionStatus.SETTLED, settled.round, settled.index
        else:
            status.kind = TransactionStatus.CANCELLED
            index = CoinEvent.TransferCancelled.FromString(event.data).index
        found.append((status, index))
    return found


def status_in_block(
    kind: TransactionStatus.Kind,
    hash: bytes,
    number: int,
    position: int,
    events: Iterable[EventRecord],
) -> TransactionStatus:
    """Return the status of extrinsic number `position` of a block, with its own events of the block's."""
    own = [e for e in events if e.phase == EventRecord.APPLY_EXTRINSIC and e.extrinsic_index == position]
    status = TransactionStatus(
        kind=kind, block_hash=hash, block_number=number, extrinsic_index=position, events=own
    )
    for event in own:
        if event.pallet == "system" and event.name == "ExtrinsicFailed":
            failed = SystemEvent.ExtrinsicFailed.FromString(event.data)
            status.error = f"{failed.pallet}.{failed.error}"
    return status


def _queued(event: EventRecord) -> int:
    return CoinEvent.TransferQueued.FromString(event.data).index


def _positions(block: ExecutedBlock) -> dict[bytes, int]:
    return {extrinsic_hash(data): position for position, data in enumerate(block.block.extrinsics)}


def _discard(table: dict[K, list[Watcher]], key: K, watcher: Watcher) -> None:
    watchers = table.get(key, [])
    if watcher in watchers:
        watchers.remove(watcher)
        if not watchers:
            del table[key]
