"""The node's network."""

from __future__ import annotations

import trio

from node.blobs import BlobStore
from node.network.types import Handlers, NetworkSettings, Peer
from pocl.v1.network_pb2 import SyncRequest, SyncResponse


class Network:
    """All of the node's talk with its peers. Everything here is called on the trio thread."""

    peer_id: str
    """Base58, known from the start."""

    def __init__(self, settings: NetworkSettings, handlers: Handlers, blobs: BlobStore) -> None: ...

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, connect and serve until cancelled; `started` when listening. NodeStartError: port in use."""

    @property
    def port(self) -> int:
        """The port listened on, once started."""

    @property
    def addresses(self) -> list[str]:
        """Multiaddrs with /p2p/ under which others on this host or network may dial this node."""

    def peers(self) -> list[Peer]: ...

    def broadcast_consensus(self, data: bytes) -> None:
        """Queue canonical ConsensusMessage bytes for every peer; never waits."""

    def send_consensus(self, to: bytes | Peer, data: bytes) -> bool:
        """Queue for one peer (or the peer that proved that account). False when it is not connected."""

    def broadcast_transactions(self, extrinsics: list[bytes]) -> None:
        """Queue extrinsics for every peer not known to have them."""

    def announce_block(self, data: bytes) -> None:
        """Queue canonical BlockAnnounce bytes for every peer not known to have the block."""

    async def request_sync(
        self, peer_id: str, request: SyncRequest, timeout_s: float = 20.0
    ) -> SyncResponse:
        """Ask a connected peer for blocks. Raise RequestFailed."""

    async def fetch_blob(
        self, name: bytes, max_bytes: int, holder: bytes | None = None, timeout_s: float = 60.0
    ) -> bytes | None:
        """Return the verified bytes of a blob from the peers, asking the validator `holder` first. None when
        nobody gave it in time. Stores nothing."""

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        """Charge a peer; at 100 points it is disconnected and banned for a while. Points decay."""
