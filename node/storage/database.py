"""The node's database of final blocks and their states, on LevelDB.

Rules:
- What belongs to one step forward (blocks, their states, tree nodes, indices, the final pointer) is one
  batch, synced before `commit` returns: after a crash either all of it is there or nothing.
- Blocks come in order, each the child of the one before; block 0 is the genesis this database belongs to.
- Reads may come from any thread while one thread commits and any prunes. A state reader keeps seeing its own
  version.
- A disk that fails once is not trusted again: whoever meets the failure gets StorageError, and `on_failure` is
  told, so that the node stops even where the error ends in a peer's session or a client's call.
- Pruning walks the stale index, never a range of versions: old nodes and values that are still in use stay.
Keys are in schema.py, ranges of them in entries.py, state readers in state.py, pruning in pruning.py and
compaction.py, opening in opening.py, beginning from a block other than 0 in importing.py, taking blocks back in
reverting.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import plyvel  # type: ignore[import-untyped]

from node.storage import compaction, opening, schema
from node.storage.entries import open_range
from node.storage.errors import FAILURES, StatePruned, StorageError, UnknownState, describe
from node.storage.pruning import Oldest, Pruning, allowance, prune
from node.storage.reverting import revert_last
from node.storage.state import StateReader
from node.storage.upper_nodes import UpperNodes
from node.storage.writing import BlockWriter
from pocl.v1.block_pb2 import Block, BlockEvents, EventRecord, Header
from pocl.v1.consensus_pb2 import Justification
from runtime.blocks import ExecutedBlock

__all__ = ["Database", "StatePruned", "StorageError", "UnknownState"]

_PRUNED_AT_ONCE = 10_000
"""Entries of each kind that one batch of deletions holds in memory."""
_PRUNED_BESIDE = 1_000
"""The same while others wait for the database: about 10 ms."""


class Database:
    """The final chain on disk. Make one with `Database.open`."""

    def __init__(self, db: plyvel.DB, path: Path, genesis_hash: bytes) -> None:
        self.path = path
        self.genesis_hash = genesis_hash
        self.db = db
        self.on_failure: Callable[[StorageError], None] | None = None
        """Called with each failure of the disk, from the thread that met it."""
        self._write_lock = threading.Lock()
        self._upper_nodes = UpperNodes()
        pointer = db.get(schema.META_FINAL)
        self._final = (schema.number_of(pointer[: schema.U64]), pointer[schema.U64 :]) if pointer else None
        # The newest version that may be in the flat values: raised before a commit writes (see state.py).
        self.newest_version = self._final[0] if self._final else -1
        self.oldest_state = schema.number_of(db.get(schema.META_OLDEST_STATE, schema.u64(0)))
        self._compacting = threading.Lock()
        self._freed = 0
        recorded = db.get(schema.META_PRUNING)
        self.pruning = Pruning.decode(recorded) if recorded else Pruning()
        """What is kept; `set_pruning` changes it."""
        checkpoint = db.get(schema.META_CHECKPOINT)
        self._oldest_justification = schema.number_of(checkpoint[: schema.U64]) if checkpoint else 1

    @classmethod
    def open(cls, path: Path, genesis_hash: bytes) -> Database:
        """Open the database in directory `path`, made when it is not there, for the chain of `genesis_hash`.

        Raise NodeStartError when another process uses it, when it belongs to another chain or to another
        version of this program, and when it is damaged.
        """
        return cls(opening.open_database(path, genesis_hash), path, genesis_hash)

    def close(self) -> None:
        """Close it. Later reads fail; what was committed is there already."""
        # LevelDB must not be closed under a compaction.
        with self._compacting, self._write_lock:
            self.db.close()

    # Writing: one thread at a time.

    def commit(self, blocks: Sequence[ExecutedBlock], justifications: Sequence[Justification]) -> None:
        """Append final blocks in order: one batch, on disk when this returns.

        `justifications` has one a block, or only the last block's, which then serves for those before it. A
        block that closes an epoch needs its own, for no later one can justify it. Block 0 goes alone and
        without. Raise ValueError when a block does not follow or is not justified, and StorageError when the
        disk fails.
        """
        if not blocks:
            return
        with self._write_lock:
            last = blocks[-1].header.number
            try:
                writer = BlockWriter(self.db, self.genesis_hash, self._final)
                writer.add(blocks, justifications)
                self.newest_version = last
                writer.write()
            except FAILURES as error:
                raise self.failure(f"cannot write block {last}", error) from error
            self._final = (blocks[-1].header.number, blocks[-1].hash)
            for block in blocks:
                self._upper_nodes.follow(block.tree)

    def set_pruning(self, pruning: Pruning) -> None:
        """Keep from now on what `pruning` says, also after a restart. Raise StorageError when the disk fails."""
        with self._write_lock:
            try:
                self.db.put(schema.META_PRUNING, pruning.encode(), sync=True)
            except FAILURES as error:
                raise self.failure("cannot be written", error) from error
            self.pruning = pruning

    def prune(self, max_entries: int = 10_000) -> int:
        """Remove what `pruning` does not keep, at most about `max_entries` entries of each kind (pruning.prune).

        Older states are refused from now on. Any thread may call this. Return how many entries were removed or
        looked at: with 0 nothing is left to do.
        """
        if self._final is None or self.pruning == Pruning():
            return 0
        with self._write_lock:
            oldest = self.pruning.oldest(self._final[0])
            # Never back: what was removed does not return when more is to be kept.
            self.oldest_state = max(self.oldest_state, oldest.state)
            try:
                removed = prune(self.db, Oldest(self.oldest_state, oldest.body), max_entries)
            except FAILURES as error:
                raise self.failure("cannot prune", error) from error
            self._freed += removed
            return removed

    def prune_after(self, blocks: Sequence[ExecutedBlock]) -> None:
        """Remove more than a commit of these blocks adds to what is to be removed, if there is so much."""
        allowed = allowance(blocks)
        for start in range(0, allowed, _PRUNED_AT_ONCE):
            if not self.prune(min(_PRUNED_AT_ONCE, allowed - start)):
                break

    def prune_all(self, between: Callable[[], object] = lambda: None) -> None:
        """Remove all that `pruning` does not keep, a little at a time; `between` may raise to end it, or wait."""
        while self.prune(_PRUNED_BESIDE):
            between()

    def revert_last(self) -> int:
        """Take back the last block, on disk when this returns; return the number of its parent, the last one now.

        For a database that nobody reads meanwhile. Raise StatePruned when the parent's state is not kept, ValueError
        when there is no block but block 0.
        """
        number, _ = self.final()
        if number == 0:
            raise ValueError("block 0 cannot be taken back")
        self.state(number - 1)
        parent = self.justification(number - 1)
        with self._write_lock:
            try:
                revert_last(self.db, number, parent)
            except FAILURES as error:
                raise self.failure(f"cannot take back block {number}", error) from error
            pointer = self.db.get(schema.META_FINAL)
            self._final = (schema.number_of(pointer[: schema.U64]), pointer[schema.U64 :])
            self._upper_nodes.clear()
            self.newest_version = number - 1
        return number - 1

    def compact(self, *, at_once: bool = False, between: Callable[[], object] = lambda: None) -> bool:
        """Give the disk the room that pruning freed, if that is worth rewriting files, or `at_once`.

        Other threads go on reading and writing meanwhile. `between` is called now and then, and may raise to end
        it. Return whether it was done.
        """
        with self._compacting:
            try:
                if not at_once and not compaction.is_due(self.db, self._freed):
                    return False
                self._freed = 0
                compaction.compact(self.db, self.final()[0], between)
            except FAILURES as error:
                raise self.failure("cannot be compacted", error) from error
        return True

    # Reading: any thread.

    @property
    def empty(self) -> bool:
        """Whether not even block 0 was committed yet."""
        return self._final is None

    def final(self) -> tuple[int, bytes]:
        """Return number and hash of the last final block. Raise StorageError when the database is empty."""
        if self._final is None:
            raise StorageError(f"{self.path}: holds no block yet")
        return self._final

    @property
    def oldest_body(self) -> int:
        """The number of the oldest block that is kept whole."""
        return schema.number_of(self.get(schema.META_OLDEST_BODY) or schema.u64(0))

    def hash(self, number: int) -> bytes | None:
        """Return the hash of final block `number`."""
        return self.get(schema.HASH + schema.u64(number))

    def number(self, hash: bytes) -> int | None:
        """Return the number of the final block of that hash."""
        data = self.get(schema.NUMBER + hash)
        return None if data is None else schema.number_of(data)

    def header(self, block: int | bytes) -> Header | None:
        """Return the header of a final block, by number or hash."""
        number = self._number(block)
        data = None if number is None else self.get(schema.HEADER + schema.u64(number))
        return None if data is None else Header.FromString(data)

    def block(self, block: int | bytes) -> Block | None:
        """Return a final block, by number or hash; None also when its body is pruned."""
        number = self._number(block)
        body = None if number is None else self.get(schema.BODY + schema.u64(number))
        header = None if number is None else self.header(number)
        if body is None or header is None:
            return None
        result = Block.FromString(body)
        result.header.CopyFrom(header)
        return result

    def events(self, number: int) -> tuple[EventRecord, ...] | None:
        """Return the events of final block `number`; None also when they are pruned."""
        data = self.get(schema.EVENTS + schema.u64(number))
        return None if data is None else tuple(BlockEvents.FromString(data).events)

    def justification(self, number: int) -> Justification | None:
        """Return why final block `number` is final; None for block 0, above the last final one, below the one
        that this database began with, and where its header is pruned."""
        if number < self._oldest_justification or self._final is None or number > self._final[0]:
            return None
        if self.hash(number) is None:
            return None
        start, stop = schema.JUSTIFICATION + schema.u64(number), schema.end_of(schema.JUSTIFICATION)
        try:
            with open_range(self.db, start, stop) as entries:
                key, data = next(entries)
        except (*FAILURES, StopIteration) as error:
            raise self.failure(f"no justification of block {number}", error) from error
        stored = Justification.FromString(data)
        certified = schema.number_of(key[len(schema.JUSTIFICATION) :])
        if certified == number:
            return stored
        result = Justification(certificate=stored.certificate)
        for descendant in range(number + 1, certified + 1):
            header = self.header(descendant)
            if header is None:
                raise StorageError(f"{self.path}: the header of final block {descendant} is missing")
            result.descendants.append(header)
        result.descendants.extend(stored.descendants)
        return result

    def first_justification(self) -> Justification | None:
        """Return the lowest justification that is kept: of the first epoch that this database has blocks of."""
        start, stop = schema.JUSTIFICATION, schema.end_of(schema.JUSTIFICATION)
        try:
            with open_range(self.db, start, stop) as entries:
                found = next(entries, None)
        except FAILURES as error:
            raise self.failure("no justification can be read", error) from error
        return None if found is None else Justification.FromString(found[1])

    def extrinsic_location(self, hash: bytes) -> tuple[int, int] | None:
        """Return (block number, index in the block) where the extrinsic of that hash was included."""
        data = self.get(schema.EXTRINSIC + hash)
        return None if data is None else schema.read_location(data)

    def state(self, number: int | None = None) -> StateReader:
        """Return a reader of the state after final block `number`; None is the last one.

        It stays right while later blocks are committed, and may be read from several threads. Raise
        StatePruned when that state is not kept (a reader held until it is pruned raises the same),
        UnknownState when it is not there.
        """
        final = self.final()[0]
        version = final if number is None else number
        if not 0 <= version <= final:
            raise UnknownState(f"no state after block {version}: the last final block is {final}")
        reader = StateReader(self, version)
        reader.require_kept()
        return reader

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a full database key (schema.py). Raise StorageError for a damaged file."""
        try:
            value: bytes | None = self.db.get(key, verify_checksums=True)
        except FAILURES as error:
            raise self.failure("cannot be read", error) from error
        return value

    @contextmanager
    def iterate(self, start: bytes, stop: bytes) -> Iterator[Iterator[tuple[bytes, bytes]]]:
        """Give the entries between two full database keys, as they are now. Raise StorageError for a damaged file."""
        try:
            with open_range(self.db, start, stop) as entries:
                yield entries
        except FAILURES as error:
            raise self.failure("cannot be read", error) from error

    def get_node(self, key: bytes) -> bytes | None:
        """Return the node of the state tree under `key`, or None."""
        return self._upper_nodes.nodes.get(key) or self.get(schema.NODE + key)

    def failure(self, what: str, error: BaseException) -> StorageError:
        """Return the error to raise for a failure of LevelDB, having told `on_failure` of it."""
        failure = StorageError(describe(self.path, what, error))
        # A RuntimeError is no failure of the disk: the database was closed.
        if self.on_failure is not None and isinstance(error, plyvel.Error):
            self.on_failure(failure)
        return failure

    def _number(self, block: int | bytes) -> int | None:
        return block if isinstance(block, int) else self.number(block)
