"""What a node's services are to its gRPC server, whose threads ask the trio thread for all that it owns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

from node.blobs import BlobMeta, BlobStore
from node.chain import Chain
from node.config import NodeConfig
from node.consensus.driver import ConsensusDriver
from node.consensus.signing import note
from node.network import Network
from node.pool import TransactionPool
from node.rpc.context import ConsensusStatus, InTrio, RpcContext
from node.rpc.reports import WorkerReports
from node.rpc.server import RpcServer, start_server
from node.status.collect import StatusBoard
from node.sync import Synchronizer
from node.worker_process import write_token
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.node_service_pb2 import PeerInfo

T = TypeVar("T")


def serve_clients(
    *,
    config: NodeConfig,
    chain: Chain,
    pool: TransactionPool,
    blobs: BlobStore,
    network: Network,
    sync: Synchronizer,
    driver: ConsensusDriver | None,
    status: StatusBoard,
    reports: WorkerReports,
    submit: Callable[[bytes], bytes],
    may_serve: Callable[[BlobMeta], bool],
) -> RpcServer:
    """Start the gRPC server of these services, from the trio thread. Raise NodeStartError."""
    token = trio.lowlevel.current_trio_token()

    def in_trio(function: Callable[[], T], /) -> T:
        return trio.from_thread.run_sync(function, trio_token=token)

    def fetch_blob(name: bytes, *, max_bytes: int, timeout_s: float, holder: bytes | None) -> bytes | None:
        return trio.from_thread.run(network.fetch_blob, name, max_bytes, holder, timeout_s, trio_token=token)

    context = RpcContext(
        config=config,
        chain=chain,
        pool=pool,
        blobs=blobs,
        in_trio=in_trio,
        submit=submit,
        fetch_blob=fetch_blob,
        may_serve=may_serve,
        peers=lambda: _peer_infos(network),
        consensus_status=lambda: _consensus_status(chain, driver),
        status=status.facts,
        syncing=lambda: sync.syncing,
        peer_id=network.peer_id,
        addresses=lambda: network.addresses,
        before_signing=lambda call, round: note_call(driver, in_trio, call, round),
        worker_token=write_token(config.base_path) if config.account else None,
        reports=reports,
    )
    return start_server(context)


def note_call(driver: ConsensusDriver | None, in_trio: InTrio, call: Call, round: int) -> None:
    """Write down a call that is about to be signed; see node/consensus/signing.py."""
    if driver is None:
        return
    journal = in_trio(lambda: driver.journal_for_call(round))
    # Here and not on the trio thread, which must not wait for the disk.
    note(journal, call, round)


def _peer_infos(network: Network) -> list[PeerInfo]:
    return [
        PeerInfo(
            peer_id=peer.peer_id,
            address=peer.address,
            role="full" if peer.validator is None else "validator",
            validator=peer.validator or b"",
            final_number=peer.final_number,
            name=peer.name,
        )
        for peer in network.peers()
    ]


def _consensus_status(chain: Chain, driver: ConsensusDriver | None) -> ConsensusStatus:
    if driver is None:
        return ConsensusStatus(chain.epoch_change.epoch, 0, b"", ())
    return ConsensusStatus(driver.epoch, driver.view, driver.leader, list(driver.finality_ms))
