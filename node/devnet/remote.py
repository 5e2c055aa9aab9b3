"""What the devnet asks of its nodes over gRPC: all that a client may, and what their workers measured."""

from __future__ import annotations

from functools import partial

import node.quiet_grpc  # noqa: F401  (first: grpc is loaded below)
from pocl.client import Client
from pocl.v1.worker_service_pb2 import ListReportsRequest, WorkerReport
from pocl.v1.worker_service_pb2_grpc import WorkerServiceStub

TIMEOUT_S = 20.0
"""A devnet's nodes share one machine with their training: answers may take a while."""


class RemoteNode(Client):
    """One node of a devnet. Every method raises ClientError when the node cannot answer."""

    def __init__(self, name: str, address: str, worker_token: str) -> None:
        super().__init__(address, timeout_s=TIMEOUT_S)
        self.name = name
        worker = WorkerServiceStub(self._connection.channel)
        self._list_reports = partial(
            worker.ListReports, metadata=(("authorization", f"Bearer {worker_token}"),)
        )

    def reports(self, from_round: int) -> list[WorkerReport]:
        """Return what this node's worker measured in its rounds."""
        request = ListReportsRequest(from_round=from_round)
        return list(self._connection.call(self._list_reports, request).reports)
