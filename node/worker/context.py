"""The miner's way to its own node, over gRPC: the protocol `Context` of the off-chain halves.

status of a call          means here
ALREADY_EXISTS            done: this round's call of that kind is in the pool or on chain
UNAVAILABLE, DEADLINE_... NodeUnreachable, tried again at the next view
NOT_FOUND of a blob       BlobUnavailable
any other                 CallRefused, its label being the dispatch error the text begins with, if any
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from node.worker.connection import Connection
from node.worker.round_files import RoundFiles
from pallets.offchain_protocols import BlobUnavailable, CallRefused, OffchainError
from pocl.hashing import BLOB_CHUNK, blob_name
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.worker_service_pb2 import (
    BlobVisibility,
    FetchBlobRequest,
    GetSaltRequest,
    PutBlobRequest,
    SubmitCallRequest,
    WorkerReport,
)
from runtime.codec import encode

log = logging.getLogger(__name__)

FETCH_MS = 5000
"""How long one attempt to get a blob may take: a phase is a few times that, and the next view tries again."""

FETCH_MARGIN_S = 5.0
KEEP_ROUNDS = 8
"""Rounds whose private files are kept; none is needed once its round has ended."""

_LABEL = re.compile(r"([a-z_]+\.[A-Z][A-Za-z0-9]*)(?:: (.*))?", re.DOTALL)
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


class NodeUnreachable(OffchainError):
    """The node did not answer."""


class NodeContext:
    """Implements pallets.offchain_protocols.Context. Blobs may be fetched from several threads at once."""

    def __init__(self, connection: Connection, *, account: bytes, genesis_hash: bytes, home: Path) -> None:
        self.account = account
        self.genesis_hash = genesis_hash
        self._connection = connection
        self._files = RoundFiles(home)
        self._newest_round = 0
        self._lock = threading.Lock()
        self._report = WorkerReport(state="starting")

    def submit(self, pallet: str, function: str, args: Message, round: int) -> None:
        """Have the node sign and submit an operational call. Raise CallRefused or NodeUnreachable."""
        call = Call(pallet=pallet, function=function, args=encode(args))
        try:
            self._call("SubmitCall", SubmitCallRequest(call=call, round=round))
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise _refusal(error) from None

    def salt(self, round: int, kind: str) -> bytes:
        """Return the node's salt of a round and kind. Raise CallRefused or NodeUnreachable."""
        try:
            salt: bytes = self._call("GetSalt", GetSaltRequest(round=round, kind=kind)).salt
        except grpc.RpcError as error:
            raise _refusal(error) from None
        return salt

    def put_blob(self, data: bytes, round: int, visibility: int) -> bytes:
        """Store a blob at the node and return its name. Raise CallRefused or NodeUnreachable."""
        try:
            name: bytes = self._call("PutBlob", _parts(data, round, visibility)).hash
        except grpc.RpcError as error:
            raise _refusal(error) from None
        if name != blob_name(data):
            raise CallRefused("", f"the node stored another blob: 0x{name.hex()}")
        return name

    def fetch_blob(self, name: bytes, max_bytes: int, holder: bytes) -> bytes:
        """Return a blob of the node or its peers. Raise BlobUnavailable."""
        request = FetchBlobRequest(hash=name, max_bytes=max_bytes, timeout_ms=FETCH_MS, holder=holder)
        data = bytearray()
        try:
            for chunk in self._call("FetchBlob", request, FETCH_MS / 1000 + FETCH_MARGIN_S):
                data += chunk.data
                if len(data) > max_bytes:
                    raise BlobUnavailable(
                        f"the blob 0x{name.hex()} has more than the {max_bytes} bytes it may have"
                    )
        except grpc.RpcError as error:
            raise BlobUnavailable(f"blob 0x{name.hex()}: {error.details()}") from None
        blob = bytes(data)
        if blob_name(blob) != name:
            raise BlobUnavailable(f"what came as blob 0x{name.hex()} is another one")
        return blob

    def keep(self, round: int, name: str, data: bytes) -> None:
        """Write a private file of a round; those of long ended rounds go."""
        self._files.write(round, name, data)
        if round > self._newest_round:
            self._newest_round = round
            self._files.drop_before(round - KEEP_ROUNDS + 1)

    def kept(self, round: int, name: str) -> bytes | None:
        """Return what `keep` wrote, or None."""
        return self._files.read(round, name)

    def report(self, **measures: Any) -> None:
        """Tell the node what the worker does and measured. A report that does not arrive is lost."""
        error = measures.get("error")
        if error and measures.get("state") != "failed":  # who fails says why by itself
            log.warning("round %s: %s", measures.get("round", 0), error)
        with self._lock:
            measures.setdefault("state", self._report.state)
            self._report = WorkerReport(**measures)
            report = self._report
        try:
            self._call("Report", report)
        except (grpc.RpcError, ValueError) as failure:  # ValueError: the channel is closed
            if not self._connection.stopping.is_set():
                log.warning("a report was lost: %s", getattr(failure, "details", failure.__str__)())

    def now_ms(self) -> int:
        """Return the monotonic clock."""
        return time.monotonic_ns() // 1_000_000

    def _call(self, method: str, request: Any, timeout_s: float | None = None) -> Any:
        stub = getattr(self._connection.worker, method)
        if timeout_s is None:
            return self._connection.call(stub, request)
        return self._connection.call(stub, request, timeout_s)


def _parts(data: bytes, round: int, visibility: int) -> Iterator[PutBlobRequest]:
    shown = BlobVisibility.Name(visibility)  # ValueError for one there is not
    yield PutBlobRequest(round=round, visibility=shown, data=data[:BLOB_CHUNK])
    for start in range(BLOB_CHUNK, len(data), BLOB_CHUNK):
        yield PutBlobRequest(data=data[start : start + BLOB_CHUNK])


def _refusal(error: grpc.RpcError) -> OffchainError:
    text = error.details() or error.code().name
    if error.code() in _GONE:
        return NodeUnreachable(f"the node did not answer: {text}")
    match = _LABEL.match(text)
    if match is None:
        return CallRefused("", text)
    return CallRefused(match[1], match[2] or "")
