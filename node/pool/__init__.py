"""The transaction pool: valid extrinsics that wait for a block.

Rules:
- a sender's normal transactions are included in the order of their nonces; one is *ready* when nothing is
  missing before it, else *future*. Operational ones have no nonce, come first and have space of their own;
- of two with the same (sender, nonce) the later one is taken only if it pays a higher tip; an operational
  call that provides the same (round, kind, sender) as one in the pool is refused;
- a full pool evicts what is worth least: future before ready, then low priority, then the latest, always the
  sender's highest nonce, so that nobody's queue is torn. What would itself be evicted at once is refused
  (PoolFull);
- an operational call of a round to come cannot be judged yet, and costs nothing: a validator may have a few,
  and they make place for those that are due;
- a signature is verified once: `verified` names the extrinsics that validation has passed, and execution may
  rely on it;
- each block takes out what it included and what expired, and validates again the operational ones and, of the
  senders it touched, the first normal one that stays; those behind it are judged when they are first.

The pool has no clock, no I/O and no locks: it belongs to one thread.
"""

from node.pool.order import PoolTransaction, ReadyIterator
from node.pool.pool import TransactionPool
from node.pool.types import (
    AlreadyInPool,
    PoolError,
    PoolEvent,
    PoolFull,
    PoolLimits,
    PoolStats,
    PoolStatus,
    Underpriced,
    Validate,
    Validated,
)

__all__ = [
    "AlreadyInPool",
    "PoolError",
    "PoolEvent",
    "PoolFull",
    "PoolLimits",
    "PoolStats",
    "PoolStatus",
    "PoolTransaction",
    "ReadyIterator",
    "TransactionPool",
    "Underpriced",
    "Validate",
    "Validated",
]
