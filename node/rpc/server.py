"""Starting and stopping the gRPC server."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import trio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from node.errors import NodeStartError
from node.rpc.blobs_service import BlobsService
from node.rpc.chain_service import ChainService
from node.rpc.context import RpcContext
from node.rpc.feed import FinalFeed
from node.rpc.guard import Guard
from node.rpc.limits import PlaceLimit, RpcLimits
from node.rpc.node_service import NodeService
from node.rpc.rounds_service import RoundsService
from node.rpc.state_service import StateService
from node.rpc.tracker import TransactionTracker
from node.rpc.transactions_service import TransactionsService
from node.rpc.worker_service import WorkerService
from pocl.v1 import (
    blobs_service_pb2,
    blobs_service_pb2_grpc,
    chain_service_pb2,
    chain_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    rounds_service_pb2,
    rounds_service_pb2_grpc,
    state_service_pb2,
    state_service_pb2_grpc,
    transactions_service_pb2,
    transactions_service_pb2_grpc,
    worker_service_pb2,
    worker_service_pb2_grpc,
)

log = logging.getLogger("pocl.rpc")

_LOOPBACK = "127.0.0.1"

SERVICES = tuple(
    service.full_name
    for file in (
        chain_service_pb2,
        state_service_pb2,
        transactions_service_pb2,
        rounds_service_pb2,
        blobs_service_pb2,
        node_service_pb2,
        worker_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
)


class RpcServer:
    """A running gRPC server."""

    def __init__(
        self,
        server: grpc.Server,
        host: str,
        port: int,
        worker_address: str,
        close: Callable[[], None],
    ) -> None:
        self._server = server
        self._close = close
        self.host = host
        self.port = port
        """The port it listens on, also when the configuration said 0."""
        self.worker_address = worker_address
        """HOST:PORT for the node's worker, who is known by the loopback that it comes over."""

    @property
    def address(self) -> str:
        """HOST:PORT for clients on this machine."""
        return _join(_near(self.host), self.port)

    def stop(self, grace_s: float = 1.0) -> None:
        """End every call with UNAVAILABLE after at most `grace_s` seconds and close the port.

        Blocks: call it through `trio.to_thread.run_sync`, before the trio run ends.
        """
        self._close()
        self._server.stop(grace_s).wait()


def start_server(context: RpcContext, limits: RpcLimits | None = None) -> RpcServer:
    """Start serving on config.rpc_host and rpc_port. Call it on the trio thread: it subscribes to chain and
    pool.

    Raise NodeStartError when the port is in use or the address cannot be had.
    """
    limits = limits or RpcLimits()
    guard = Guard(limits, context.worker_token)
    server = grpc.server(
        ThreadPoolExecutor(limits.threads, thread_name_prefix="rpc"),
        interceptors=[guard],
        maximum_concurrent_rpcs=limits.threads + limits.waiting,
        options=[
            # Without this a second node on the same port would be let in and take half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.max_receive_bytes),
            ("grpc.max_send_message_length", limits.max_send_bytes),
            # Of one connection. A call holds a thread from its first header on, also when its message never
            # comes: no single connection can hold them all.
            ("grpc.max_concurrent_streams", limits.calls_per_connection),
            # Clients ping quiet streams (pocl/client/connection.py): the default allows it every 5 minutes
            # only.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ],
    )
    host, port = context.config.rpc_host, context.config.rpc_port
    bound = _bind(server, host, port)
    worker_address = _join(_near(host), bound)
    if context.config.worker and context.worker_token is not None and not _is_loopback(_near(host)):
        worker_address = _join(_LOOPBACK, _bind(server, _LOOPBACK, 0))
    feed = FinalFeed(context.chain.final_number)
    unsubscribe = context.chain.on_final(lambda blocks: feed.advance(blocks[-1].header.number))
    tracker = TransactionTracker(context.chain, context.pool)
    status = _add_services(server, context, feed, tracker, guard, limits)

    def unlisten() -> None:
        tracker.close()
        unsubscribe()

    def close() -> None:
        guard.close()
        status.enter_graceful_shutdown()
        feed.close()
        try:
            context.in_trio(unlisten)
        except (trio.Cancelled, trio.RunFinishedError):
            # The trio thread does nothing any more that this could disturb.
            unlisten()

    server.start()
    log.info("gRPC listens on %s", _join(host, bound))
    return RpcServer(server, host, bound, worker_address, close)


def _add_services(
    server: grpc.Server,
    context: RpcContext,
    feed: FinalFeed,
    tracker: TransactionTracker,
    guard: Guard,
    limits: RpcLimits,
) -> health.HealthServicer:
    chain_service_pb2_grpc.add_ChainServiceServicer_to_server(ChainService(context, feed), server)
    ranges = PlaceLimit(limits.ranges, limits.ranges_per_host, "range proofs are being made")
    state_service_pb2_grpc.add_StateServiceServicer_to_server(StateService(context, feed, ranges), server)
    transactions_service_pb2_grpc.add_TransactionsServiceServicer_to_server(
        TransactionsService(context, tracker, guard.charge_batch), server
    )
    rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(RoundsService(context, feed), server)
    blobs_service_pb2_grpc.add_BlobsServiceServicer_to_server(BlobsService(context), server)
    node_service_pb2_grpc.add_NodeServiceServicer_to_server(NodeService(context), server)
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerService(context), server)
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    for name in SERVICES:
        status.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return status


def _bind(server: grpc.Server, host: str, port: int) -> int:
    try:
        bound = server.add_insecure_port(_join(host, port))
    except RuntimeError:
        bound = 0
    if not bound:
        raise NodeStartError(
            f"gRPC cannot listen on {_join(host, port)}: the port is in use, or the address is not this "
            "machine's (--rpc-port, --rpc-listen)"
        )
    return bound


def _near(host: str) -> str:
    """Return the host under which this machine reaches what listens on `host`."""
    return {"0.0.0.0": _LOOPBACK, "::": "::1", "[::]": "::1"}.get(host, host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
