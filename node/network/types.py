"""What the network is told, what it tells, and what the rest of the node knows of a peer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from node.blobs import BlobMeta
from node.errors import PoclError
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage
from pocl.v1.network_pb2 import BlockAnnounce, StateRequest, StateResponse, SyncRequest, SyncResponse


class RequestFailed(PoclError):
    """A request to a peer got no usable answer: it is not connected, was too slow, or answered nonsense."""


@dataclass(frozen=True)
class NetworkSettings:
    """One node's side of the network.

    `port` 0 lets the system choose; `Network.port` then tells which. `max_peers` bounds all peers, and of
    those places `validator_slots` are only for peers that prove an account of the validator set.
    `validator_key` makes this node a validator in the eyes of others. Bootnodes are multiaddrs that end in
    /p2p/<peer id>.
    """

    genesis_hash: bytes
    node_key_seed: bytes = field(repr=False)
    name: str = ""
    host: str = "0.0.0.0"
    port: int = 30333
    bootnodes: tuple[str, ...] = ()
    validator_key: Keypair | None = field(default=None, repr=False)
    max_peers: int = 64
    validator_slots: int = 32
    max_blob_bytes: int = 2**30
    """No blob of this chain is larger; none is pulled, whatever a caller allows."""

    silence_s: float = 20.0
    """A peer not heard of for this long is disconnected; a quarter of it is the interval of signs of life."""

    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    """The clock told to peers that ask for it, Unix milliseconds."""


@dataclass(eq=False)
class Peer:
    """A connected peer whose handshake was good. One object a connection: who comes back is a new one.

    `validator` is the account that the peer proved to hold, None for others; whether that account is in the
    current set is the caller's question. `final_number` and `epoch` are what the peer said last (handshake,
    announcements and sync answers raise final_number). `address` is where the connection comes from.
    """

    peer_id: str
    name: str
    validator: bytes | None
    final_number: int
    epoch: int
    address: str
    inbound: bool
    connected_at: float
    """trio.current_time() when the handshake was done."""
    begun: Certificate | None = None
    """What its handshake showed for that something is final, not checked (node/beginning.py)."""
    clock_s: float | None = None
    """Its clock (Unix seconds) minus trio's, when it last told the time: trio's clock is never set, so a jump of
    the own clock since then shows as well."""

    def clock_offset_ms(self, now_ms: int) -> int | None:
        """Return how far its clock is ahead of the own one, which shows `now_ms`; None before it told the time."""
        if self.clock_s is None:
            return None
        return round((self.clock_s + trio.current_time()) * 1000) - now_ms


@dataclass(frozen=True)
class Handlers:
    """What the node does with what the network brings. All are called on the trio thread and must not block.

    An exception from a handler is logged as an error of this node, and the peer stays: what a peer does wrong
    is punished with `Network.penalize`.
    """

    on_consensus: Callable[[Peer, ConsensusMessage], None]
    """A canonical message with one of its kinds set. Signatures are not checked."""

    on_transactions: Callable[[Peer, list[bytes]], None]
    """Extrinsics not seen lately, not validated. The network relays none of them: what the pool accepts is
    given back with `Network.broadcast_transactions`."""

    on_announce: Callable[[Peer, BlockAnnounce], bool]
    """A final block not seen before. True when it is valid, and then the network relays it once."""

    serve_sync: Callable[[SyncRequest], SyncResponse]
    """Answer a sync request, within its max_blocks and max_bytes, and within 8 MiB. Called on a worker
    thread: it reads the database."""

    final_number: Callable[[], int]
    epoch: Callable[[], int]

    may_serve: Callable[[BlobMeta], bool]
    """Whether a blob may be given to peers now."""

    on_peer: Callable[[Peer], None] = lambda peer: None
    """A peer is connected both ways; what is sent to it from now on arrives in order."""

    off_peer: Callable[[Peer], None] = lambda peer: None

    serve_state: Callable[[StateRequest], StateResponse] = lambda request: StateResponse()
    """Answer a request for headers or state, within its max_bytes. Called on a worker thread."""

    begun: Callable[[], Certificate | None] = lambda: None
    """What shows others that something is final here; None while nothing is."""

    is_validator: Callable[[bytes], bool] = lambda account: True
    """Whether an account is in the current validator set: such peers get the kept slots."""
