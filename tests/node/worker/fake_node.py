"""A node as its worker sees it: the real gRPC services, over a table of answers instead of a chain."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from node.learning_task import task_bytes
from pallets.model_propose.pallet import ModelPropose
from pallets.round.pallet import Round
from pallets.validators.pallet import Validators
from pocl.hashing import BLOB_CHUNK, blob_name, hash256
from pocl.keys import Keypair
from pocl.v1.blobs_service_pb2 import BlobChunk
from pocl.v1.chain_service_pb2 import ChainInfo
from pocl.v1.chain_service_pb2_grpc import ChainServiceServicer, add_ChainServiceServicer_to_server
from pocl.v1.node_service_pb2 import NodeInfo
from pocl.v1.node_service_pb2_grpc import NodeServiceServicer, add_NodeServiceServicer_to_server
from pocl.v1.round_pb2 import Phase, RoundConfig, RoundState
from pocl.v1.rounds_service_pb2 import MinerView, RoundView
from pocl.v1.rounds_service_pb2_grpc import RoundsServiceServicer, add_RoundsServiceServicer_to_server
from pocl.v1.state_service_pb2 import GetStorageResponse
from pocl.v1.state_service_pb2_grpc import StateServiceServicer, add_StateServiceServicer_to_server
from pocl.v1.validators_pb2 import ValidatorSet
from pocl.v1.worker_service_pb2 import (
    GetSaltResponse,
    PutBlobResponse,
    SubmitCallRequest,
    SubmitCallResponse,
    WorkerReport,
    WorkerReportResponse,
)
from pocl.v1.worker_service_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server

TOKEN = "a-token"
GENESIS = hash256("test/genesis")
MINERS = sorted(Keypair.from_uri(uri).public for uri in ("//Alice", "//Bob", "//Charlie", "//Dave"))
ACCOUNT = MINERS[1]
CONFIG = RoundConfig(
    winners=2,
    test_records=40,
    classes=10,
    min_miners=2,
    train_ms=60_000,
    predict_ms=15_000,
    max_weights_bytes=2**20,
    max_records_bytes=2**20,
)


def view(round: int, at_block: int, phase: Phase.ValueType = Phase.TRAIN) -> RoundView:
    """Return a view in which nobody has delivered anything."""
    state = RoundState(round=round, phase=phase, global_model=bytes(32), miners=MINERS, expected=MINERS)
    miners = [MinerView(miner=account) for account in MINERS]
    return RoundView(round=round, config=CONFIG, state=state, miners=miners, at_block=at_block)


class FakeNode(
    ChainServiceServicer,
    NodeServiceServicer,
    RoundsServiceServicer,
    StateServiceServicer,
    WorkerServiceServicer,
):
    """Serves on a free port of the loopback interface until `stop`."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.storage = {
            ModelPropose.Task.prefix: task_bytes(task),
            Validators.Set.prefix: ValidatorSet(validators=MINERS).SerializeToString(),
            Round.Config.prefix: CONFIG.SerializeToString(),
        }
        self.account = ACCOUNT
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        """What WorkerService answers instead of doing anything."""
        self.calls: queue.Queue[SubmitCallRequest] = queue.Queue()
        self.reports: queue.Queue[WorkerReport] = queue.Queue()
        self.blobs: dict[bytes, bytes] = {}
        self.parts: list[int] = []
        self.views: queue.Queue[RoundView | None] = queue.Queue()
        """Given to whoever subscribes; None breaks the stream."""
        self.subscriptions = 0
        self._server = grpc.server(ThreadPoolExecutor(8))
        add_ChainServiceServicer_to_server(self, self._server)
        add_NodeServiceServicer_to_server(self, self._server)
        add_RoundsServiceServicer_to_server(self, self._server)
        add_StateServiceServicer_to_server(self, self._server)
        add_WorkerServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self.views.put(None)
        self._server.stop(None).wait()

    # ChainService.GetInfo and NodeService.GetInfo have one name and one place in a class of both: the second
    # service is told by the request's type.
    def GetInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.DESCRIPTOR.name == "GetChainInfoRequest":
            return ChainInfo(chain="test", genesis_hash=GENESIS)
        return NodeInfo(name="test", role="validator", validator=self.account)

    def GetStorage(self, request: Any, context: grpc.ServicerContext) -> GetStorageResponse:
        value = self.storage.get(request.key)
        return GetStorageResponse(exists=value is not None, value=value or b"")

    def Subscribe(self, request: Any, context: grpc.ServicerContext) -> Iterator[RoundView]:
        self._check(context)
        self.subscriptions += 1
        while (following := self.views.get()) is not None:
            yield following
        context.abort(grpc.StatusCode.UNAVAILABLE, "the node is stopping")

    def SubmitCall(self, request: SubmitCallRequest, context: grpc.ServicerContext) -> SubmitCallResponse:
        self._check(context)
        self.calls.put(request)
        return SubmitCallResponse(hash=bytes(32))

    def GetSalt(self, request: Any, context: grpc.ServicerContext) -> GetSaltResponse:
        self._check(context)
        return GetSaltResponse(salt=hash256("test/salt", bytes([request.round]), request.kind.encode()))

    def PutBlob(self, request_iterator: Any, context: grpc.ServicerContext) -> PutBlobResponse:
        self._check(context)
        requests = list(request_iterator)
        self.parts = [len(part.data) for part in requests]
        self.put_as = (requests[0].round, requests[0].visibility)
        data = b"".join(part.data for part in requests)
        self.blobs[blob_name(data)] = data
        return PutBlobResponse(hash=blob_name(data), size=len(data))

    def FetchBlob(self, request: Any, context: grpc.ServicerContext) -> Iterator[BlobChunk]:
        self._check(context)
        data = self.blobs.get(request.hash)
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no peer had it")
        for start in range(0, len(data), BLOB_CHUNK):
            yield BlobChunk(data=data[start : start + BLOB_CHUNK])

    def Report(self, request: WorkerReport, context: grpc.ServicerContext) -> WorkerReportResponse:
        self._check(context)
        self.reports.put(request)
        return WorkerReportResponse()

    def _check(self, context: grpc.ServicerContext) -> None:
        if ("authorization", f"Bearer {TOKEN}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not the worker")
        if self.refusal is not None:
            context.abort(*self.refusal)
