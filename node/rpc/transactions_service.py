"""TransactionsService: submit one or many, follow them to settlement, try them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import grpc

from node.pool import PoolError
from node.rpc.context import RpcContext
from node.rpc.errors import fault_of, invalid, not_found
from node.rpc.limits import Turns, host_of
from node.rpc.tracker import TransactionTracker, Watcher, settlements
from pallets.coin import Coin
from pocl.extrinsics import U128_MAX, extrinsic_hash, u128
from pocl.hashing import HASH_SIZE
from pocl.v1 import transactions_service_pb2 as pb
from pocl.v1.transactions_service_pb2_grpc import TransactionsServiceServicer
from runtime.frame.errors import InvalidTransaction

MAX_BATCH = 1000
_BATCH_SLICE = 50
"""Extrinsics of a batch that are validated in one visit to the trio thread (5 ms), so that consensus is not held up.
Of all batches together only one makes a visit at a time: trio makes those that wait in one go."""

Charge = Callable[[grpc.ServicerContext, int], None]


class TransactionsService(TransactionsServiceServicer):
    """See proto/pocl/v1/transactions_service.proto."""

    def __init__(self, node: RpcContext, tracker: TransactionTracker, charge: Charge) -> None:
        """`charge` counts the extrinsics of a batch, or refuses it: Guard.charge_batch."""
        self._node = node
        self._chain = node.chain
        self._tracker = tracker
        self._charge = charge
        self._turns = Turns()

    def Submit(self, request: pb.SubmitRequest, context: grpc.ServicerContext) -> pb.SubmitResponse:
        """Take an extrinsic into the pool."""
        return pb.SubmitResponse(hash=self._node.in_trio(lambda: self._node.submit(request.extrinsic)))

    def SubmitBatch(
        self, request: pb.SubmitBatchRequest, context: grpc.ServicerContext
    ) -> pb.SubmitBatchResponse:
        """Take many; each is accepted or refused for itself."""
        if len(request.extrinsics) > MAX_BATCH:
            raise invalid(f"{len(request.extrinsics)} extrinsics: at most {MAX_BATCH} in a batch")
        self._charge(context, len(request.extrinsics))
        host = host_of(context.peer())
        response = pb.SubmitBatchResponse()
        for start in range(0, len(request.extrinsics), _BATCH_SLICE):
            part = request.extrinsics[start : start + _BATCH_SLICE]
            with self._turns.hold(host):
                results = self._node.in_trio(partial(self._try_all, part))
            response.results.extend(results)
        return response

    def SubmitAndWatch(
        self, request: pb.SubmitRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TransactionStatus]:
        """Submit and yield every status from then on."""

        def begin() -> Watcher:
            # Watching starts before the pool knows the extrinsic, so that nothing is missed.
            watcher = self._tracker.add(extrinsic_hash(request.extrinsic))
            try:
                self._node.submit(request.extrinsic)
            except BaseException:
                self._tracker.remove(watcher)
                raise
            return watcher

        return self._follow(self._node.in_trio(begin), context)

    def Watch(
        self, request: pb.WatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TransactionStatus]:
        """Yield where a transaction is and every status from then on."""
        if len(request.hash) != HASH_SIZE:
            raise invalid(f"an extrinsic's hash has {HASH_SIZE} bytes, not {len(request.hash)}")

        def begin() -> tuple[Watcher, int]:
            watcher = self._tracker.add(request.hash)
            if not self._tracker.catch_up(watcher):
                self._tracker.remove(watcher)
                raise not_found(f"neither pool nor blocks know the transaction 0x{request.hash.hex()}")
            return watcher, self._chain.final_number

        watcher, final_number = self._node.in_trio(begin)
        return self._follow(watcher, context, settled_until=final_number)

    def DryRun(self, request: pb.SubmitRequest, context: grpc.ServicerContext) -> pb.DryRunResponse:
        """Execute an extrinsic on the best state and say what it would do."""
        chain = self._chain
        result = self._node.in_trio(
            lambda: chain.runtime.dry_run(
                chain.state_after(chain.best_hash), chain.best_header, chain.genesis_hash, request.extrinsic
            )
        )
        return pb.DryRunResponse(
            ok=result.ok,
            error=result.error,
            fee=u128(min(result.fee, U128_MAX)),
            weight=result.weight,
            events=result.events,
        )

    def _try_all(self, extrinsics: Sequence[bytes]) -> list[pb.SubmitResult]:
        return [self._try(data) for data in extrinsics]

    def _try(self, data: bytes) -> pb.SubmitResult:
        try:
            return pb.SubmitResult(hash=self._node.submit(data))
        except (InvalidTransaction, PoolError) as error:
            fault = fault_of(error, "SubmitBatch")
            return pb.SubmitResult(hash=extrinsic_hash(data), error=fault.message, code=fault.code.value[0])

    def _follow(
        self, watcher: Watcher, context: grpc.ServicerContext, settled_until: int = 0
    ) -> Iterator[pb.TransactionStatus]:
        """Yield a watcher's statuses. A transfer that had been paid by final block `settled_until`, before it
        was watched, is looked up in the blocks behind its own.
        """
        context.add_callback(watcher.wake)
        try:
            while (status := watcher.next(context)) is not None:
                yield status
                if status.kind == pb.TransactionStatus.FINALIZED and status.block_number < settled_until:
                    past = self._past_settlement(watcher, status.block_number, settled_until, context)
                    if past is not None:
                        yield past
                        return
        finally:
            self._tracker.remove(watcher)

    def _past_settlement(
        self, watcher: Watcher, start: int, end: int, context: grpc.ServicerContext
    ) -> pb.TransactionStatus | None:
        """Return how a transfer included in block `start` ended by block `end`, None when it is still queued.

        The state tells whether it ended, so blocks are read only when there is something to find, and from
        its own block on: transfers settle within a few rounds.
        """
        index = watcher.index
        database = self._chain.database
        coin = cast(Coin, self._chain.pallets(self._chain.final_state())["coin"])
        if index is None or coin.queued(index) is not None:
            return None
        for number in range(start, end + 1):
            if not context.is_active():
                return None
            for status, settled in settlements(b"", number, database.events(number) or ()):
                if settled == index:
                    status.block_hash = database.hash(number) or b""
                    return status
        return None
