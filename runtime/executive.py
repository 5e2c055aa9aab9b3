"""The executive: the state transition function, from one block's state to the next one's.

To execute a block on the state after its parent:
1. check the header against the parent: number, parent hash, timestamp, epoch; the author is a validator;
2. initialize: on_runtime_upgrade when the runtime is new, then on_initialize of every pallet in order;
3. apply the extrinsics in order. A normal one pays its fee, and keeps paying it when its call is refused; an
   operational one is free, and a block in which one is refused is invalid;
4. finalize: the fees go to the author, then on_idle of every pallet with the weight that is left, then
   on_finalize of every pallet;
5. compare: extrinsics root, events root, state root, and the announcement of the next epoch are those in the
   header, which has nothing else.

To propose a block is to do 2 to 4 with the extrinsics that fit and are valid, and then to write the header.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from pocl import keys
from pocl.hashing import ZERO_HASH
from pocl.keys import PUBLIC_SIZE
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.metadata_pb2 import Metadata
from runtime import roles
from runtime.blocks import (
    BlockLimits,
    ExecutedBlock,
    VersionedState,
    events_root,
    extrinsics_root,
    header_hash,
)
from runtime.certificates import Verify
from runtime.execution import DoesNotFit, Execution
from runtime.frame import metadata
from runtime.frame.errors import GenesisError, InvalidBlock, InvalidTransaction, RuntimeFault
from runtime.frame.pallet import OPERATIONAL, CallInfo, Pallet
from runtime.state import MemoryState, ReadState
from runtime.transactions import DryRun, Rules, ValidTransaction, check
from runtime.tree import TreeUpdate, update
from runtime.validation import Validation, check_fitting

OnRefused = Callable[[bytes, RuntimeFault], None]
"""Told of each extrinsic that a proposal leaves out, before the next one is asked for, and why: DoesNotFit,
or InvalidTransaction when no block on this state may contain it."""

_PATIENCE = 16
"""After so many normal extrinsics in a row that do not fit, a proposal asks for no more."""


class Runtime:
    """A runtime made of pallets, in the order in which their hooks run. It holds no state."""

    def __init__(
        self,
        pallets: Sequence[type[Pallet]],
        *,
        spec_version: int,
        transaction_version: int,
        limits: BlockLimits | None = None,
    ) -> None:
        self.pallets = tuple(pallets)
        self.spec_version = spec_version
        self.transaction_version = transaction_version
        self.limits = limits or BlockLimits()
        self.verify: Verify = keys.verify
        self._calls = {
            (pallet.name, info.name): info for pallet in self.pallets for info in pallet.call_infos.values()
        }
        _check_composition(self.pallets, self._calls.values())

    def verifying_with(self, verify: Verify) -> Runtime:
        """Return this runtime with another `verify`, which must say what `pocl.keys.verify` says (to measure it)."""
        other = copy(self)
        other.verify = verify
        return other

    def metadata(self) -> Metadata:
        """Return everything a generic client needs to know of this runtime."""
        return metadata.build(self.pallets, self.spec_version, self.transaction_version)

    def build_genesis(self, config: Mapping[str, Mapping[str, Any]], timestamp_ms: int) -> ExecutedBlock:
        """Return block 0: each pallet's entries made from `config`, which is keyed by the pallets' names.

        Raise GenesisError when a pallet refuses its part.
        """
        unknown = config.keys() - {pallet.name for pallet in self.pallets}
        if unknown:
            raise GenesisError(f"the genesis has a section for {sorted(unknown)}, but no such pallet")
        opening = Header(parent_hash=ZERO_HASH, timestamp_ms=timestamp_ms, author=bytes(PUBLIC_SIZE))
        execution = Execution(self.pallets, MemoryState(), opening, ZERO_HASH, self.limits)
        for name, pallet in execution.pallets.items():
            pallet.genesis(config.get(name, {}))
        tree = update(_NoNodes(), None, execution.state.changes, 0)
        return _executed(execution, _closed(execution, tree, []), tree, [])

    def restore_genesis(self, entries: Mapping[bytes, bytes], timestamp_ms: int) -> ExecutedBlock:
        """Return block 0 of a chain that begins with this state as it is, one between two epochs, which count on.

        Raise GenesisError when it names no validators.
        """
        opening = Header(parent_hash=ZERO_HASH, timestamp_ms=timestamp_ms, author=bytes(PUBLIC_SIZE))
        execution = Execution(self.pallets, MemoryState(), opening, ZERO_HASH, self.limits)
        execution.state.changes.update(entries)
        announced = execution.announced()
        if announced is None or not announced.validators:
            raise GenesisError("the state names no validators for the next epoch")
        opening.epoch = announced.epoch - 1
        tree = update(_NoNodes(), None, execution.state.changes, 0)
        return _executed(execution, _closed(execution, tree, []), tree, [])

    def execute(
        self,
        state: VersionedState,
        parent: Header,
        genesis_hash: bytes,
        block: Block,
        *,
        verified: Container[bytes] = (),
    ) -> ExecutedBlock:
        """Return what a block does to the state after its parent.

        `verified` holds the hashes of extrinsics whose signatures were found valid before. Raise
        InvalidBlock, which names the rule, for a block that breaks one.
        """
        header = block.header
        _check_header(header, parent)
        execution = self._initialized(state, parent, _opening(header), genesis_hash)
        rules = self._rules(genesis_hash)
        for index, data in enumerate(block.extrinsics):
            try:
                execution.apply(check(rules, data, header.number, verified))
            except (InvalidTransaction, DoesNotFit) as error:
                raise InvalidBlock(f"block {header.number}, extrinsic {index}: {error}") from error
        execution.finalize()
        tree = execution.state_tree(state)
        _compare(header, _closed(execution, tree, block.extrinsics))
        return _executed(execution, header, tree, block.extrinsics, block)

    def propose(
        self,
        state: VersionedState,
        parent: Header,
        genesis_hash: bytes,
        *,
        epoch: int,
        view: int,
        timestamp_ms: int,
        author: bytes,
        extrinsics: Iterable[bytes],
        verified: Container[bytes] = (),
        on_refused: OnRefused | None = None,
    ) -> ExecutedBlock:
        """Return a block on the state after its parent, of those extrinsics that fit and are valid, in order.

        Raise InvalidBlock when epoch, timestamp or author are not what a child of the parent may have.
        """
        header = Header(
            parent_hash=header_hash(parent),
            number=parent.number + 1,
            epoch=epoch,
            view=view,
            timestamp_ms=timestamp_ms,
            author=author,
        )
        _check_header(header, parent)
        execution = self._initialized(state, parent, header, genesis_hash)
        rules = self._rules(genesis_hash)
        included = []
        misfits = 0
        for data in extrinsics:
            try:
                checked = check(rules, data, header.number, verified)
                execution.apply(checked)
            except (InvalidTransaction, DoesNotFit) as error:
                if on_refused is not None:
                    on_refused(data, error)
                if isinstance(error, DoesNotFit) and not checked.operational:
                    misfits += 1
                    if misfits == _PATIENCE:
                        break
            else:
                included.append(data)
                misfits = 0
        execution.finalize()
        tree = execution.state_tree(state)
        return _executed(execution, _closed(execution, tree, included), tree, included)

    def validate_transaction(
        self,
        state: ReadState,
        parent: Header,
        genesis_hash: bytes,
        data: bytes,
        *,
        verified: Container[bytes] = (),
    ) -> ValidTransaction:
        """Return what the pool needs to know of an extrinsic that may come after `parent`, now or later.

        `state` is the one after `parent`. Raise InvalidTransaction with its code (runtime/transactions.py).
        """
        return self.validation(state, parent, genesis_hash)(data, verified)

    def validation(self, state: ReadState, parent: Header, genesis_hash: bytes) -> Validation:
        """Return `validate_transaction` for one state, which is cheaper than that for many extrinsics."""
        return Validation(self._rules(genesis_hash), lambda: self._next(state, parent, genesis_hash))

    def dry_run(self, state: ReadState, parent: Header, genesis_hash: bytes, data: bytes) -> DryRun:
        """Return what an extrinsic would do right after `parent`, whose state this is; write nothing.

        Raise InvalidTransaction when the next block may not contain it.
        """
        execution = self._next(state, parent, genesis_hash)
        checked = check_fitting(self._rules(genesis_hash), execution, data, ())
        error = execution.apply(checked)
        return DryRun(
            ok=error is None,
            error="" if error is None else error.label,
            fee=execution.fees,
            weight=checked.weight,
            events=tuple(execution.events),
        )

    def bind(
        self, state: ReadState, header: Header | None = None, genesis_hash: bytes = ZERO_HASH
    ) -> Mapping[str, Pallet]:
        """Return the pallets bound to a look at a state: what they write goes nowhere, events neither."""
        return self._execution(state, header or Header(), genesis_hash).pallets

    def try_state(self, state: ReadState) -> None:
        """Raise AssertionError when a state breaks an invariant of one of the pallets."""
        for pallet in self.bind(state).values():
            pallet.try_state()

    def _rules(self, genesis_hash: bytes) -> Rules:
        return Rules(
            calls=self._calls,
            genesis_hash=genesis_hash,
            spec_version=self.spec_version,
            transaction_version=self.transaction_version,
            verify=self.verify,
        )

    def _execution(self, state: ReadState, header: Header, genesis_hash: bytes) -> Execution:
        return Execution(self.pallets, state, header, genesis_hash, self.limits)

    def _initialized(
        self, state: VersionedState, parent: Header, opening: Header, genesis_hash: bytes
    ) -> Execution:
        """Return a block's execution, initialized. Raise InvalidBlock when its author is no validator."""
        if state.version != parent.number:
            raise ValueError(f"this is the state after block {state.version}, not {parent.number}")
        execution = self._execution(state, opening, genesis_hash)
        execution.require_author()
        execution.initialize(self.spec_version)
        return execution

    def _next(self, state: ReadState, parent: Header, genesis_hash: bytes) -> Execution:
        """Return a block after `parent` without author or hooks."""
        header = Header(
            parent_hash=header_hash(parent),
            number=parent.number + 1,
            epoch=_child_epoch(parent),
            timestamp_ms=parent.timestamp_ms + 1,
            author=bytes(PUBLIC_SIZE),
        )
        execution = self._execution(state, header, genesis_hash)
        execution.begin_extrinsics()
        return execution


def state_root(entries: Mapping[bytes, bytes]) -> bytes:
    """Return the root of the tree over a whole state."""
    return update(_NoNodes(), None, dict(entries), 0).root


class _NoNodes:
    """The nodes of the empty tree."""

    def get_node(self, key: bytes) -> bytes | None:
        return None


def _check_composition(pallets: Sequence[type[Pallet]], calls: Iterable[CallInfo]) -> None:
    names = [pallet.name for pallet in pallets]
    if len(set(names)) != len(names):
        raise TypeError(f"two pallets of one name among {names}")
    needed = {roles.SYSTEM, roles.COIN, roles.VALIDATORS}
    if any(info.class_ == OPERATIONAL for info in calls):
        needed.add(roles.ROUND)
    if missing := needed - set(names):
        raise TypeError(f"a runtime with these calls needs the pallets {sorted(missing)}")


def _child_epoch(parent: Header) -> int:
    """Return the epoch of a block's children: the next one when the block closes its own."""
    return parent.next_epoch.epoch if parent.HasField("next_epoch") else parent.epoch


def _check_header(header: Header, parent: Header) -> None:
    """Raise InvalidBlock unless the header may follow its parent's (rule 1, but for the author)."""
    if header.number != parent.number + 1:
        raise InvalidBlock(f"block number {header.number} does not follow the parent's {parent.number}")
    where = f"block {header.number}"
    if header.parent_hash != header_hash(parent):
        raise InvalidBlock(f"{where}: its parent hash 0x{header.parent_hash.hex()} is not the parent's")
    if header.timestamp_ms <= parent.timestamp_ms:
        raise InvalidBlock(
            f"{where}: timestamp {header.timestamp_ms} is not above the parent's {parent.timestamp_ms}"
        )
    if header.epoch != _child_epoch(parent):
        raise InvalidBlock(f"{where}: its epoch is {header.epoch}, it must be {_child_epoch(parent)}")


def _opening(header: Header) -> Header:
    """Return a header as it is before execution: what pallets may see of it."""
    return Header(
        parent_hash=header.parent_hash,
        number=header.number,
        epoch=header.epoch,
        view=header.view,
        timestamp_ms=header.timestamp_ms,
        author=header.author,
    )


def _closed(execution: Execution, tree: TreeUpdate, extrinsics: Sequence[bytes]) -> Header:
    """Return the header of a block that was executed."""
    header = Header()
    header.CopyFrom(execution.header)
    header.state_root = tree.root
    header.extrinsics_root = extrinsics_root(extrinsics)
    header.events_root = events_root(execution.events)
    announced = execution.announced()
    if announced is not None:
        header.next_epoch.CopyFrom(announced)
    return header


def _compare(given: Header, computed: Header) -> None:
    """Raise InvalidBlock unless a block's header is the one that its execution gives (rule 5)."""
    for name in ("extrinsics_root", "events_root", "state_root"):
        claim, result = getattr(given, name), getattr(computed, name)
        if claim != result:
            raise InvalidBlock(
                f"block {given.number}: its {name} is 0x{claim.hex()}, executing it gives 0x{result.hex()}"
            )
    if given.HasField("next_epoch") != computed.HasField("next_epoch"):
        wrong = (
            "announces an epoch but closes none" if given.HasField("next_epoch") else "hides its next epoch"
        )
        raise InvalidBlock(f"block {given.number} {wrong}")
    if given != computed:
        raise InvalidBlock(f"block {given.number} announces another next epoch than its execution gives")


def _executed(
    execution: Execution,
    header: Header,
    tree: TreeUpdate,
    extrinsics: Sequence[bytes],
    block: Block | None = None,
) -> ExecutedBlock:
    return ExecutedBlock(
        block=block or Block(header=header, extrinsics=extrinsics),
        hash=header_hash(header),
        header=header,
        changes=execution.state.changes,
        tree=tree,
        events=tuple(execution.events),
        weight=execution.total_weight,
    )
