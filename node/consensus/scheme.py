"""Signatures as the core sees them, so that tests can put something cheaper in their place."""

from __future__ import annotations

from typing import Protocol

from pocl.keys import Keypair, verify
from runtime.certificates import Verify


class SignatureScheme(Protocol):
    """Signs for one validator and checks everybody's signatures."""

    @property
    def account(self) -> bytes | None:
        """The account signed for; None for a node that only follows."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of the message by `account`."""

    def verify(self, account: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is the account's."""


class Ed25519Scheme:
    """The chain's own signatures (pocl.keys)."""

    def __init__(self, keypair: Keypair | None, verify: Verify = verify) -> None:
        self._keypair = keypair
        self._verify = verify

    @property
    def account(self) -> bytes | None:
        """The key's account; None without a key."""
        return None if self._keypair is None else self._keypair.public

    def sign(self, message: bytes) -> bytes:
        """Return the signature. Raise ValueError without a key."""
        if self._keypair is None:
            raise ValueError("this node has no validator key: it cannot sign")
        return self._keypair.sign(message)

    def verify(self, account: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is the account's, by the one rule of this chain."""
        return self._verify(account, message, signature)
