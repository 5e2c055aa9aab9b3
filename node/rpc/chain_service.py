"""ChainService: blocks, headers, justifications, and the stream of final blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import grpc

from node.rpc.context import RpcContext
from node.rpc.errors import invalid, not_found, refused
from node.rpc.feed import FinalFeed
from pocl.extrinsics import extrinsic_hash
from pocl.hashing import HASH_SIZE
from pocl.v1 import chain_service_pb2 as pb
from pocl.v1.block_pb2 import Block, EventRecord
from pocl.v1.chain_service_pb2_grpc import ChainServiceServicer
from pocl.v1.consensus_pb2 import Justification

MAX_HEADERS = 256


class ChainService(ChainServiceServicer):
    """See proto/pocl/v1/chain_service.proto."""

    def __init__(self, node: RpcContext, feed: FinalFeed) -> None:
        self._node = node
        self._chain = node.chain
        self._feed = feed

    def GetInfo(self, request: pb.GetChainInfoRequest, context: grpc.ServicerContext) -> pb.ChainInfo:
        """Return heights, hashes, versions, and how to show amounts and addresses."""
        chain, spec = self._chain, self._node.config.chain
        final, final_hash, best, best_hash = self._node.in_trio(
            lambda: (chain.final, chain.final_hash, chain.best_header, chain.best_hash)
        )
        return pb.ChainInfo(
            chain=spec.id,
            genesis_hash=chain.genesis_hash,
            spec_version=chain.runtime.spec_version,
            transaction_version=chain.runtime.transaction_version,
            final_number=final.number,
            final_hash=final_hash,
            state_root=final.state_root,
            best_number=best.number,
            best_hash=best_hash,
            ss58_prefix=spec.properties.ss58_format,
            token_symbol=spec.properties.token_symbol,
            token_decimals=spec.properties.token_decimals,
        )

    def GetBlock(self, request: pb.GetBlockRequest, context: grpc.ServicerContext) -> pb.BlockView:
        """Return a block: final by number, any known one by hash."""
        if request.WhichOneof("id") != "hash":
            return self._final_view(self._number(request))
        hash = _checked_hash(request.hash)
        number = self._chain.database.number(hash)
        if number is not None:
            return self._final_view(number)
        executed = self._node.in_trio(lambda: self._chain.executed(hash))
        if executed is None:
            raise not_found(f"no block 0x{hash.hex()} here")
        return block_view(hash, executed.block, executed.events, final=False)

    def ListHeaders(
        self, request: pb.ListHeadersRequest, context: grpc.ServicerContext
    ) -> pb.ListHeadersResponse:
        """Return a page of final headers, oldest first."""
        if request.limit > MAX_HEADERS:
            raise invalid(f"limit is {request.limit}: at most {MAX_HEADERS} headers a page")
        end = min(request.from_number + (request.limit or MAX_HEADERS), self._feed.number + 1)
        response = pb.ListHeadersResponse()
        for number in range(request.from_number, end):
            header = self._chain.database.header(number)
            if header is None:
                raise not_found(f"the header of block {number} is not kept here")
            response.headers.append(header)
        response.next_number = end if end <= self._feed.number and response.headers else 0
        return response

    def GetJustification(self, request: pb.GetBlockRequest, context: grpc.ServicerContext) -> Justification:
        """Return why a block is final."""
        if request.WhichOneof("id") == "hash":
            hash = _checked_hash(request.hash)
            known = self._chain.database.number(hash)
            if known is None:
                raise not_found(f"no final block 0x{hash.hex()} here")
            number = known
        else:
            number = self._number(request)
        if number == 0:
            raise refused("the genesis block is final by definition: it has no justification")
        found = self._chain.database.justification(number)
        if found is None:
            raise not_found(f"the justification of block {number} is not here")
        return found

    def SubscribeFinal(
        self, request: pb.SubscribeFinalRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.BlockView]:
        """Yield every final block in order, each once."""
        wait_above = self._feed.watch(context)
        following = request.from_number or self._feed.number + 1
        while True:
            newest = wait_above(following - 1)
            if newest is None:
                return
            while following <= newest and context.is_active():
                yield self._final_view(following)
                following += 1

    def _number(self, request: pb.GetBlockRequest) -> int:
        newest = self._feed.number
        if request.WhichOneof("id") is None:
            return newest
        if request.number > newest:
            raise not_found(f"block {request.number} is not final yet: the last final block is {newest}")
        return request.number

    def _final_view(self, number: int) -> pb.BlockView:
        database = self._chain.database
        hash, block, events = database.hash(number), database.block(number), database.events(number)
        if hash is None or block is None or events is None:
            raise not_found(f"block {number} is not kept here: the oldest is {database.oldest_body}")
        return block_view(hash, block, events, final=True)


def block_view(hash: bytes, block: Block, events: Sequence[EventRecord], *, final: bool) -> pb.BlockView:
    """Return a block as clients see it."""
    return pb.BlockView(
        hash=hash,
        block=block,
        events=events,
        final=final,
        extrinsic_hashes=[extrinsic_hash(data) for data in block.extrinsics],
    )


def _checked_hash(hash: bytes) -> bytes:
    if len(hash) != HASH_SIZE:
        raise invalid(f"a block hash has {HASH_SIZE} bytes, not {len(hash)}")
    return hash
