"""The execution of one block: the state it works on, what it has used, what it has deposited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pocl.v1.block_pb2 import EpochChange, EventRecord, Header
from runtime import roles, weights
from runtime.blocks import BlockLimits, VersionedState
from runtime.frame.errors import DispatchError, InvalidBlock, InvalidTransaction, RuntimeFault
from runtime.frame.pallet import Env, Origin, Pallet
from runtime.state import Overlay, ReadState
from runtime.transactions import CallDefect, Checked, check_due
from runtime.tree import TreeUpdate, update


class DoesNotFit(RuntimeFault):
    """A block has no space left for an extrinsic: its class's weight or bytes are used up."""


class Execution:
    """A block being executed. `initialize`, then `apply` for every extrinsic, then `finalize`.

    `header` has no roots and no next_epoch: hooks and calls see the same while a block is made and while it
    is checked.
    """

    def __init__(
        self,
        pallets: Sequence[type[Pallet]],
        state: ReadState,
        header: Header,
        genesis_hash: bytes,
        limits: BlockLimits,
    ) -> None:
        self.state = Overlay(state)
        self.header = header
        self.limits = limits
        self.events: list[EventRecord] = []
        self.hook_weight = weights.BLOCK
        # By class: [normal, operational].
        self.weight = [0, 0]
        self.bytes = [0, 0]
        self.fees = 0
        self.applied = 0
        self._phase = EventRecord.INITIALIZE
        self._env = Env(self.state, header, genesis_hash, {}, self._emit)
        for pallet in pallets:
            self._env.pallets[pallet.name] = pallet(self._env)
        self.pallets: Mapping[str, Pallet] = self._env.pallets
        self._system = cast(roles.SystemRole, self.pallets[roles.SYSTEM])
        self._coin = cast(roles.CoinRole, self.pallets[roles.COIN])
        self._validators = cast(roles.ValidatorsRole, self.pallets[roles.VALIDATORS])

    @property
    def total_weight(self) -> int:
        """The weight used so far, of hooks and extrinsics."""
        return self.hook_weight + sum(self.weight)

    def initialize(self, spec_version: int) -> None:
        """Run on_runtime_upgrade where the runtime is newer than the last block's, then on_initialize."""
        before = self._system.runtime_version()
        if before != spec_version:
            # 0: block 1, whose state this runtime made itself.
            for pallet in self.pallets.values() if before else ():
                self.hook_weight += pallet.on_runtime_upgrade(before)
            self._system.set_runtime_version(spec_version)
        for pallet in self.pallets.values():
            self.hook_weight += pallet.on_initialize()
        self.begin_extrinsics()

    def begin_extrinsics(self) -> None:
        """Let what follows count as done by extrinsics."""
        self._phase = EventRecord.APPLY_EXTRINSIC

    def apply(self, extrinsic: Checked) -> DispatchError | None:
        """Apply an extrinsic; return the dispatch error of a normal one that was refused and paid its fee.

        Raise DoesNotFit or InvalidTransaction, and leave no trace, when this block cannot contain it.
        """
        self.require_space(extrinsic)
        if extrinsic.operational:
            self._apply_operational(extrinsic)
            error = None
        else:
            error = self._apply_normal(extrinsic)
        kind = int(extrinsic.operational)
        self.weight[kind] += extrinsic.weight
        self.bytes[kind] += extrinsic.length
        self.applied += 1
        return error

    def finalize(self) -> None:
        """Pay the author, then run on_idle with the weight that is left, then on_finalize."""
        self._phase = EventRecord.FINALIZE
        self._coin.reward_author(self.fees)
        space = self.limits.normal_weight + self.limits.operational_weight
        for pallet in self.pallets.values():
            self.hook_weight += pallet.on_idle(max(0, space - self.total_weight))
        for pallet in self.pallets.values():
            pallet.on_finalize()

    def state_tree(self, base: VersionedState) -> TreeUpdate:
        """Return what this block makes of the tree of the state that it was executed on."""
        return update(base, base.version, self.state.changes, self.header.number, self.state.before)

    def announced(self) -> EpochChange | None:
        """Return what the block announces when it closes its epoch."""
        return self._validators.announced()

    def require_author(self) -> None:
        """Raise InvalidBlock unless the author is a validator of the epoch."""
        if not self._validators.is_member(self.header.author):
            raise InvalidBlock(
                f"block {self.header.number}: its author 0x{self.header.author.hex()} is no validator"
            )

    def require_space(self, extrinsic: Checked) -> None:
        """Raise DoesNotFit when the extrinsic's class has no space left for it."""
        limits = self.limits
        if extrinsic.operational:
            kind, weight, size = 1, limits.operational_weight, limits.operational_bytes
        else:
            kind, weight, size = 0, limits.normal_weight, limits.normal_bytes
        if self.weight[kind] + extrinsic.weight > weight:
            raise DoesNotFit(f"the {extrinsic.call.class_} extrinsics of a block weigh at most {weight}")
        if self.bytes[kind] + extrinsic.length > size:
            raise DoesNotFit(f"the {extrinsic.call.class_} extrinsics of a block have at most {size} bytes")

    def is_future(self, extrinsic: Checked) -> bool:
        """Return whether a valid extrinsic is ahead of this state. Nothing is written.

        Raise InvalidTransaction when it is not valid.
        """
        try:
            if extrinsic.operational:
                self._require_operational(extrinsic)
                self.state.begin()
                try:
                    self._dispatch_or_refuse(extrinsic)
                finally:
                    self.state.rollback()
            else:
                account = self._system.account(extrinsic.signer)
                due = account.nonce
                self._coin.charge(account, self._fee(extrinsic))
                check_due("nonce", extrinsic.sequence, due)
        except InvalidTransaction as error:
            if error.code != "future":
                raise
            return True
        return False

    def _apply_normal(self, extrinsic: Checked) -> DispatchError | None:
        """Take fee and nonce and dispatch the call; a refused call keeps only its fee and nonce."""
        fee = self._fee(extrinsic)
        events = len(self.events)
        self.state.begin()
        try:
            self._take_fee(extrinsic, fee)
            self._dispatch(extrinsic)
        except DispatchError as refused:
            self._undo(events)
            self._take_fee(extrinsic, fee)
            error: DispatchError | None = refused
        except RuntimeFault:
            self._undo(events)
            raise
        else:
            self.state.commit()
            error = None
        self.fees += fee
        self._coin.fee_paid(extrinsic.signer, fee)
        if error is None:
            self._system.extrinsic_succeeded(extrinsic.weight, fee)
        else:
            self._system.extrinsic_failed(error, extrinsic.weight, fee)
        return error

    def _fee(self, extrinsic: Checked) -> int:
        return self._coin.fee(extrinsic.length, extrinsic.weight, extrinsic.tip)

    def _take_fee(self, extrinsic: Checked, fee: int) -> None:
        account = self._system.account(extrinsic.signer)
        check_due("nonce", extrinsic.sequence, account.nonce)
        self._coin.charge(account, fee)
        self._system.put_account(extrinsic.signer, account)

    def _apply_operational(self, extrinsic: Checked) -> None:
        """Dispatch a validator's call, free of charge: a refused one makes the block invalid."""
        self._require_operational(extrinsic)
        events = len(self.events)
        self.state.begin()
        try:
            self._dispatch_or_refuse(extrinsic)
        except RuntimeFault:
            self._undo(events)
            raise
        self.state.commit()
        self._system.extrinsic_succeeded(extrinsic.weight, 0)

    def _require_operational(self, extrinsic: Checked) -> None:
        if not self._validators.is_member(extrinsic.signer):
            raise InvalidTransaction("not_validator", "only validators may sign operational calls")
        current = cast(roles.RoundRole, self.pallets[roles.ROUND]).current_round()
        check_due("round", extrinsic.sequence, current)

    def _dispatch_or_refuse(self, extrinsic: Checked) -> None:
        try:
            self._dispatch(extrinsic)
        except DispatchError as error:
            raise InvalidTransaction("call", str(error), error.label) from error

    def _dispatch(self, extrinsic: Checked) -> None:
        """Run the call. Raise DispatchError when it is refused and CallDefect when it breaks."""
        operational = extrinsic.operational
        origin = Origin(extrinsic.signer, extrinsic.sequence if operational else None)
        function = getattr(self.pallets[extrinsic.pallet], extrinsic.call.name)
        try:
            function(origin, extrinsic.args)
        except DispatchError:
            raise
        except Exception as error:
            raise CallDefect(extrinsic.pallet, extrinsic.call.name, error) from error

    def _undo(self, events: int) -> None:
        self.state.rollback()
        del self.events[events:]

    def _emit(self, pallet: str, name: str, data: bytes) -> None:
        index = self.applied if self._phase == EventRecord.APPLY_EXTRINSIC else 0
        self.events.append(
            EventRecord(phase=self._phase, extrinsic_index=index, pallet=pallet, name=name, data=data)
        )
