"""Validation of extrinsics for the pool: one state, many extrinsics, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Container

from runtime.execution import DoesNotFit, Execution
from runtime.frame.errors import InvalidTransaction
from runtime.transactions import Checked, Rules, ValidTransaction, check, valid

MAX_SHARED = 4096
"""State entries that a shared block may have read, about 1 MB: every account that ever signed is one, and as long as
no block becomes final the state stays the same."""


class Validation:
    """What `Runtime.validate_transaction` says on one state (`Runtime.validation` makes it).

    Normal extrinsics, of which only nonce and balance are looked up, share a block that is never executed, and is
    replaced when it has read MAX_SHARED entries. The call of an operational one is tried out, on a block of its own.
    """

    def __init__(self, rules: Rules, next_block: Callable[[], Execution]) -> None:
        self._rules = rules
        self._next_block = next_block
        self._shared = next_block()

    def __call__(self, data: bytes, verified: Container[bytes] = ()) -> ValidTransaction:
        """Raise InvalidTransaction with its code (runtime/transactions.py)."""
        if len(self._shared.state.before) >= MAX_SHARED:
            self._shared = self._next_block()
        checked = check_fitting(self._rules, self._shared, data, verified)
        block = self._next_block() if checked.operational else self._shared
        return valid(checked, future=block.is_future(checked))


def check_fitting(rules: Rules, block: Execution, data: bytes, verified: Container[bytes]) -> Checked:
    """Return an extrinsic that was checked for an empty block (rules 1 to 4). Raise InvalidTransaction."""
    checked = check(rules, data, block.header.number, verified)
    try:
        block.require_space(checked)
    except DoesNotFit as error:
        raise InvalidTransaction("malformed", f"too large for any block: {error}") from None
    return checked
