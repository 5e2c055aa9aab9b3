"""What the executive asks of the pallets it relies on. It finds them by name, and refuses to be without.

system      accounts, and the events that close an extrinsic
coin        fees
validators  who may author blocks and sign operational calls, and the announcement of the next epoch
round       the current round; needed only when a pallet has operational calls
"""

from __future__ import annotations

from typing import Protocol

from pocl.v1.block_pb2 import EpochChange
from pocl.v1.system_pb2 import AccountInfo
from runtime.frame.errors import DispatchError

SYSTEM, COIN, VALIDATORS, ROUND = "system", "coin", "validators", "round"


class SystemRole(Protocol):
    """Accounts, the runtime's version, and how an extrinsic ended."""

    def account(self, who: bytes) -> AccountInfo:
        """Return an account's record, a fresh one with zeros when there is none."""

    def put_account(self, who: bytes, account: AccountInfo) -> None:
        """Set an account's record."""

    def runtime_version(self) -> int:
        """Return the spec version that executed the last block; 0 before block 1."""

    def set_runtime_version(self, version: int) -> None:
        """Note the spec version that executes from now on."""

    def extrinsic_succeeded(self, weight: int, fee: int) -> None:
        """Tell of an extrinsic that was applied."""

    def extrinsic_failed(self, error: DispatchError, weight: int, fee: int) -> None:
        """Tell of a normal extrinsic whose call was refused and undone."""


class CoinRole(Protocol):
    """Fees of the normal class, in the smallest unit."""

    def fee(self, length: int, weight: int, tip: int) -> int:
        """Return the fee of an extrinsic of `length` bytes and that weight; it may exceed a u128."""

    def charge(self, account: AccountInfo, fee: int) -> None:
        """Take the fee and the nonce out of an account's record, which the caller puts back.

        Raise InvalidTransaction("payment") when the free balance is too small.
        """

    def fee_paid(self, who: bytes, fee: int) -> None:
        """Tell of a fee that goes to the block's author."""

    def reward_author(self, fees: int) -> None:
        """Give the block's author what `charge` took in this block."""


class ValidatorsRole(Protocol):
    """The validator set of the epoch."""

    def is_member(self, account: bytes) -> bool:
        """Return whether the account is a validator."""

    def announced(self) -> EpochChange | None:
        """Return what this block announces when it closes its epoch, else None."""


class RoundRole(Protocol):
    """The current round."""

    def current_round(self) -> int:
        """Return the number that operational calls must name now."""
