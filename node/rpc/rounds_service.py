"""RoundsService: rounds as the final state has them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import grpc

from node.rpc.context import RpcContext
from node.rpc.errors import invalid, not_found
from node.rpc.feed import FinalFeed
from pallets.round.pallet import Round
from pallets.round.view import round_view
from pocl.v1 import rounds_service_pb2 as pb
from pocl.v1.rounds_service_pb2_grpc import RoundsServiceServicer

MAX_SUMMARIES = 256


class RoundsService(RoundsServiceServicer):
    """See proto/pocl/v1/rounds_service.proto."""

    def __init__(self, node: RpcContext, feed: FinalFeed) -> None:
        self._chain = node.chain
        self._feed = feed
        self._lock = threading.Lock()
        self._newest: tuple[int, pb.RoundView] | None = None

    def GetCurrent(self, request: pb.GetCurrentRoundRequest, context: grpc.ServicerContext) -> pb.RoundView:
        """Return the current round at the last final block."""
        return self._current(self._feed.number)

    def GetRound(self, request: pb.GetRoundRequest, context: grpc.ServicerContext) -> pb.RoundView:
        """Return one round."""
        found = self._view(self._feed.number, request.round)
        if found is None:
            raise not_found(f"round {request.round} has not begun, or there is no such round")
        return found

    def ListSummaries(
        self, request: pb.ListSummariesRequest, context: grpc.ServicerContext
    ) -> pb.ListSummariesResponse:
        """Return a page of ended rounds, oldest first."""
        if request.limit > MAX_SUMMARIES:
            raise invalid(f"limit is {request.limit}: at most {MAX_SUMMARIES} summaries a page")
        limit = request.limit or MAX_SUMMARIES
        pallets = self._chain.pallets(self._chain.final_state(self._feed.number))
        summaries = cast(Round, pallets["round"]).Summaries
        response = pb.ListSummariesResponse()
        number = max(1, request.from_round)
        while (summary := summaries.get(number)) is not None:
            if len(response.summaries) == limit:
                response.next_round = number
                break
            response.summaries.append(summary)
            number += 1
        return response

    def Subscribe(
        self, request: pb.SubscribeRoundsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.RoundView]:
        """Yield the current round, then its newest view whenever a final block changed it."""
        wait_above = self._feed.watch(context)
        seen, last = -1, b""
        while (newest := wait_above(seen)) is not None:
            seen = newest
            view = self._current(newest)
            content = _content(view)
            if content != last:
                last = content
                yield view

    def _current(self, number: int) -> pb.RoundView:
        """Return the current round after final block `number`, made once for all who ask while it is newest."""
        with self._lock:
            if self._newest is None or self._newest[0] != number:
                view = self._view(number, None)
                if view is None:
                    raise not_found("no round has begun: the first block opens round 1")
                self._newest = (number, view)
            return self._newest[1]

    def _view(self, number: int, round: int | None) -> pb.RoundView | None:
        pallets = self._chain.pallets(self._chain.final_state(number))
        hash = self._chain.database.hash(number) or b""
        try:
            return round_view(pallets, number, hash, round)
        except KeyError:
            return None


def _content(view: pb.RoundView) -> bytes:
    """Return what of a view makes it another one: all but the block it was taken at."""
    copy = pb.RoundView()
    copy.CopyFrom(view)
    copy.ClearField("at_block")
    copy.ClearField("at_block_hash")
    return copy.SerializeToString(deterministic=True)
