"""Accounts, the block's number, and how extrinsics end."""

from __future__ import annotations

from typing import ClassVar

from pallets.system import weights
from pocl.extrinsics import u128
from pocl.v1.system_pb2 import AccountInfo, SystemCall, SystemEvent
from runtime.frame import (
    U32,
    U64,
    AccountId,
    DispatchError,
    Message,
    Origin,
    Pallet,
    StorageMap,
    StorageValue,
    call,
)

_ZERO = u128(0)


class System(Pallet):
    """What every runtime has: accounts with their nonces and balances, and the outcome of each extrinsic."""

    name = "system"
    events: ClassVar = {
        SystemEvent.ExtrinsicSuccess: "The extrinsic was applied; weight and fee are what it used and paid.",
        SystemEvent.ExtrinsicFailed: "The call was refused and undone; nonce and fee stay taken.",
    }

    Account = StorageMap(
        AccountId, Message(AccountInfo), doc="Nonce and balances of an account; absent = all zero."
    )
    Number = StorageValue(U64, default=0, doc="The number of the last block.")
    RuntimeVersion = StorageValue(
        U32, default=0, doc="The spec version that executed the last block; 0 before block 1."
    )

    def on_initialize(self) -> int:
        """Note the block's number."""
        self.Number.put(self.env.header.number)
        return 0

    @call(SystemCall.Remark, weight=weights.REMARK)
    def remark(self, origin: Origin, args: SystemCall.Remark) -> None:
        """Do nothing but pay the fee; for measurements and notes on chain."""

    # For the other pallets and the executive.

    def account(self, who: bytes) -> AccountInfo:
        """Return an account's record, a fresh one with zeros when there is none."""
        found: AccountInfo | None = self.Account.get(who)
        return AccountInfo(free=_ZERO, reserved=_ZERO) if found is None else found

    def put_account(self, who: bytes, account: AccountInfo) -> None:
        """Set an account's record."""
        self.Account.put(who, account)

    def runtime_version(self) -> int:
        """Return the spec version that executed the last block; 0 before block 1."""
        return self.RuntimeVersion.get()

    def set_runtime_version(self, version: int) -> None:
        """Note the spec version that executes from now on."""
        self.RuntimeVersion.put(version)

    def extrinsic_succeeded(self, weight: int, fee: int) -> None:
        """Tell of an extrinsic that was applied."""
        self.deposit(SystemEvent.ExtrinsicSuccess(weight=weight, fee=u128(fee)))

    def extrinsic_failed(self, error: DispatchError, weight: int, fee: int) -> None:
        """Tell of a normal extrinsic whose call was refused and undone."""
        self.deposit(
            SystemEvent.ExtrinsicFailed(
                pallet=error.pallet, error=type(error).__name__, weight=weight, fee=u128(fee)
            )
        )

    def try_state(self) -> None:
        """Check that every account's balances are u128."""
        for who, account in self.Account.items():
            assert len(account.free) == len(account.reserved) == 16, f"balances of 0x{who.hex()}"
