"""What the gRPC services need of the node they belong to, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from node.blobs import BlobMeta, BlobStore
from node.chain import Chain
from node.config import NodeConfig
from node.pool import TransactionPool
from node.rpc.reports import WorkerReports
from node.status.facts import Facts
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.node_service_pb2 import PeerInfo

T = TypeVar("T")


class InTrio(Protocol):
    """Runs a synchronous function on the trio thread and returns its result or raises its exception.

    Called from a gRPC thread. At shutdown it may raise trio.Cancelled or trio.RunFinishedError.
    """

    def __call__(self, function: Callable[[], T], /) -> T: ...


class FetchBlob(Protocol):
    """Pulls a blob from peers, the holder first, and returns None when nobody had it in time.

    Called from a gRPC thread, which it blocks. The blob store is not asked: the caller has done that.
    """

    def __call__(
        self, name: bytes, *, max_bytes: int, timeout_s: float, holder: bytes | None
    ) -> bytes | None: ...


@dataclass(frozen=True)
class ConsensusStatus:
    """Where agreement stands at this node."""

    epoch: int
    view: int
    leader: bytes
    """Account of the view's leader."""
    finality_ms: Sequence[int]
    """Proposal to final, of the last blocks this node saw proposed; oldest first, at most 4096."""


@dataclass(frozen=True)
class RpcContext:
    """The node as its services see it.

    Unless said otherwise a callable is called on the trio thread (inside `in_trio`), must not block and
    returns a snapshot that nobody changes afterwards.
    """

    config: NodeConfig
    chain: Chain
    pool: TransactionPool
    blobs: BlobStore
    in_trio: InTrio
    submit: Callable[[bytes], bytes]
    """Take an extrinsic into the pool and let it be gossiped; return its hash. Raises InvalidTransaction or
    PoolError."""
    fetch_blob: FetchBlob
    may_serve: Callable[[BlobMeta], bool]
    """Whether peers may have this blob now: what holds for peers holds for clients."""
    peers: Callable[[], Sequence[PeerInfo]]
    consensus_status: Callable[[], ConsensusStatus]
    status: Callable[[], Facts]
    """Why the chain moves or does not, but for the disk."""
    syncing: Callable[[], bool]
    peer_id: str
    addresses: Callable[[], Sequence[str]]
    """This node's multiaddrs, with /p2p/."""
    before_signing: Callable[[Call, int], None] = lambda call, round: None
    """Called with a call of the worker, and its round, before it is signed, on the thread of the RPC. Raises
    CallWithheld when it may not be, LogError when the disk refuses to note it."""
    worker_token: str | None = field(default=None, repr=False)
    """What the node's own worker presents; None: WorkerService refuses everyone."""
    reports: WorkerReports = field(default_factory=WorkerReports)
    """The worker's reports; whoever supervises the process sets `state` when it starts, fails or is off."""
