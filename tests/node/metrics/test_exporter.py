"""The HTTP server: what it answers, and that nobody who scrapes can do harm."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from node.errors import NodeStartError, PoclError
from node.metrics import exporter
from node.metrics.exporter import Exporter

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Served:
    """A running exporter, and how often it made its text."""

    def __init__(self) -> None:
        self.made = 0
        self.failure: PoclError | None = None
        self.exporter = Exporter("127.0.0.1", 0, self.expose)
        self.gate: trio.Event | None = None

    async def expose(self) -> bytes:
        self.made += 1
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            await self.gate.wait()
        return b"made %d\n" % self.made

    async def connect(self) -> trio.SocketStream:
        host, _, port = self.exporter.address.partition(":")
        return await trio.open_tcp_stream(host, int(port))

    async def ask(self, request: bytes = GET) -> tuple[int, bytes]:
        """Return status and body."""
        async with await self.connect() as stream:
            await stream.send_all(request)
            answer = await rest(stream)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    @property
    def open(self) -> int:
        return self.exporter._open.total()


async def rest(stream: trio.SocketStream) -> bytes:
    """Return what comes until the other side ends; nothing more when it ended roughly."""
    answer = b""
    try:
        async for data in stream:
            answer += data
    except trio.BrokenResourceError:
        pass
    return answer


async def until_open(served: Served, count: int) -> None:
    while served.open != count:
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    served = Served()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.exporter.run)
        yield served
        nursery.cancel_scope.cancel()


async def test_answers() -> None:
    async with serving() as served:
        assert await served.ask() == (200, b"made 1\n")
        assert await served.ask(b"GET /metrics?x=1 HTTP/1.0\r\n\r\n") == (200, b"made 1\n")
        assert await served.ask(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n") == (200, b"")
        assert await served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == (
            404,
            b"the metrics are at /metrics\n",
        )
        status, body = await served.ask(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert (status, body) == (405, b"the metrics are read with GET\n")
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\n\r\n",
            b"GET\r\n\r\n",
        ):
            assert (await served.ask(nonsense))[0] == 400
        async with await served.connect() as stream:
            await stream.send_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            assert (await rest(stream)).count(b"HTTP/1.1 200 OK\r\n") <= 1
        async with await served.connect():
            pass
        await until_open(served, 0)


async def test_a_head_that_does_not_end_is_cut() -> None:
    async with serving() as served:
        async with await served.connect() as stream:
            head = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (exporter.MAX_REQUEST_BYTES + 4096)
            await stream.send_all(head)
            answer = await rest(stream)
            assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""
        await until_open(served, 0)
        assert served.made == 0


async def test_the_text_is_made_once_a_second_however_many_ask(mock_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        assert {await served.ask() for _ in range(5)} == {(200, b"made 1\n")}
        mock_clock.jump(exporter.FRESH_S)
        served.gate = trio.Event()
        answers = []

        async def ask() -> None:
            answers.append(await served.ask())

        async with trio.open_nursery() as nursery:
            for _ in range(exporter.MAX_OF_ONE_ADDRESS):
                nursery.start_soon(ask)
            await until_open(served, exporter.MAX_OF_ONE_ADDRESS)
            served.gate.set()
        assert answers == [(200, b"made 2\n")] * exporter.MAX_OF_ONE_ADDRESS


async def test_who_says_nothing_is_cut(mock_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        silent, slow = await served.connect(), await served.connect()
        async with silent, slow:
            await slow.send_all(b"GET /metr")
            await until_open(served, 2)
            mock_clock.jump(exporter.ANSWER_S)
            assert await rest(silent) == await rest(slow) == b""
            await until_open(served, 0)


async def test_who_takes_nothing_is_cut(mock_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        served.exporter._made, served.exporter._made_at = b"x" * 2**25, 0.0
        async with await served.connect() as stream:
            await stream.send_all(GET)
            await stream.receive_some(10)
            assert served.open == 1
            mock_clock.jump(exporter.ANSWER_S)
            await until_open(served, 0)
            assert len(await rest(stream)) < 2**25


async def test_one_address_has_a_few_connections_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "MAX_CONNECTIONS", exporter.MAX_OF_ONE_ADDRESS + 1)
    most = exporter.MAX_OF_ONE_ADDRESS
    async with serving() as served:
        held = [await served.connect() for _ in range(most)]
        await until_open(served, most)
        async with await served.connect() as more:
            assert await rest(more) == b""
        # Another address has its own, as long as there are any.
        host, _, port = served.exporter.address.partition(":")
        others = [await trio.open_tcp_stream(host, int(port), local_address="127.0.0.2") for _ in range(2)]
        await others[0].send_all(GET)
        assert b"made 1\n" in await rest(others[0])
        for stream in (*held, *others):
            await stream.aclose()
        await until_open(served, 0)
        assert (await served.ask())[0] == 200


async def test_a_node_that_cannot_read_its_state_says_so() -> None:
    async with serving() as served:
        served.failure = PoclError("the database: gone")
        assert await served.ask() == (503, b"the database: gone\n")
        served.failure = None
        assert (await served.ask())[0] == 200


async def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        served = Exporter("127.0.0.1", port, Served().expose)
        with pytest.raises(NodeStartError, match=f"127.0.0.1:{port}: .*in use.*--prometheus-port"):
            await served.run()
