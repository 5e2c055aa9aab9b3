"""Bounds, malformed input and the ends of calls: whatever comes, the node answers with a status and lives on."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import trio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.errors import NodeStartError
from node.rpc import start_server
from node.rpc.limits import RateLimit
from pocl.client import Client, ClientError
from pocl.v1.rounds_service_pb2 import GetCurrentRoundRequest, SubscribeRoundsRequest
from pocl.v1.rounds_service_pb2_grpc import RoundsServiceStub
from pocl.v1.transactions_service_pb2 import SubmitRequest
from tests.node.rpc.harness import Node, refused, running_node, small
from tests.node.rpc.miner import AUTHORIZED


def raw(node: Node, method: str, data: bytes, timeout: float = 20) -> bytes:
    """Send bytes as they are to a unary method."""
    with grpc.insecure_channel(node.server.address) as channel:
        call = channel.unary_unary(
            method, request_serializer=lambda given: given, response_deserializer=lambda given: given
        )
        return bytes(call(data, timeout=timeout))


def code_of(action: Callable[[], Any]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        action()
    return str(caught.value.code().name)


def test_malformed_messages_are_invalid_arguments(node: Node) -> None:
    methods = (
        "ChainService/GetBlock",
        "StateService/GetStorage",
        "TransactionsService/Submit",
        "RoundsService/GetRound",
    )
    for method in methods:
        for data in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x09"):
            assert code_of(lambda m=method, d=data: raw(node, f"/pocl.v1.{m}", d)) == "INVALID_ARGUMENT"
    with grpc.insecure_channel(node.server.address) as channel:
        stream = channel.unary_stream("/pocl.v1.ChainService/SubscribeFinal")
        assert code_of(lambda: next(stream(b"\xff", timeout=20))) == "INVALID_ARGUMENT"
        put = channel.stream_unary("/pocl.v1.WorkerService/PutBlob")
        assert code_of(lambda: put(iter([b"\xff"]), timeout=20)) in ("INVALID_ARGUMENT", "PERMISSION_DENIED")
    assert code_of(lambda: raw(node, "/pocl.v1.ChainService/Nothing", b"")) == "UNIMPLEMENTED"
    assert node.client.info().chain == "pocl-dev"


def test_an_oversized_message_is_refused(node: Node) -> None:
    data = SubmitRequest(extrinsic=bytes(5 * 2**20)).SerializeToString()
    assert code_of(lambda: raw(node, "/pocl.v1.TransactionsService/Submit", data)) == "RESOURCE_EXHAUSTED"
    # Below the server's bound, above the pool's.
    with refused("RESOURCE_EXHAUSTED"):
        node.client.submit(bytes(2 * 2**20))
    assert node.client.info().chain == "pocl-dev"


def test_streams_are_bounded_and_leave_room_for_other_calls(tmp_path: Path) -> None:
    with running_node(tmp_path, small(threads=4, streams=2, streams_per_host=2)) as node:
        node.author()
        open_streams = [node.client.blocks(1, timeout_s=60) for _ in range(2)]
        for stream in open_streams:
            next(stream)
        with refused("RESOURCE_EXHAUSTED"):
            next(node.client.blocks(1, timeout_s=60))
        for _ in range(20):
            assert node.client.info().final_number == 1
        open_streams[0].close()  # type: ignore[attr-defined]
        assert _eventually(lambda: next(node.client.blocks(1, timeout_s=60)))


def test_outsiders_cannot_crowd_out_the_worker(tmp_path: Path) -> None:
    with running_node(
        tmp_path, small(streams=1, calls_per_second=0.0001, burst=2.0, loopback_factor=1.0)
    ) as node:
        node.author()
        stream = node.client.blocks(1, timeout_s=60)
        next(stream)
        with refused("RESOURCE_EXHAUSTED"):
            next(node.client.follow_rounds(timeout_s=60))
        with refused("RESOURCE_EXHAUSTED"):
            node.client.info()
        with grpc.insecure_channel(node.server.address) as channel:
            rounds = RoundsServiceStub(channel)
            views = rounds.Subscribe(SubscribeRoundsRequest(), metadata=AUTHORIZED, timeout=60)
            assert next(views).round == 1
            assert rounds.GetCurrent(GetCurrentRoundRequest(), metadata=AUTHORIZED, timeout=20).round == 1
            views.cancel()


def test_a_hosts_rate_is_bounded(tmp_path: Path) -> None:
    with running_node(
        tmp_path, small(calls_per_second=0.0001, burst=2.5, loopback_factor=2.0)
    ) as node:  # This machine has twice as much as others.
        for _ in range(5):
            node.client.info()
        with refused("RESOURCE_EXHAUSTED") as message:
            node.client.info()
        assert "slow down" in message[0]


def test_a_bucket_refills_and_hosts_do_not_share() -> None:
    now = 0.0
    limit = RateLimit(2.0, 4.0, clock=lambda: now)
    assert [limit.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert limit.take("b")
    assert [limit.take("here", 2.0) for _ in range(9)] == [True] * 8 + [False]
    now = 1.0
    assert [limit.take("here", 2.0) for _ in range(5)] == [True] * 4 + [False]
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    now = 100.0
    assert [limit.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert [limit.take("much", tokens=tokens) for tokens in (3, 2, 1, 0.5)] == [True, False, True, False]
    for host in range(3 * RateLimit.MAX_HOSTS):
        limit.take(str(host))
    assert len(limit._buckets) == RateLimit.MAX_HOSTS


def test_a_defect_is_one_line_for_the_client_and_a_traceback_in_the_log(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.closed_for_trio = ZeroDivisionError("of our own making")
    with caplog.at_level(logging.ERROR, "pocl.rpc"), refused("INTERNAL") as message:
        node.client.info()
    assert message == ["internal error (ZeroDivisionError): the node's log has it"]
    assert "of our own making" in caplog.text
    assert "GetInfo" in caplog.text
    node.closed_for_trio = None
    assert node.client.info().chain == "pocl-dev"


def test_a_node_that_is_stopping_is_unavailable(node: Node) -> None:
    for error in (trio.RunFinishedError(), _cancelled()):
        node.closed_for_trio = error
        with refused("UNAVAILABLE") as message:
            node.client.info()
        assert message == ["the node is stopping"]
        with refused("UNAVAILABLE"):
            next(node.client.watch(bytes(32), timeout_s=60))


def test_stopping_ends_streams_and_closes_the_port(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        node.author()
        blocks, rounds = node.client.blocks(1, timeout_s=60), node.client.follow_rounds(timeout_s=60)
        next(blocks)
        next(rounds)
        node.server.stop(5.0)
        for stream in (blocks, rounds):
            with refused("UNAVAILABLE") as message:
                next(stream)  # type: ignore[call-overload]
            assert message == ["the node is stopping"]
        with refused("UNAVAILABLE") as message:
            Client.connect(node.server.address, timeout_s=5)
        assert node.server.address in message[0]


def test_a_port_in_use_is_refused(node: Node) -> None:
    config = dataclasses.replace(node.config, rpc_port=node.server.port)
    with pytest.raises(NodeStartError, match=str(node.server.port)):
        start_server(dataclasses.replace(node.context, config=config))


def test_a_deadline_ends_a_silent_stream(node: Node) -> None:
    with refused("DEADLINE_EXCEEDED"):
        next(node.client.blocks(timeout_s=0.2))


def test_health(node: Node) -> None:
    with grpc.insecure_channel(node.server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "pocl.v1.ChainService", "pocl.v1.TransactionsService"):
            request = health_pb2.HealthCheckRequest(service=service)
            assert stub.Check(request, timeout=20).status == health_pb2.HealthCheckResponse.SERVING
            watch = stub.Watch(request, timeout=20)
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            watch.cancel()


def _eventually(action: Callable[[], object], attempts: int = 200) -> bool:
    """Whether an action succeeds before long; every attempt is a round trip to the server."""
    for _ in range(attempts):
        try:
            action()
        except ClientError:
            continue
        return True
    return False


def _cancelled() -> BaseException:
    """A trio.Cancelled, which only trio can make."""
    caught: list[BaseException] = []

    async def cancel_oneself() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                caught.append(error)
                raise

    trio.run(cancel_oneself)
    return caught[0]
