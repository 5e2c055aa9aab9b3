"""BlobsService: weights and records by name, to clients under the rules that hold for peers."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from node.blobs import BlobMeta
from node.rpc.context import RpcContext
from node.rpc.errors import invalid, not_found
from pocl.hashing import BLOB_CHUNK, HASH_SIZE
from pocl.v1 import blobs_service_pb2 as pb
from pocl.v1.blobs_service_pb2_grpc import BlobsServiceServicer


class BlobsService(BlobsServiceServicer):
    """See proto/pocl/v1/blobs_service.proto."""

    def __init__(self, node: RpcContext) -> None:
        self._node = node

    def Get(self, request: pb.GetBlobRequest, context: grpc.ServicerContext) -> Iterator[pb.BlobChunk]:
        """Yield a blob chunk by chunk."""
        meta = self._served(request.hash)
        if meta is None:
            # One answer for "not here" and "not yet": whether a miner has finished training is nobody's
            # business.
            raise not_found(f"no blob 0x{request.hash.hex()} here that may be served now")
        for offset in range(0, meta.size, BLOB_CHUNK):
            if not context.is_active():
                return
            data = self._node.blobs.read_chunk(request.hash, offset, BLOB_CHUNK)
            if data is None:
                raise not_found(f"the blob 0x{request.hash.hex()} was removed meanwhile")
            yield pb.BlobChunk(data=data)

    def Stat(self, request: pb.GetBlobRequest, context: grpc.ServicerContext) -> pb.BlobStat:
        """Tell whether a blob can be had here, and its size."""
        meta = self._served(request.hash)
        return pb.BlobStat() if meta is None else pb.BlobStat(here=True, size=meta.size)

    def _served(self, name: bytes) -> BlobMeta | None:
        meta = self._node.blobs.stat(checked_name(name))
        if meta is None or not self._node.in_trio(lambda: self._node.may_serve(meta)):
            return None
        return meta


def checked_name(name: bytes) -> bytes:
    """Return a blob's name; raise RpcFault (INVALID_ARGUMENT) when it cannot be one."""
    if len(name) != HASH_SIZE:
        raise invalid(f"a blob's name has {HASH_SIZE} bytes, not {len(name)}")
    return name
