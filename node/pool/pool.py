"""The pool itself; its rules are in the package's docstring."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Sequence

from node.pool.order import EvictionOrder, PoolTransaction, ReadyIterator, SenderQueue
from node.pool.types import (
    AlreadyInPool,
    PoolEvent,
    PoolFull,
    PoolLimits,
    PoolStats,
    PoolStatus,
    Underpriced,
    Validate,
)
from pocl.extrinsics import extrinsic_hash
from pocl.v1.extrinsic_pb2 import Extrinsic
from runtime.blocks import ExecutedBlock, extrinsics_of
from runtime.frame.errors import InvalidTransaction


class TransactionPool:
    """The transactions that wait for a block (rules in the package's docstring)."""

    def __init__(self, validate: Validate, limits: PoolLimits | None = None) -> None:
        self.limits = limits or PoolLimits()
        self._validate = validate
        self._transactions: dict[bytes, PoolTransaction] = {}
        self._queues: dict[bytes, SenderQueue] = {}
        self._eviction = EvictionOrder(self._queues)
        self._operational: dict[bytes, PoolTransaction] = {}
        self._bytes = 0
        self._operational_bytes = 0
        self._sequence = 0
        self._expiry: list[tuple[int, bytes]] = []
        # Insertion-ordered sets.
        self._unpropagated: dict[bytes, None] = {}
        self._verified: dict[bytes, None] = {}
        self._listeners: dict[object, Callable[[PoolEvent], None]] = {}
        # Since the last _emit: what to tell, and what was ready in each queue that changed.
        self._events: list[PoolEvent] = []
        self._before: dict[bytes, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._transactions)

    def __contains__(self, hash: object) -> bool:
        return hash in self._transactions

    @property
    def verified(self) -> Container[bytes]:
        """Hashes of extrinsics whose signatures were found valid, a bounded number of recent ones."""
        return self._verified

    @property
    def stats(self) -> PoolStats:
        """How many transactions and bytes wait."""
        ready = sum(len(queue.ready) for queue in self._queues.values())
        ready += sum(not entry.future for entry in self._operational.values())
        size = self._bytes + self._operational_bytes
        return PoolStats(ready=ready, future=len(self._transactions) - ready, bytes=size)

    def get(self, hash: bytes) -> PoolTransaction | None:
        """Return the transaction of that hash, if it is here."""
        return self._transactions.get(hash)

    def status(self, hash: bytes) -> PoolStatus | None:
        """Return READY or FUTURE for a transaction that is here, else None."""
        entry = self._transactions.get(hash)
        if entry is None:
            return None
        return PoolStatus.READY if self._is_ready(entry) else PoolStatus.FUTURE

    def next_nonce(self, signer: bytes, account_nonce: int) -> int:
        """Return the first nonce from `account_nonce` on for which the pool holds nothing of that signer."""
        queue = self._queues.get(signer)
        while queue is not None and account_nonce in queue.entries:
            account_nonce += 1
        return account_nonce

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on; return what ends that. A listener must not raise."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def submit(self, data: bytes) -> PoolTransaction:
        """Validate an extrinsic and take it in.

        Raise InvalidTransaction when the state refuses it; PoolFull, Underpriced or AlreadyInPool when the
        pool does.
        """
        if len(data) > self.limits.max_extrinsic_bytes:
            raise PoolFull(
                f"{len(data)} bytes: an extrinsic here has at most {self.limits.max_extrinsic_bytes}"
            )
        hash = extrinsic_hash(data)
        if hash in self._transactions:
            raise AlreadyInPool(f"0x{hash.hex()} is in the pool")
        entry = self._validated(hash, data, self._sequence)
        self._sequence += 1
        self._remember_verified(hash)
        try:
            if entry.operational:
                self._insert_operational(entry)
            else:
                self._insert_normal(entry)
            self._note_expiry(entry)
            if not self._is_ready(entry):
                self._events.append(PoolEvent(hash, PoolStatus.FUTURE))
        finally:
            self._emit()
        return entry

    def ready(self, exclude: Container[bytes] = ()) -> ReadyIterator:
        """Return what a block should include, best first.

        `exclude` holds the hashes of transactions that blocks between the newest state and the new block
        include already: they are passed over, and their senders' next ones follow.
        """
        operational = [entry for entry in self._operational.values() if not entry.future]
        return ReadyIterator(operational, (tuple(queue.ready) for queue in self._queues.values()), exclude)

    def remove(self, hash: bytes, reason: str) -> None:
        """Drop a transaction that proved impossible to include. One that is not here is nobody's loss."""
        entry = self._transactions.get(hash)
        if entry is not None:
            self._drop(entry, reason)
            self._refresh([entry.signer])
        self._emit()

    def on_final(self, blocks: Sequence[ExecutedBlock]) -> None:
        """Follow the newest state past blocks that became final together.

        They count as one: on the state after the last, what only that one included looks stale.
        """
        self.on_block(extrinsics_of(blocks), blocks[-1].header.number)

    def on_block(self, included: Iterable[bytes], number: int, validate: Validate | None = None) -> None:
        """Follow the newest state past block `number`, which included these extrinsics.

        `validate` replaces the validation when it is bound to one state; otherwise the pool's own must see
        the new state already.
        """
        if validate is not None:
            self._validate = validate
        touched = set()
        for data in included:
            entry = self._transactions.get(extrinsic_hash(data))
            if entry is None:
                touched.add(Extrinsic.FromString(data).signer)
            else:
                touched.add(entry.signer)
                self._take_out(entry)
        touched |= self._expire(number)
        for entry in list(self._operational.values()):
            self._revalidate(entry)
        for signer in touched & self._queues.keys():
            entries = self._queues[signer].entries
            # What becomes ready behind the first one that stays does so through it (SenderQueue).
            while entries and not self._revalidate(entries[min(entries)]):
                pass
        self._refresh(touched)
        self._emit()

    def take_unpropagated(self, max_count: int = 256, max_bytes: int = 2**20) -> list[bytes]:
        """Return ready extrinsics that were not returned before, for peers; operational ones first.

        The bounds make one batch; a single extrinsic may exceed `max_bytes`.
        """
        waiting = [self._transactions[hash] for hash in self._unpropagated]
        waiting.sort(key=lambda entry: not entry.operational)
        batch: list[bytes] = []
        size = 0
        for entry in waiting[:max_count]:
            size += len(entry.data)
            if batch and size > max_bytes:
                break
            batch.append(entry.data)
            del self._unpropagated[entry.hash]
        return batch

    def propagate_again(self) -> None:
        """Let `take_unpropagated` return the ready operational calls once more: a peer has come that may lack
        them, and nobody else sends them again."""
        for entry in self._operational.values():
            if not entry.future:
                self._unpropagated[entry.hash] = None

    def _validated(self, hash: bytes, data: bytes, sequence: int) -> PoolTransaction:
        valid = self._validate(data)
        return PoolTransaction(
            hash=hash,
            data=data,
            signer=valid.signer,
            nonce=valid.nonce,
            operational=valid.operational,
            provides=valid.provides,
            priority=valid.priority,
            valid_until=valid.valid_until,
            future=valid.future,
            sequence=sequence,
        )

    def _remember_verified(self, hash: bytes) -> None:
        self._verified[hash] = None
        while len(self._verified) > 2 * (self.limits.max_count + self.limits.operational_count):
            del self._verified[next(iter(self._verified))]

    def _is_ready(self, entry: PoolTransaction) -> bool:
        if entry.operational:
            return not entry.future
        return entry.hash in self._queues[entry.signer].ready_hashes

    def _insert_operational(self, entry: PoolTransaction) -> None:
        if entry.provides in self._operational:
            raise Underpriced("the pool holds another operational call for the same round, kind and account")
        early = [other for other in self._operational.values() if other.future]
        if entry.future:
            own = sum(other.signer == entry.signer for other in early)
            if own >= self.limits.max_early_per_sender:
                raise PoolFull(
                    f"one validator may have {self.limits.max_early_per_sender} calls ahead of time"
                )
        else:
            while early and self._operational_full(entry):
                self._drop(early.pop(), "the pool is full, and this call's round is not due")
        if self._operational_full(entry):
            raise PoolFull("no space for more operational calls: wait for a block")
        self._put(entry)
        if not entry.future:
            self._announce_ready(entry.hash)

    def _operational_full(self, entry: PoolTransaction) -> bool:
        size = self._operational_bytes + len(entry.data)
        limits = self.limits
        return len(self._operational) >= limits.operational_count or size > limits.operational_bytes

    def _insert_normal(self, entry: PoolTransaction) -> None:
        """Take in a normal transaction and take out what must leave for it; an error leaves all as before."""
        removed = self._make_place(entry)
        self._put(entry)
        if not removed and not self._over_limits() and self._queues[entry.signer].extend(entry):
            self._eviction.push(entry.signer)
            self._announce_ready(entry.hash)
            return
        self._refresh([entry.signer])
        while self._over_limits():
            victim = self._eviction.worst()
            self._take_out(victim)
            self._refresh([victim.signer])
            if victim is entry:
                for old, _ in removed:
                    self._put(old)
                self._refresh({old.signer for old, _ in removed})
                raise PoolFull(
                    "the pool is full of transactions worth at least as much: pay a higher tip or wait"
                )
            removed.append((victim, "the pool is full and this was worth least"))
        self._events += [PoolEvent(old.hash, PoolStatus.DROPPED, reason) for old, reason in removed]

    def _make_place(self, entry: PoolTransaction) -> list[tuple[PoolTransaction, str]]:
        """Take out what stands in the entry's place, if it may take it; return that with the reason."""
        queue = self._queues.get(entry.signer)
        if queue is None:
            return []
        rival = queue.entries.get(entry.nonce)
        if rival is not None:
            if entry.priority <= rival.priority:
                raise Underpriced(
                    f"nonce {entry.nonce} is taken by 0x{rival.hash.hex()}: a higher tip replaces it"
                )
            self._take_out(rival)
            return [(rival, f"replaced by 0x{entry.hash.hex()}, which pays a higher tip")]
        if len(queue.entries) < self.limits.max_per_sender:
            return []
        tail = queue.tail
        if tail.nonce < entry.nonce:
            raise PoolFull(f"one account may have {self.limits.max_per_sender} transactions waiting")
        self._take_out(tail)
        return [(tail, "this account has too many transactions waiting, and this one had the highest nonce")]

    def _over_limits(self) -> bool:
        count = len(self._transactions) - len(self._operational)
        return count > self.limits.max_count or self._bytes > self.limits.max_bytes

    def _put(self, entry: PoolTransaction) -> None:
        """Add to the tables. A normal one's sender is due for _refresh."""
        self._transactions[entry.hash] = entry
        if entry.operational:
            self._operational[entry.provides] = entry
            self._operational_bytes += len(entry.data)
        else:
            self._queues.setdefault(entry.signer, SenderQueue()).entries[entry.nonce] = entry
            self._bytes += len(entry.data)

    def _take_out(self, entry: PoolTransaction) -> None:
        """Remove from the tables without a word. A normal one's sender is due for _refresh."""
        del self._transactions[entry.hash]
        self._unpropagated.pop(entry.hash, None)
        if entry.operational:
            del self._operational[entry.provides]
            self._operational_bytes -= len(entry.data)
        else:
            del self._queues[entry.signer].entries[entry.nonce]
            self._bytes -= len(entry.data)

    def _drop(self, entry: PoolTransaction, reason: str) -> None:
        self._take_out(entry)
        self._events.append(PoolEvent(entry.hash, PoolStatus.DROPPED, reason))

    def _note_expiry(self, entry: PoolTransaction) -> None:
        if entry.valid_until:
            heapq.heappush(self._expiry, (entry.valid_until, entry.hash))
        # What left the pool stays in the heap until here.
        if len(self._expiry) > 64 + 2 * len(self._transactions):
            self._expiry = [(e.valid_until, e.hash) for e in self._transactions.values() if e.valid_until]
            heapq.heapify(self._expiry)

    def _expire(self, number: int) -> set[bytes]:
        """Drop what no block after `number` may include; return the signers."""
        signers = set()
        while self._expiry and self._expiry[0][0] <= number:
            last, hash = heapq.heappop(self._expiry)
            entry = self._transactions.get(hash)
            if entry is not None:
                self._drop(entry, f"expired: block {last} was the last that could include it")
                signers.add(entry.signer)
        return signers

    def _revalidate(self, entry: PoolTransaction) -> bool:
        """Validate again on the newest state; False when it left. A normal one's sender is due for _refresh."""
        try:
            fresh = self._validated(entry.hash, entry.data, entry.sequence)
        except InvalidTransaction as error:
            self._drop(entry, str(error))
            return False
        self._transactions[entry.hash] = fresh
        if not entry.operational:
            self._queues[entry.signer].entries[entry.nonce] = fresh
            return True
        self._operational[entry.provides] = fresh
        if entry.future and not fresh.future:
            self._announce_ready(entry.hash)
        elif fresh.future and not entry.future:
            self._announce_future(entry.hash)
        return True

    def _refresh(self, signers: Iterable[bytes]) -> None:
        """Bring the queues of these senders up to date after changes of their entries."""
        for signer in signers:
            queue = self._queues.get(signer)
            if queue is None:
                continue
            self._before.setdefault(signer, queue.ready_hashes)
            if queue.entries:
                queue.refresh()
                self._eviction.push(signer)
            else:
                del self._queues[signer]

    def _announce_ready(self, hash: bytes) -> None:
        self._unpropagated[hash] = None
        self._events.append(PoolEvent(hash, PoolStatus.READY))

    def _announce_future(self, hash: bytes) -> None:
        self._unpropagated.pop(hash, None)
        self._events.append(PoolEvent(hash, PoolStatus.FUTURE))

    def _emit(self) -> None:
        """Tell the listeners, once the pool is consistent again, what has changed."""
        before, self._before = self._before, {}
        for signer, old in before.items():
            queue = self._queues.get(signer)
            for entry in queue.ready if queue is not None else ():
                if entry.hash not in old:
                    self._announce_ready(entry.hash)
            for hash in sorted(old):
                if hash in self._transactions and (queue is None or hash not in queue.ready_hashes):
                    self._announce_future(hash)
        events, self._events = self._events, []
        for event in events:
            for listener in list(self._listeners.values()):
                listener(event)
