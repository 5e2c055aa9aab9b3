"""StateService: metadata, storage, proofs and accounts, after a final block."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TypeVar, cast

import grpc

from node.rpc.context import RpcContext
from node.rpc.errors import invalid, not_found
from node.rpc.feed import FinalFeed
from node.rpc.limits import PlaceLimit, host_of
from node.state_pages import PART_BYTES
from pallets.system import System
from pocl.hashing import HASH_SIZE
from pocl.keys import PUBLIC_SIZE
from pocl.v1 import state_service_pb2 as pb
from pocl.v1.block_pb2 import Header
from pocl.v1.metadata_pb2 import Metadata
from pocl.v1.state_service_pb2_grpc import StateServiceServicer
from pocl.v1.system_pb2 import AccountInfo
from runtime.blocks import VersionedState
from runtime.frame import Pallet
from runtime.tree import prove, prove_range

MAX_ENTRIES = 1000
MAX_PAGE_BYTES = 4 * 2**20
"""A page ends with the entry that reaches this."""

MAX_KEY = 1024

_Keyed = TypeVar(
    "_Keyed", pb.GetStorageRequest, pb.ListStorageRequest, pb.GetRangeRequest, pb.GetAccountRequest
)


class StateService(StateServiceServicer):
    """See proto/pocl/v1/state_service.proto."""

    def __init__(self, node: RpcContext, feed: FinalFeed, ranges: PlaceLimit) -> None:
        """`ranges` bounds the range proofs that are made at once."""
        self._node = node
        self._chain = node.chain
        self._feed = feed
        self._ranges = ranges
        self._metadata = node.chain.runtime.metadata()

    def GetMetadata(self, request: pb.GetMetadataRequest, context: grpc.ServicerContext) -> Metadata:
        """Return what a generic client needs to build calls and decode state."""
        return self._metadata

    def GetStorage(
        self, request: pb.GetStorageRequest, context: grpc.ServicerContext
    ) -> pb.GetStorageResponse:
        """Return the value under a key."""
        header, state = self._at(request)
        value = state.get(_key(request.key))
        return pb.GetStorageResponse(
            exists=value is not None, value=value or b"", number=header.number, state_root=header.state_root
        )

    def ListStorage(
        self, request: pb.ListStorageRequest, context: grpc.ServicerContext
    ) -> pb.ListStorageResponse:
        """Return a page of the entries under a prefix; `next` is what to pass as `after` for the page behind it."""
        if request.limit > MAX_ENTRIES:
            raise invalid(f"limit is {request.limit}: at most {MAX_ENTRIES} entries a page")
        header, state = self._at(request)
        limit = request.limit or MAX_ENTRIES
        response = pb.ListStorageResponse(number=header.number)
        size = 0
        for key, value in islice(state.iterate(_key(request.prefix), _key(request.after)), limit + 1):
            if len(response.entries) == limit or size >= MAX_PAGE_BYTES:
                response.next = response.entries[-1].key
                break
            response.entries.add(key=key, value=value)
            size += len(key) + len(value)
        return response

    def GetProof(self, request: pb.GetStorageRequest, context: grpc.ServicerContext) -> pb.GetProofResponse:
        """Return the value under a key, or its absence, with the proof against the block's state root."""
        header, state = self._at(request)
        key = _key(request.key)
        proof = prove(state, header.number, key, state.get(key))
        return pb.GetProofResponse(
            proof=proof,
            number=header.number,
            state_root=header.state_root,
            block_hash=self._chain.database.hash(header.number) or b"",
        )

    def GetRange(self, request: pb.GetRangeRequest, context: grpc.ServicerContext) -> pb.GetRangeResponse:
        """Return entries in the order of their paths, with the proof that they are all there are up to the last."""
        if len(request.start) not in (0, HASH_SIZE):
            raise invalid(f"start is a path of {HASH_SIZE} bytes, or empty, not {len(request.start)} bytes")
        if request.max_bytes > PART_BYTES:
            raise invalid(f"max_bytes is {request.max_bytes}: at most {PART_BYTES}")
        header, state = self._at(request)
        start = request.start or bytes(HASH_SIZE)
        most = request.max_bytes or PART_BYTES
        with self._ranges.hold(host_of(context.peer())):
            part = prove_range(state, header.number, start, state.get, most, MAX_ENTRIES)
        return pb.GetRangeResponse(
            range=part,
            number=header.number,
            state_root=header.state_root,
            block_hash=self._chain.database.hash(header.number) or b"",
        )

    def GetAccount(self, request: pb.GetAccountRequest, context: grpc.ServicerContext) -> pb.AccountView:
        """Return an account's balances and the nonces for its next extrinsic. An unknown account is empty."""
        if len(request.account) != PUBLIC_SIZE:
            raise invalid(f"an account has {PUBLIC_SIZE} bytes, not {len(request.account)}")
        header, state = self._at(request)
        account = _account(self._chain.pallets(state), request.account)
        pool_nonce = self._node.in_trio(lambda: self._pool_nonce(request.account))
        return pb.AccountView(
            account=request.account,
            nonce=account.nonce,
            free=account.free,
            reserved=account.reserved,
            number=header.number,
            pool_nonce=pool_nonce,
        )

    def _pool_nonce(self, account: bytes) -> int:
        """The next nonce on the best block's state, past what the pool holds. On the trio thread."""
        best = self._chain.pallets(self._chain.state_after(self._chain.best_hash))
        return self._node.pool.next_nonce(account, _account(best, account).nonce)

    def _at(self, request: _Keyed) -> tuple[Header, VersionedState]:
        """Return the final block a request means and the state after it."""
        newest = self._feed.number
        number = request.number if request.HasField("number") else newest
        if number > newest:
            raise not_found(f"block {number} is not final yet: the last final block is {newest}")
        header = self._chain.database.header(number)
        if header is None:
            raise not_found(f"the header of block {number} is not here")
        return header, self._chain.final_state(number)


def _account(pallets: Mapping[str, Pallet], who: bytes) -> AccountInfo:
    return cast(System, pallets["system"]).account(who)


def _key(key: bytes) -> bytes:
    if len(key) > MAX_KEY:
        raise invalid(f"a storage key has at most {MAX_KEY} bytes, not {len(key)}")
    return key
