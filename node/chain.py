"""The chain as a node holds it: final blocks in the database, the others in memory on top of them.

Rules:
- a block is executed once, on the state after its parent, which must be the last final block or a descendant
  of it. What execution did stays in memory until the block is final or dead;
- `finalize` makes a block and its ancestors final: one synced batch in the database, then the blocks that do
  not descend from it are dropped, then the listeners are told;
- `import_final` takes blocks that others finalised. All are of the epoch that follows the last final block,
  whose validators are known from our own state: they must have signed the last block's certificate. So a
  closing block can only be a run's last. Signatures are checked before anything is executed;
- dead forks are bounded: beyond `MAX_FORKS` blocks that are not on the way to the best one, the oldest goes.

Blocks are imported, proposed and made final by one thread. Everything that reads may be called from any.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from node import layout
from node.chain_spec import ChainSpec
from node.chain_state import GrowingState, LayeredState
from node.errors import PoclError
from node.final_run import check_run
from node.genesis import build_genesis
from node.known_genesis import genesis_of
from node.listeners import Listeners
from node.metrics.meter import NO_METER, Meter
from node.storage.database import Database
from node.storage.pruning_mode import PruningRequest, adopt
from pallets.assembly import RUNTIME
from pallets.validators import Validators
from pocl import keys
from pocl.v1.block_pb2 import Block, EpochChange, Header
from pocl.v1.consensus_pb2 import Certificate, Justification
from runtime.blocks import ExecutedBlock, VersionedState, header_hash
from runtime.certificates import Verify
from runtime.executive import OnRefused, Runtime
from runtime.frame import InvalidBlock, Pallet
from runtime.validation import Validation

MAX_FORKS = 64
"""Executed blocks kept beside the best branch."""

RECENT_FINAL = 16
"""Final blocks whose execution is still remembered: a leader may propose one once more."""


class ChainError(PoclError):
    """A block cannot be taken in, for a reason that is not the block's own."""


class UnknownParent(ChainError):
    """A block's parent is neither the last final block nor one that was executed on top of it."""


class UnknownBlock(ChainError):
    """There is no such block here."""


class Chain:
    """See the module's text."""

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        genesis: ExecutedBlock | None,
        verify: Verify = keys.verify,
    ) -> None:
        """Go on from where the database ends; an empty one gets the genesis block, which others do not need.

        `verify` checks the signatures of certificates.
        """
        self.runtime = runtime
        self.database = database
        self.genesis_hash = database.genesis_hash
        self.verify = verify
        self.meter: Meter = NO_METER
        if database.empty and genesis is not None:
            database.commit([genesis], [])
        number, hash = database.final()
        header = database.header(number)
        if header is None:
            raise ChainError(f"the database has no header of its last final block {number}")
        self._lock = threading.RLock()
        self._final = (header, hash)
        self._best = hash
        self._validation: tuple[tuple[Header, bytes], Validation | None] = (self._final, None)
        # Executed and not final, in the order of execution: parents before children.
        self._blocks: dict[bytes, ExecutedBlock] = {}
        self._recent: dict[bytes, ExecutedBlock] = {}
        self._epoch_change = cast(Validators, self.pallets(database.state())[Validators.name]).epoch_change()
        self._final_listeners = Listeners[list[ExecutedBlock]]()
        self._best_listeners = Listeners[ExecutedBlock]()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # The ends of the chain.

    @property
    def final(self) -> Header:
        """The header of the last final block."""
        return self._final[0]

    @property
    def final_hash(self) -> bytes:
        """The hash of the last final block."""
        return self._final[1]

    @property
    def final_number(self) -> int:
        """The number of the last final block."""
        return self._final[0].number

    @property
    def best_hash(self) -> bytes:
        """The hash of the best block: the last one known to be notarized, or the last final one."""
        return self._best

    @property
    def best_header(self) -> Header:
        """The header of the best block."""
        with self._lock:
            executed = self._blocks.get(self._best)
            return self._final[0] if executed is None else executed.header

    @property
    def epoch_change(self) -> EpochChange:
        """Number, validators, leaders and seed of the epoch of the last final block's children."""
        return self._epoch_change

    # Blocks.

    def known(self, hash: bytes) -> bool:
        """Return whether a block was executed or is final."""
        return hash in self._blocks or self.database.number(hash) is not None

    def executed(self, hash: bytes) -> ExecutedBlock | None:
        """Return a block that was executed and is not final."""
        return self._blocks.get(hash)

    def header(self, hash: bytes) -> Header | None:
        """Return the header of a block that was executed or is final."""
        executed = self._blocks.get(hash)
        return self.database.header(hash) if executed is None else executed.header

    def block(self, hash: bytes) -> Block | None:
        """Return a block that was executed or is final; None also when its body was pruned."""
        executed = self._blocks.get(hash)
        return self.database.block(hash) if executed is None else executed.block

    def final_block(self, number: int) -> Block | None:
        """Return the final block of that number; None also when its body was pruned."""
        return self.database.block(number)

    def justification(self, number: int) -> Justification | None:
        """Return why the block of that number is final; None for block 0 and for one that is not final."""
        return self.database.justification(number)

    # States.

    def state_after(self, hash: bytes) -> VersionedState:
        """Return the state after the last final block or one that was executed on top of it.

        It stays as it is while the chain goes on. Raise UnknownParent for any other block.
        """
        with self._lock:
            return LayeredState(self.database.state(self.final_number), self._path(hash))

    def final_state(self, number: int | None = None) -> VersionedState:
        """Return the state after a final block; None is the last one. Raise StatePruned or UnknownState."""
        return self.database.state(number)

    def pallets(self, state: VersionedState) -> Mapping[str, Pallet]:
        """Return the runtime's pallets bound to a look at a state."""
        return self.runtime.bind(state, genesis_hash=self.genesis_hash)

    def validation(self) -> Validation:
        """Return what judges extrinsics on the last final state; it is made once a block."""
        final, validation = self._validation
        if validation is None or final is not self._final:
            self._validation = final, validation = (
                self._final,
                self.runtime.validation(self.final_state(), self.final, self.genesis_hash),
            )
        return validation

    # Going on.

    def import_block(self, block: Block, *, verified: Container[bytes] = ()) -> ExecutedBlock:
        """Execute a block on its parent's state and remember what it did. A block is executed once only.

        `verified` holds the hashes of extrinsics whose signatures were found valid before. Raise
        UnknownParent or InvalidBlock.
        """
        hash = header_hash(block.header)
        known = self._blocks.get(hash) or self._recent.get(hash)
        if known is not None:
            if list(known.block.extrinsics) != list(block.extrinsics):
                raise InvalidBlock(f"block {block.header.number}: its extrinsics are not those of its header")
            return known
        parent_hash = block.header.parent_hash
        state = self.state_after(parent_hash)
        parent = self._require_header(parent_hash)
        return self._remember(self._execute(state, parent, block, verified))

    def propose(
        self,
        parent_hash: bytes,
        *,
        epoch: int,
        view: int,
        timestamp_ms: int,
        author: bytes,
        extrinsics: Iterable[bytes],
        verified: Container[bytes] = (),
        on_refused: OnRefused | None = None,
    ) -> ExecutedBlock:
        """Make a block on a parent and remember it as an imported one (see Runtime.propose).

        Raise UnknownParent, and InvalidBlock when epoch, timestamp or author do not fit the parent.
        """
        state = self.state_after(parent_hash)
        with self.meter.timed("execution"):
            executed = self.runtime.propose(
                state,
                self._require_header(parent_hash),
                self.genesis_hash,
                epoch=epoch,
                view=view,
                timestamp_ms=timestamp_ms,
                author=author,
                extrinsics=extrinsics,
                verified=verified,
                on_refused=on_refused,
            )
        return self._remember(executed)

    def set_best(self, hash: bytes) -> None:
        """Make a block the best one. One that was not executed here cannot be: then all stays as it is."""
        with self._lock:
            best = self._blocks.get(hash)
            if best is None or hash == self._best:
                return
            self._best = hash
        self._best_listeners.tell(best)

    def finalize(self, hash: bytes, certificate: Certificate) -> list[ExecutedBlock]:
        """Make an executed block final, and its ancestors with it; return those that became final, in order.

        `certificate` is the block's own, checked by whoever calls this. Raise UnknownBlock for a block that
        was neither executed nor final before.
        """
        if self.database.number(hash) is not None:
            return []
        with self._lock:
            if hash not in self._blocks:
                raise UnknownBlock(f"block 0x{hash.hex()} was not executed: it cannot become final")
            path = self._path(hash)
        if certificate.block_hash != hash:
            raise ValueError(f"this certificate is for block 0x{certificate.block_hash.hex()}")
        self._commit(path, Justification(certificate=certificate))
        return path

    def import_final(
        self, blocks: Sequence[Block], justification: Justification, *, verified: Container[bytes] = ()
    ) -> list[ExecutedBlock]:
        """Take in the next final blocks, in order; `justification` is why the last of them is final.

        Raise UnknownParent when they do not follow the last final block, CertificateError when the
        justification does not make them final, InvalidBlock when executing one gives something else.
        """
        if not blocks:
            return []
        if blocks[0].header.parent_hash != self.final_hash:
            raise UnknownParent(
                f"block {blocks[0].header.number} does not follow the last final block {self.final_number}"
            )
        change = self._epoch_change
        hashes = check_run(blocks, justification, change, self.genesis_hash, self.verify)
        state = GrowingState(self.database.state())
        parent = self.final
        path = []
        for block, hash in zip(blocks, hashes, strict=True):
            executed = self._blocks.get(hash) or self._execute(state, parent, block, verified)
            state.push(executed)
            parent = executed.header
            path.append(executed)
        self._commit(path, justification)
        return path

    # News, on the thread that moves the chain.

    def on_final(self, listener: Callable[[list[ExecutedBlock]], None]) -> Callable[[], None]:
        """Call `listener` with the blocks that became final, once they are on disk; return what ends that."""
        return self._final_listeners.subscribe(listener)

    def on_best(self, listener: Callable[[ExecutedBlock], None]) -> Callable[[], None]:
        """Call `listener` with each new best block, before its finality is told; return what ends that."""
        return self._best_listeners.subscribe(listener)

    def _path(self, hash: bytes) -> list[ExecutedBlock]:
        """Return the executed blocks from the last final one (without it) to this one, oldest first."""
        path = []
        at = hash
        while at != self.final_hash:
            executed = self._blocks.get(at)
            if executed is None:
                raise UnknownParent(
                    f"block 0x{hash.hex()} is not known as a descendant of final block {self.final_number}"
                )
            path.append(executed)
            at = executed.header.parent_hash
        path.reverse()
        return path

    def _require_header(self, hash: bytes) -> Header:
        executed = self._blocks.get(hash)
        return self.final if executed is None else executed.header

    def _execute(
        self, state: VersionedState, parent: Header, block: Block, verified: Container[bytes]
    ) -> ExecutedBlock:
        with self.meter.timed("execution"):
            return self.runtime.execute(state, parent, self.genesis_hash, block, verified=verified)

    def _remember(self, executed: ExecutedBlock) -> ExecutedBlock:
        with self._lock:
            self._blocks[executed.hash] = executed
            keep = {block.hash for end in (self._best, executed.hash) for block in self._path(end)}
            forks = [hash for hash in self._blocks if hash not in keep]
            if len(forks) > MAX_FORKS:
                del self._blocks[forks[0]]
                self._drop_orphans()
        return executed

    def _drop_orphans(self) -> None:
        """Drop the executed blocks that do not descend from the last final one."""
        alive: dict[bytes, ExecutedBlock] = {}
        for hash, executed in self._blocks.items():
            parent = executed.header.parent_hash
            if parent == self.final_hash or parent in alive:
                alive[hash] = executed
        self._blocks = alive

    def _commit(self, path: list[ExecutedBlock], justification: Justification) -> None:
        """Make the blocks after the last final one final: on disk, here, and for the listeners."""
        with self.meter.timed("commit"):
            self.database.commit(path, [justification])
        last = path[-1]
        with self._lock:
            self._final = (last.header, last.hash)
            if last.header.HasField("next_epoch"):
                self._epoch_change = last.header.next_epoch
            self._drop_orphans()
            self._recent.update((executed.hash, executed) for executed in path)
            while len(self._recent) > RECENT_FINAL:
                del self._recent[next(iter(self._recent))]
            overtaken = self._best not in self._blocks
            was_best = self._best == last.hash
            if overtaken:
                self._best = last.hash
        if overtaken and not was_best:
            self._best_listeners.tell(last)
        self._final_listeners.tell(path)
        self.database.prune_after(path)


def open_chain(
    spec: ChainSpec,
    base_path: Path,
    runtime: Runtime = RUNTIME,
    pruning: PruningRequest | None = None,
) -> Chain:
    """Open the chain of a spec below a base path, made when it is not there.

    Raise ChainSpecError when the spec gives no genesis block, and NodeStartError when the database is in use,
    damaged, another chain's, or cannot be kept as `pruning` asks.
    """
    hash, genesis = genesis_of(spec, base_path, runtime)
    database = Database.open(layout.database_folder(base_path), hash)
    try:
        if genesis is None and database.empty:
            genesis = build_genesis(spec, runtime)
        adopt(database, pruning or PruningRequest())
        return Chain(runtime, database, genesis, runtime.verify)
    except BaseException:
        database.close()
        raise
