"""WorkerService: what the node does for its own off-chain worker, and for nobody else.

- Every method demands a loopback peer and the worker's token (node/rpc/auth.py).
- The node signs; the worker never holds the key. What it signs is an operational call for the round it names.
  Two models or two ballots of one round are an offence, so it signs none that may be a second one: none while it
  abstains, none that its consensus log contradicts (node/consensus/log.py), and those two kinds are noted there first.
- What it fetches from peers for the worker it keeps and serves on: a blob that one honest miner has, all can
  have.
- A salt is BLAKE2b-256, keyed by a secret of the validator, of round and kind: the same after any restart,
  and unknown to everyone else. The secret is derived from the validator's seed, so nothing else has to be
  kept.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import grpc

from node.blobs import BlobStoreError
from node.consensus.call_record import CallWithheld
from node.pool import Underpriced
from node.rpc.auth import require_worker
from node.rpc.blobs_service import checked_name
from node.rpc.context import RpcContext
from node.rpc.errors import RpcFault, invalid, not_found, refused
from pocl.extrinsics import extrinsic_hash, sign_call
from pocl.hashing import BLOB_CHUNK, blob_name, hash256
from pocl.keys import Keypair
from pocl.v1 import worker_service_pb2 as pb
from pocl.v1.blobs_service_pb2 import BlobChunk
from pocl.v1.worker_service_pb2_grpc import WorkerServiceServicer
from runtime.frame.errors import InvalidTransaction
from runtime.frame.pallet import OPERATIONAL

log = logging.getLogger("pocl.rpc")

MAX_FETCH_MS = 600_000
MAX_KIND = 64


class WorkerService(WorkerServiceServicer):
    """See proto/pocl/v1/worker_service.proto and the module's docstring."""

    def __init__(self, node: RpcContext) -> None:
        self._node = node
        metadata = node.chain.runtime.metadata()
        self._operational = {
            (pallet.name, call.name)
            for pallet in metadata.pallets
            for call in pallet.calls
            if getattr(call, "class") == OPERATIONAL
        }
        self._max_blob = node.config.chain.genesis.round.max_blob_bytes

    def SubmitCall(
        self, request: pb.SubmitCallRequest, context: grpc.ServicerContext
    ) -> pb.SubmitCallResponse:
        """Sign an operational call and submit it."""
        require_worker(context, self._node.worker_token)
        call = request.call
        if (call.pallet, call.function) not in self._operational:
            raise invalid(f"{call.pallet}.{call.function} is no operational call: the node signs no other")
        key = self._key()
        try:
            self._node.before_signing(call, request.round)
        except CallWithheld as error:
            raise refused(str(error)) from None
        runtime, chain = self._node.chain.runtime, self._node.chain
        data = sign_call(
            key,
            call,
            genesis_hash=chain.genesis_hash,
            spec_version=runtime.spec_version,
            transaction_version=runtime.transaction_version,
            round=request.round,
        )
        return pb.SubmitCallResponse(hash=self._node.in_trio(lambda: self._submit(data)))

    def GetSalt(self, request: pb.GetSaltRequest, context: grpc.ServicerContext) -> pb.GetSaltResponse:
        """Return the salt of a round's commitment of one kind."""
        require_worker(context, self._node.worker_token)
        if not 0 < len(request.kind) <= MAX_KIND:
            raise invalid(f"kind is {request.kind[:80]!r}: it must have 1 to {MAX_KIND} characters")
        return pb.GetSaltResponse(
            salt=salt(self._key(), self._node.chain.genesis_hash, request.round, request.kind)
        )

    def PutBlob(
        self, request_iterator: Iterator[pb.PutBlobRequest], context: grpc.ServicerContext
    ) -> pb.PutBlobResponse:
        """Store a blob that comes in parts; it is on disk when the answer goes out."""
        require_worker(context, self._node.worker_token)
        data = bytearray()
        first: pb.PutBlobRequest | None = None
        for part in request_iterator:
            first = first or part
            data += part.data
            if len(data) > self._max_blob:
                raise invalid(f"a blob of this chain has at most {self._max_blob} bytes")
        if first is None:
            raise invalid("nothing came: the first message names round and visibility")
        if first.visibility not in pb.BlobVisibility.values():
            raise invalid(f"visibility {first.visibility} is unknown")
        name = self._node.blobs.put(bytes(data), first.round, first.visibility)
        return pb.PutBlobResponse(hash=name, size=len(data))

    def FetchBlob(self, request: pb.FetchBlobRequest, context: grpc.ServicerContext) -> Iterator[BlobChunk]:
        """Yield a blob of this node, or pulled from peers."""
        require_worker(context, self._node.worker_token)
        name = checked_name(request.hash)
        max_bytes = min(request.max_bytes or self._max_blob, self._max_blob)
        data = self._node.blobs.get(name)
        if data is None:
            data = self._pull(name, max_bytes, request, context)
            self._serve_on(data)
        if len(data) > max_bytes:
            raise not_found(
                f"the blob 0x{name.hex()} has {len(data)} bytes, more than the {max_bytes} asked for"
            )
        for offset in range(0, len(data), BLOB_CHUNK):
            yield BlobChunk(data=data[offset : offset + BLOB_CHUNK])

    def Report(self, request: pb.WorkerReport, context: grpc.ServicerContext) -> pb.WorkerReportResponse:
        """Keep what the worker says it does and has measured."""
        require_worker(context, self._node.worker_token)
        try:
            self._node.reports.add(request)
        except ValueError as error:
            raise invalid(str(error)) from None
        return pb.WorkerReportResponse()

    def ListReports(
        self, request: pb.ListReportsRequest, context: grpc.ServicerContext
    ) -> pb.ListReportsResponse:
        """Return the reports of the rounds from `from_round` on."""
        require_worker(context, self._node.worker_token)
        return pb.ListReportsResponse(reports=self._node.reports.list(request.from_round))

    def _submit(self, data: bytes) -> bytes:
        """On the trio thread. What is done already is ALREADY_EXISTS, so that a restarted worker goes on."""
        try:
            return self._node.submit(data)
        except Underpriced:
            raise RpcFault(
                grpc.StatusCode.ALREADY_EXISTS, "this round's call of that kind is in the pool"
            ) from None
        except InvalidTransaction as error:
            included = self._node.chain.database.extrinsic_location(extrinsic_hash(data)) is not None
            if included or error.label.rpartition(".")[2].startswith("Already"):
                raise RpcFault(
                    grpc.StatusCode.ALREADY_EXISTS, f"this round's call of that kind is in the chain: {error}"
                ) from None
            raise

    def _pull(
        self, name: bytes, max_bytes: int, request: pb.FetchBlobRequest, context: grpc.ServicerContext
    ) -> bytes:
        if request.timeout_ms > MAX_FETCH_MS:
            raise invalid(f"timeout_ms is {request.timeout_ms}: at most {MAX_FETCH_MS}")
        timeout = (request.timeout_ms or MAX_FETCH_MS) / 1000
        remaining = context.time_remaining()
        if remaining is not None:
            timeout = min(timeout, max(0.0, remaining))
        data = self._node.fetch_blob(
            name, max_bytes=max_bytes, timeout_s=timeout, holder=request.holder or None
        )
        if data is None:
            raise not_found(f"no peer had the blob 0x{name.hex()} within {timeout:.1f} s")
        # The network checked each chunk; what goes to the worker is checked as a whole, whoever fetched it.
        if blob_name(data) != name:
            raise not_found(f"what peers gave for 0x{name.hex()} is another blob")
        return data

    def _serve_on(self, data: bytes) -> None:
        """Keep what peers gave, and give it to others: of a winner's weights one honest miner may be the only
        one whom the winner let have them, and all need them.
        """
        round = self._node.chain.epoch_change.epoch  # round r is epoch r
        try:
            self._node.blobs.put(data, round, pb.AFTER_TRAIN)
        except BlobStoreError as error:
            log.warning("a blob of peers is not kept: %s", error)

    def _key(self) -> Keypair:
        key = self._node.config.validator_key
        if key is None:
            raise refused("this node has no validator key: only a validator's worker takes part in rounds")
        return key


def salt(key: Keypair, genesis_hash: bytes, round: int, kind: str) -> bytes:
    """Return the validator's salt for one kind of commitment in one round (rule in the module's docstring)."""
    secret = hash256("pocl/salt-secret/1", key.seed)
    message = b"pocl/salt/1" + genesis_hash + round.to_bytes(8, "big") + kind.encode()
    return hashlib.blake2b(message, digest_size=32, key=secret).digest()
