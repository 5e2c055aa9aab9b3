"""Why a call of the coin pallet is refused."""

from runtime.frame import DispatchError


class InsufficientBalance(DispatchError):
    """The sender's free balance is below the amount."""


class QueueFull(DispatchError):
    """The queue of transfers holds as many as it may; try again after the next round."""


class ZeroAmount(DispatchError):
    """A transfer moves at least one unit."""


class MalformedAmount(DispatchError):
    """An amount is a u128 of exactly 16 bytes."""


class MalformedAccount(DispatchError):
    """An account has exactly 32 bytes."""


class NotQueued(DispatchError):
    """There is no transfer of that index: it was paid, cancelled, or never made."""


class NotSender(DispatchError):
    """Only its sender can cancel a transfer."""


class Dealt(DispatchError):
    """The transfer is with a miner of the current round, or settled and about to be paid."""
