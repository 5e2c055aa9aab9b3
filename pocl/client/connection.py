"""A channel to one node, and the stubs of its services."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc

from pocl.client.errors import ClientError
from pocl.v1.blobs_service_pb2_grpc import BlobsServiceStub
from pocl.v1.chain_service_pb2_grpc import ChainServiceStub
from pocl.v1.node_service_pb2_grpc import NodeServiceStub
from pocl.v1.rounds_service_pb2_grpc import RoundsServiceStub
from pocl.v1.state_service_pb2_grpc import StateServiceStub
from pocl.v1.transactions_service_pb2_grpc import TransactionsServiceStub

Q = TypeVar("Q")
A = TypeVar("A")

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")

_OPTIONS = [
    # A round's view carries every miner's predictions.
    ("grpc.max_receive_message_length", 64 * 2**20),
    # A stream may be silent for long; pings notice when its node has gone without a word.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
]


class Connection:
    """One node, by address. Nothing is sent before the first call."""

    def __init__(self, address: str, timeout_s: float) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[2]) < 2**16:
            raise ClientError(
                "INVALID_ARGUMENT", f"{address[:80]!r} is not a node's address: write HOST:PORT"
            )
        self.address = address
        self.timeout_s = timeout_s
        self.channel = grpc.insecure_channel(address, options=_OPTIONS)
        self.chain = ChainServiceStub(self.channel)
        self.state = StateServiceStub(self.channel)
        self.transactions = TransactionsServiceStub(self.channel)
        self.rounds = RoundsServiceStub(self.channel)
        self.blobs = BlobsServiceStub(self.channel)
        self.node = NodeServiceStub(self.channel)

    def close(self) -> None:
        """Close the channel; calls in progress end with CANCELLED."""
        self.channel.close()

    def call(self, method: Callable[..., A], request: object) -> A:
        """Return the answer of a unary method. Raise ClientError."""
        try:
            return method(request, timeout=self.timeout_s)
        except grpc.RpcError as error:
            raise self._error(error) from None

    def stream(
        self, method: Callable[..., Iterator[A]], request: object, timeout_s: float | None
    ) -> Iterator[A]:
        """Yield the answers of a streaming method, for ever or for `timeout_s`. Raise ClientError.

        The call is made at once, not when the first answer is asked for, and ends when the iterator is
        closed.
        """
        answers = method(request, timeout=timeout_s)
        return self._answers(answers)

    def _answers(self, answers: Iterator[A]) -> Iterator[A]:
        try:
            yield from answers
        except grpc.RpcError as error:
            raise self._error(error) from None
        finally:
            if isinstance(answers, grpc.Call):
                answers.cancel()

    def _error(self, error: grpc.RpcError) -> ClientError:
        code, details = grpc.StatusCode.UNKNOWN, str(error)
        if isinstance(error, grpc.Call):
            code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.UNAVAILABLE and details != "the node is stopping":
            return ClientError(
                code.name, f"no node answers at {self.address}: is it running, is this its gRPC port?"
            )
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return ClientError(code.name, f"the node at {self.address} did not answer in time")
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return ClientError(
                code.name, f"{self.address} does not serve this: is it a PoCL node of this version?"
            )
        return ClientError(code.name, details or code.name)
