"""NodeService: what the node says of itself."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version

import grpc

from node.rpc.context import RpcContext
from node.rpc.limits import is_loopback
from node.rpc.status_message import status_message
from node.status.facts import measure_disk
from pocl.v1 import node_service_pb2 as pb
from pocl.v1.node_service_pb2_grpc import NodeServiceServicer


class NodeService(NodeServiceServicer):
    """See proto/pocl/v1/node_service.proto."""

    def __init__(self, node: RpcContext) -> None:
        self._node = node
        self._version = version("pocl-node")

    def GetInfo(self, request: pb.GetNodeInfoRequest, context: grpc.ServicerContext) -> pb.NodeInfo:
        """Return identity, heights, agreement, pool and worker of this node."""
        return self._node.in_trio(self._info)

    def ListPeers(self, request: pb.ListPeersRequest, context: grpc.ServicerContext) -> pb.ListPeersResponse:
        """Return the peers this node is connected to."""
        return pb.ListPeersResponse(peers=self._node.in_trio(self._node.peers))

    def GetStatus(self, request: pb.GetStatusRequest, context: grpc.ServicerContext) -> pb.NodeStatus:
        """Return why the chain moves or does not, as this node sees it."""
        facts = self._node.in_trio(self._node.status)
        if is_loopback(context.peer()):
            return status_message(facts.with_disk(measure_disk(self._node.config.base_path)))
        # The machine and what its worker complains of concern nobody outside.
        return status_message(dataclasses.replace(facts, worker_error=""))

    def _info(self) -> pb.NodeInfo:
        node, config = self._node, self._node.config
        consensus, pool = node.consensus_status(), node.pool.stats
        return pb.NodeInfo(
            name=config.name,
            version=self._version,
            peer_id=node.peer_id,
            addresses=node.addresses(),
            chain=config.chain.id,
            role=config.role,
            validator=config.account or b"",
            peers=len(node.peers()),
            epoch=consensus.epoch,
            view=consensus.view,
            leader=consensus.leader,
            final_number=node.chain.final_number,
            best_number=node.chain.best_header.number,
            pool_ready=pool.ready,
            pool_future=pool.future,
            syncing=node.syncing(),
            worker=node.reports.state,
            finality_ms=consensus.finality_ms,
        )
