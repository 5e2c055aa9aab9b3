"""What the devnet asks of its nodes over gRPC."""

from __future__ import annotations

import grpc

from pocl.v1 import (
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

TIMEOUT_S = 20.0
"""A devnet's nodes share one machine with their training: answers may take a while."""


class RemoteNode:
    """One node's gRPC services. Every method raises grpc.RpcError when the node cannot answer."""

    def __init__(self, name: str, address: str, worker_token: str) -> None:
        self.name = name
        self._channel = grpc.insecure_channel(address)
        self._chain = chain_service_pb2_grpc.ChainServiceStub(self._channel)
        self._node = node_service_pb2_grpc.NodeServiceStub(self._channel)
        self._rounds = rounds_service_pb2_grpc.RoundsServiceStub(self._channel)
        self._state = state_service_pb2_grpc.StateServiceStub(self._channel)
        self._transactions = transactions_service_pb2_grpc.TransactionsServiceStub(self._channel)
        self._worker = worker_service_pb2_grpc.WorkerServiceStub(self._channel)
        self._token = (("authorization", f"Bearer {worker_token}"),)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def chain_info(self) -> chain_service_pb2.ChainInfo:
        """Return heights, hashes and versions."""
        return self._chain.GetInfo(chain_service_pb2.GetChainInfoRequest(), timeout=TIMEOUT_S)

    def node_info(self) -> node_service_pb2.NodeInfo:
        """Return the node's view of itself."""
        return self._node.GetInfo(node_service_pb2.GetNodeInfoRequest(), timeout=TIMEOUT_S)

    def block(self, number: int) -> chain_service_pb2.BlockView:
        """Return a final block with its events."""
        return self._chain.GetBlock(chain_service_pb2.GetBlockRequest(number=number), timeout=TIMEOUT_S)

    def current_round(self) -> rounds_service_pb2.RoundView:
        """Return the current round at the last final block."""
        return self._rounds.GetCurrent(rounds_service_pb2.GetCurrentRoundRequest(), timeout=TIMEOUT_S)

    def round(self, number: int) -> rounds_service_pb2.RoundView:
        """Return one round."""
        return self._rounds.GetRound(rounds_service_pb2.GetRoundRequest(round=number), timeout=TIMEOUT_S)

    def reports(self, from_round: int) -> list[worker_service_pb2.WorkerReport]:
        """Return what this node's worker measured in its rounds."""
        request = worker_service_pb2.ListReportsRequest(from_round=from_round)
        answer = self._worker.ListReports(request, timeout=TIMEOUT_S, metadata=self._token)
        return list(answer.reports)

    def next_nonce(self, account: bytes) -> int:
        """Return the nonce for the account's next transaction."""
        request = state_service_pb2.GetAccountRequest(account=account)
        return self._state.GetAccount(request, timeout=TIMEOUT_S).pool_nonce

    def submit(self, extrinsic: bytes) -> bytes:
        """Submit an extrinsic and return its hash."""
        request = transactions_service_pb2.SubmitRequest(extrinsic=extrinsic)
        return self._transactions.Submit(request, timeout=TIMEOUT_S).hash
