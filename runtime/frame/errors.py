"""Errors of the runtime."""

from __future__ import annotations


class RuntimeFault(Exception):
    """Base of every error the runtime raises on purpose."""


class DispatchError(RuntimeFault):
    """A call that was refused. Its writes are undone; a fee already taken stays taken.

    Pallets derive one class a reason; the class name is the error's name and the docstring its documentation in the
    metadata. `pallet` is filled in when the pallet that lists the error is defined.
    """

    pallet: str = ""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def label(self) -> str:
        """The error as events and clients name it, for example `coin.InsufficientBalance`."""
        return f"{self.pallet}.{type(self).__name__}"

    def __str__(self) -> str:
        return f"{self.label}: {self.detail}" if self.detail else self.label


class InvalidTransaction(RuntimeFault):
    """An extrinsic that no block may contain at this state.

    `code` is one of malformed, bad_signature, unknown_call, stale, future, expired, payment, call, not_validator
    and defect (runtime/transactions.py); `label` names the dispatch error behind it, where there is one.
    """

    def __init__(self, code: str, reason: str, label: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.label = label


class InvalidBlock(RuntimeFault):
    """A block that breaks a rule, with the rule and the values that break it."""


class GenesisError(RuntimeFault):
    """A genesis configuration that the pallets refuse."""
