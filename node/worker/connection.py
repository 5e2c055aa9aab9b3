"""The worker's gRPC connection to its own node, and what it asks when it starts."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from node.errors import PoclError
from node.learning_task import LearningTask, parse_task
from pallets.model_propose.pallet import ModelPropose
from pallets.round.pallet import Round
from pallets.validators.pallet import Validators
from pocl.v1.chain_service_pb2 import GetChainInfoRequest
from pocl.v1.chain_service_pb2_grpc import ChainServiceStub
from pocl.v1.node_service_pb2 import GetNodeInfoRequest
from pocl.v1.node_service_pb2_grpc import NodeServiceStub
from pocl.v1.round_pb2 import RoundConfig
from pocl.v1.rounds_service_pb2_grpc import RoundsServiceStub
from pocl.v1.state_service_pb2 import GetStorageRequest
from pocl.v1.state_service_pb2_grpc import StateServiceStub
from pocl.v1.validators_pb2 import ValidatorSet
from pocl.v1.worker_service_pb2_grpc import WorkerServiceStub

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 20.0
MAX_MESSAGE_BYTES = 64 * 2**20
RETRY_S = 0.5
SET_RETRY_S = 2.0
"""The set changes once a round."""

_NOT_THERE_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class WorkerError(PoclError):
    """The worker cannot do its work: the message is one line."""


class Connection:
    """Stubs of the services the worker uses. Any thread may use them.

    `stopping` is set when the worker is told to stop: failures of the connection then are nothing to speak of.
    """

    def __init__(self, address: str, token: str, stopping: threading.Event | None = None) -> None:
        self.stopping = stopping or threading.Event()
        self.channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.enable_http_proxy", 0),  # the node is on this machine, whatever the environment says
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 5000),
            ],
        )
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.chain = ChainServiceStub(self.channel)
        self.node = NodeServiceStub(self.channel)
        self.state = StateServiceStub(self.channel)
        self.rounds = RoundsServiceStub(self.channel)
        self.worker = WorkerServiceStub(self.channel)

    def close(self) -> None:
        """End every call in progress."""
        self.channel.close()

    def call(self, method: Any, request: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Make a unary call as the node's worker. Raise grpc.RpcError."""
        return method(request, timeout=timeout_s, metadata=self.metadata)


@dataclass(frozen=True)
class Miner:
    """Who this worker mines for, and what is to be learnt."""

    account: bytes
    genesis_hash: bytes
    task: LearningTask
    config: RoundConfig
    index: int
    """Place in the sorted validator set, which numbers the shares of the data: in the set at the worker's start.

    Later changes of the set move nobody's share while its worker runs, so two miners may come to share records.
    """
    miners: int


def read_token(file: Path) -> str:
    """Return the token the node wrote. Raise WorkerError."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkerError(f"{file}: the token cannot be read: {error}") from None
    if not token:
        raise WorkerError(f"{file}: is empty: it must hold the token the node gave its worker")
    return token


def ask_who_i_am(connection: Connection) -> Miner:
    """Return what the node says of its validator and its chain; wait while the node is not up yet.

    While its account is not in the validator set there is nothing to do: that is waited for, too.

    Raise WorkerError when the node has no validator or refuses to answer, ChainSpecError for a malformed
    task.
    """
    told = ""
    while True:
        try:
            miner = _ask(connection)
            if miner is not None:
                return miner
            why, pause = "waiting for a place in the validator set", SET_RETRY_S
        except grpc.RpcError as error:
            if error.code() not in _NOT_THERE_YET:
                raise WorkerError(f"the node refused: {error.details()}") from None
            why, pause = f"waiting for the node: {error.details()}", RETRY_S
        if why != told:
            log.info("%s", why)
            told = why
        if connection.stopping.wait(pause):
            raise SystemExit(0)


def _ask(connection: Connection) -> Miner | None:
    """Return who this worker mines for; None while the account is not in the validator set."""
    account = connection.call(connection.node.GetInfo, GetNodeInfoRequest()).validator
    if not account:
        raise WorkerError("the node has no validator key: only a validator's worker takes part in rounds")
    info = connection.call(connection.chain.GetInfo, GetChainInfoRequest())
    validators = list(ValidatorSet.FromString(_storage(connection, Validators.Set)).validators)
    if account not in validators:
        return None
    return Miner(
        account=account,
        genesis_hash=info.genesis_hash,
        task=parse_task(_storage(connection, ModelPropose.Task)),
        config=RoundConfig.FromString(_storage(connection, Round.Config)),
        index=validators.index(account),
        miners=len(validators),
    )


def _storage(connection: Connection, item: Any) -> bytes:
    """Return a single value of the final state."""
    response = connection.call(connection.state.GetStorage, GetStorageRequest(key=item.prefix))
    if not response.exists:
        raise WorkerError(
            f"the chain's state has no {item.pallet}.{item.name}: node and worker differ in version"
        )
    value: bytes = response.value
    return value
