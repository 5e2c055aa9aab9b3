"""What the transaction pool speaks: its errors, events, bounds, and what it asks of a validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from node.errors import PoclError


class PoolError(PoclError):
    """The pool does not take a transaction, valid as it may be."""


class AlreadyInPool(PoolError):
    """The very same extrinsic is in the pool."""


class Underpriced(PoolError):
    """The pool holds one for the same (sender, nonce) or (round, kind, sender), and this one pays no more."""


class PoolFull(PoolError):
    """A bound is reached and everything in the pool is worth at least as much."""


class PoolStatus(Enum):
    """Where a transaction is in the pool."""

    READY = "ready"
    FUTURE = "future"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class PoolEvent:
    """A transaction's new status. Inclusion in a block is no event of the pool: the chain tells of it."""

    hash: bytes
    status: PoolStatus
    reason: str = ""
    """Why it was dropped."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of the pool; bytes are those of extrinsics."""

    max_count: int = 8192
    max_bytes: int = 16 * 2**20
    max_per_sender: int = 256
    max_extrinsic_bytes: int = 2**20
    operational_count: int = 4096
    operational_bytes: int = 32 * 2**20
    max_early_per_sender: int = 8
    """Operational calls of rounds to come, which no state can judge yet."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How full the pool is; `ready` counts the operational ones too."""

    ready: int
    future: int
    bytes: int


class Validated(Protocol):
    """What the pool reads of a validation's result."""

    @property
    def signer(self) -> bytes: ...
    @property
    def operational(self) -> bool: ...
    @property
    def provides(self) -> bytes: ...
    @property
    def nonce(self) -> int: ...
    @property
    def future(self) -> bool: ...
    @property
    def priority(self) -> int: ...
    @property
    def valid_until(self) -> int: ...


Validate = Callable[[bytes], Validated]
"""Validates an extrinsic on the newest state; raises InvalidTransaction."""
