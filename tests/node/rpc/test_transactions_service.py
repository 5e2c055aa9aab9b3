"""TransactionsService over a real channel: from submission to settlement."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from node.pool import AlreadyInPool
from node.rpc.limits import Turns
from node.rpc.tracker import TransactionTracker
from node.rpc.transactions_service import TransactionsService
from pocl.client import Client
from pocl.extrinsics import extrinsic_hash, sign_call, u128_int
from pocl.v1.extrinsic_pb2 import Extrinsic
from pocl.v1.transactions_service_pb2 import (
    SubmitBatchRequest,
    SubmitRequest,
    SubmitResult,
    TransactionStatus,
)
from tests.node.rpc.harness import ALICE, BOB, EVE, FakeCall, Node, refused, running_node, small
from tests.node.rpc.miner import Miner

Kind = TransactionStatus.Kind


def transfer(client: Client, amount: int = 10**12, *, nonce: int | None = None, tip: int = 0) -> bytes:
    call = client.call("coin", "transfer", dest=BOB.address, amount=amount)
    return client.sign(EVE, call, nonce=nonce, tip=tip)


def watching(node: Node, extrinsic: bytes) -> Iterator[TransactionStatus]:
    """Submit and watch; return when the pool has it."""
    watch = node.client.submit_and_watch(extrinsic, timeout_s=60)
    assert next(watch).kind == TransactionStatus.READY
    return watch


def uncharged(context: grpc.ServicerContext, extrinsics: int) -> None:
    """Let every batch through."""


def kinds(statuses: Iterator[TransactionStatus]) -> list[str]:
    return [Kind.Name(status.kind) for status in statuses]


def test_a_transfer_is_followed_from_the_pool_to_its_settlement(node: Node) -> None:
    watch = watching(node, transfer(node.client))
    block = node.propose()
    included = next(watch)
    assert (included.kind, included.block_hash, included.block_number) == (
        TransactionStatus.INCLUDED,
        block.hash,
        1,
    )
    assert [event.name for event in included.events] == ["TransferQueued", "FeePaid", "ExtrinsicSuccess"]
    node.finalize(block)
    assert next(watch).kind == TransactionStatus.FINALIZED
    miner = Miner(node)
    miner.play(1)  # dealt before the transfer was there
    node.author()
    miner.play(2)
    paid = node.author()
    settled = next(watch)
    assert (settled.kind, settled.round) == (TransactionStatus.SETTLED, 2)
    assert settled.block_number in (paid.header.number, paid.header.number - 1)
    assert list(watch) == []


def test_a_transfer_that_settled_long_ago_is_found_again(node: Node) -> None:
    extrinsic = transfer(node.client)
    node.client.submit(extrinsic)
    node.author()
    assert kinds(iter([next(node.client.watch(extrinsic_hash(extrinsic), timeout_s=60))])) == ["FINALIZED"]
    miner = Miner(node)
    miner.play(1)
    node.author()
    miner.play(2)
    node.author(50)
    statuses = list(node.client.watch(extrinsic_hash(extrinsic), timeout_s=60))
    assert kinds(iter(statuses)) == ["FINALIZED", "SETTLED"]
    assert statuses[1].round == 2
    assert statuses[1].block_hash == node.client.block(statuses[1].block_number).hash


def test_watching_begins_at_any_time(node: Node) -> None:
    extrinsic = transfer(node.client)
    hash = node.client.submit(extrinsic)
    in_pool = node.client.watch(hash, timeout_s=60)
    assert next(in_pool).kind == TransactionStatus.READY
    block = node.propose()
    in_block = node.client.watch(hash, timeout_s=60)
    assert next(in_block).kind == TransactionStatus.INCLUDED
    node.finalize(block)
    assert kinds(iter([next(in_pool), next(in_pool)])) == ["INCLUDED", "FINALIZED"]
    assert next(in_block).kind == TransactionStatus.FINALIZED
    with refused("NOT_FOUND"):
        next(node.client.watch(b"x" * 32, timeout_s=60))
    with refused("INVALID_ARGUMENT"):
        next(node.client.watch(b"x", timeout_s=60))


def test_included_again_after_a_fork(node: Node) -> None:
    node.author()
    watch = watching(node, transfer(node.client))
    left = node.propose()
    assert next(watch).block_hash == left.hash
    # Another block on the same parent takes its place, first without the transfer, then a child with it.
    parent = node.chain.final
    right = node.chain.propose(
        node.chain.final_hash,
        epoch=parent.epoch,
        view=9,
        timestamp_ms=node.timestamp + 1,
        author=ALICE.public,
        extrinsics=[],
    )
    node.timestamp += 1
    node.chain.set_best(right.hash)
    child = node.propose()
    again = next(watch)
    assert (again.kind, again.block_hash) == (TransactionStatus.INCLUDED, child.hash)
    node.finalize(child)
    final = next(watch)
    assert (final.kind, final.block_hash) == (TransactionStatus.FINALIZED, child.hash)


def test_two_blocks_that_become_final_together(node: Node) -> None:
    first = watching(node, transfer(node.client, nonce=0))
    node.propose()
    assert next(first).kind == TransactionStatus.INCLUDED
    second = watching(node, transfer(node.client, nonce=1))
    # With the second block the first one becomes final: the state is that after both by then.
    node.finalize(node.propose())
    assert next(first).kind == TransactionStatus.FINALIZED
    assert kinds(iter([next(second), next(second)])) == ["INCLUDED", "FINALIZED"]
    assert len(node.pool) == 0


def test_future_then_ready_then_dropped(node: Node) -> None:
    late = node.client.submit_and_watch(transfer(node.client, nonce=1), timeout_s=60)
    assert next(late).kind == TransactionStatus.FUTURE
    node.client.submit(transfer(node.client, nonce=0))
    assert next(late).kind == TransactionStatus.READY
    node.client.submit(transfer(node.client, nonce=1, tip=5))
    dropped = next(late)
    assert dropped.kind == TransactionStatus.DROPPED
    assert "replaced" in dropped.error
    assert list(late) == []


def test_a_cancelled_transfer_and_a_failed_one(node: Node) -> None:
    node.author()
    watch = watching(node, transfer(node.client))
    node.author()
    cancelled = watching(node, node.client.sign(EVE, node.client.call("coin", "cancel", index=0)))
    node.author()
    assert kinds(watch) == ["INCLUDED", "FINALIZED", "CANCELLED"]
    assert kinds(cancelled) == ["INCLUDED", "FINALIZED"]
    failing = watching(node, transfer(node.client, 10**30))
    node.author()
    statuses = list(failing)
    assert kinds(iter(statuses)) == ["INCLUDED", "FINALIZED"]
    assert statuses[-1].error == "coin.InsufficientBalance"


def test_submissions_that_are_refused(node: Node) -> None:
    extrinsic = transfer(node.client)
    with refused("INVALID_ARGUMENT"):
        node.client.submit(b"nonsense")
    forged = Extrinsic.FromString(extrinsic)
    forged.signature = bytes(64)
    with refused("INVALID_ARGUMENT"):
        node.client.submit(forged.SerializeToString(deterministic=True))
    call = node.client.call("coin", "transfer", dest=BOB.address, amount=1)
    info = node.client.info()
    elsewhere = sign_call(
        EVE,
        call,
        genesis_hash=bytes(32),
        spec_version=info.spec_version,
        transaction_version=info.transaction_version,
        nonce=0,
    )
    with refused("INVALID_ARGUMENT"):
        next(node.client.submit_and_watch(elsewhere, timeout_s=60))
    node.client.submit(extrinsic)
    with refused("ALREADY_EXISTS"):
        node.client.submit(extrinsic)
    with refused("ALREADY_EXISTS"):
        node.client.submit(transfer(node.client, 7, nonce=0))
    node.author()
    with refused("FAILED_PRECONDITION"):
        node.client.submit(extrinsic)
    poor = node.client.sign(ALICE, call, tip=10**30)
    with refused("FAILED_PRECONDITION") as message:
        node.client.submit(poor)
    assert "fee" in message[0]


def test_a_batch_answers_for_each(node: Node) -> None:
    good = [transfer(node.client, nonce=nonce) for nonce in range(120)]
    results = node.client.submit_batch([*good, b"nonsense", good[0]])
    assert [bool(result.error) for result in results] == [False] * 120 + [True, True]
    assert results[0].hash == extrinsic_hash(good[0])
    assert "pool" in results[-1].error
    assert [_status(result) for result in results[-3:]] == ["OK", "INVALID_ARGUMENT", "ALREADY_EXISTS"]
    assert len(node.author().block.extrinsics) == 120
    with refused("INVALID_ARGUMENT"):
        node.client.submit_batch([b"x"] * 1001)


def test_the_extrinsics_of_a_batch_are_counted(tmp_path: Path) -> None:
    limits = small(calls_per_second=0.0001, burst=25.5, loopback_factor=1.0, extrinsics_per_call=2)
    with running_node(tmp_path, limits) as node:
        assert len(node.client.submit_batch([b"x"] * 40)) == 40
        with refused("RESOURCE_EXHAUSTED") as message:
            node.client.submit_batch([b"x"] * 12)
        assert "slow down" in message[0]
        # A refused one is a call as well.
        assert len(node.client.submit_batch([b"x"] * 8)) == 8
        with refused("RESOURCE_EXHAUSTED"):
            node.client.info()


def test_batches_visit_the_trio_thread_one_at_a_time(node: Node) -> None:
    visiting = most = 0
    crowd = threading.Event()

    def in_trio(function: Callable[[], Any], /) -> Any:
        nonlocal visiting, most
        visiting += 1
        most = max(most, visiting)
        assert crowd.wait(20)
        result = function()
        visiting -= 1
        return result

    context = dataclasses.replace(node.context, in_trio=in_trio)
    service = TransactionsService(context, TransactionTracker(node.chain, node.pool), uncharged)
    request = SubmitBatchRequest(extrinsics=[b"x"] * 120)
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(service.SubmitBatch, request, FakeCall()) for _ in range(3)]
        try:
            assert _eventually(lambda: most > 1 or waiting(service._turns) == 2)
        finally:
            crowd.set()
        assert [len(call.result().results) for call in calls] == [120] * 3
    assert most == 1


def test_clients_that_wait_take_turns() -> None:
    turns = Turns()
    order: list[str] = []

    def take(name: str) -> None:
        with turns.hold(name[0]):
            order.append(name)

    threads = []
    with turns.hold("a"):
        for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            assert _eventually(lambda: waiting(turns) == len(threads))
        assert not order
    for thread in threads:
        thread.join(20)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
    with pytest.raises(ZeroDivisionError), turns.hold("a"):
        raise ZeroDivisionError
    take("d1")
    assert order[-1] == "d1"


def waiting(turns: Turns) -> int:
    return sum(map(len, list(turns._waiting.values())))


def _eventually(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not check() and time.monotonic() < deadline:
        time.sleep(0.001)
    return check()


def test_a_full_pool_says_of_each_that_it_may_come_again(node: Node) -> None:
    waiting = node.pool.limits.max_per_sender
    batch = [transfer(node.client, nonce=nonce) for nonce in range(waiting + 2)]
    results = node.client.submit_batch(batch)
    assert [_status(result) for result in results] == ["OK"] * waiting + ["RESOURCE_EXHAUSTED"] * 2
    with refused("RESOURCE_EXHAUSTED"):
        node.client.submit(batch[-2])
    assert len(node.pool) == waiting
    assert len(node.author().block.extrinsics) == waiting
    assert [_status(result) for result in node.client.submit_batch(batch[waiting:])] == ["OK"] * 2
    assert len(node.author().block.extrinsics) == 2


def _status(result: SubmitResult) -> str:
    return next(code.name for code in grpc.StatusCode if code.value[0] == result.code)


def test_a_dry_run_tells_and_changes_nothing(node: Node) -> None:
    good = node.client.dry_run(transfer(node.client, 5))
    assert good.ok
    assert u128_int(good.fee) > 0
    assert "TransferQueued" in [event.name for event in good.events]
    bad = node.client.dry_run(transfer(node.client, 10**30))
    assert (bad.ok, bad.error) == (False, "coin.InsufficientBalance")
    with refused("FAILED_PRECONDITION"):
        node.client.dry_run(transfer(node.client, nonce=5))
    assert len(node.pool) == 0
    assert node.client.account(EVE.address).nonce == 0


def test_nothing_is_kept_of_a_stream_that_ended(node: Node) -> None:
    tracker = TransactionTracker(node.chain, node.pool)
    service = TransactionsService(node.context, tracker, uncharged)
    call = FakeCall()
    left = service.SubmitAndWatch(SubmitRequest(extrinsic=transfer(node.client)), call)
    assert next(left).kind == TransactionStatus.READY
    assert len(tracker) == 1
    left.close()  # type: ignore[attr-defined]
    assert len(tracker) == 0
    with pytest.raises(AlreadyInPool):
        service.SubmitAndWatch(SubmitRequest(extrinsic=transfer(node.client, nonce=0)), call)
    assert len(tracker) == 0
    remark = node.client.sign(ALICE, node.client.call("system", "remark", remark=b"x"))
    done = service.SubmitAndWatch(SubmitRequest(extrinsic=remark), call)
    node.author()
    assert kinds(done) == ["READY", "INCLUDED", "FINALIZED"]
    assert len(tracker) == 0
