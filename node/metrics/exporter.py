"""The HTTP server that Prometheus scrapes: GET /metrics, one request a connection.

It runs on the trio thread, which alone may ask the node's parts, so whoever scrapes must not cost it much: what is
exposed is made at most once a second, however many ask; turning it into text is a thread's work; a connection is
cut after `ANSWER_S`, whatever its other end does or does not; there are few at a time, and fewer of one address.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11
import trio
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from node.chain import Chain
from node.config import NodeConfig
from node.errors import NodeStartError, PoclError
from node.metrics.families import families
from node.metrics.instruments import Instruments
from node.metrics.readings import Gauges, Readings
from node.status.facts import measure_disk

log = logging.getLogger("pocl.metrics")

ANSWER_S = 10.0
"""From a connection's begin to its end."""

FRESH_S = 1.0
MAX_CONNECTIONS = 16
MAX_OF_ONE_ADDRESS = 4
MAX_REQUEST_BYTES = 8192

_TEXT = "text/plain; charset=utf-8"


class Exporter:
    """Serves what `expose` returns. Everything here is called on the trio thread."""

    def __init__(self, host: str, port: int, expose: Callable[[], Awaitable[bytes]]) -> None:
        """`port` 0 lets the system choose; `address` then tells which."""
        self._host = host
        self._port = port
        self._expose = expose
        self._open: Counter[str] = Counter()
        self._making = trio.Lock()
        self._made = b""
        self._made_at = float("-inf")
        self.address = ""
        """HOST:PORT listened on, once started."""

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` when listening. Raise NodeStartError when that cannot be."""
        try:
            listeners = await trio.open_tcp_listeners(self._port, host=self._host)
        except OSError as error:
            raise NodeStartError(
                f"metrics cannot be served on {self._host}:{self._port}: {error.strerror}: choose another port "
                "with --prometheus-port, or serve none with --no-prometheus"
            ) from None
        host, port = listeners[0].socket.getsockname()[:2]
        self.address = f"{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
        log.debug("metrics on http://%s/metrics", self.address)
        task_status.started()
        await trio.serve_listeners(self._serve, listeners)

    async def _serve(self, stream: trio.SocketStream) -> None:
        remote = ""
        with suppress(OSError):  # It may have gone again.
            remote = stream.socket.getpeername()[0]
        if self._open.total() >= MAX_CONNECTIONS or self._open[remote] >= MAX_OF_ONE_ADDRESS:
            await trio.aclose_forcefully(stream)
            return
        self._open[remote] += 1
        try:
            with trio.move_on_after(ANSWER_S), suppress(trio.BrokenResourceError):
                await self._answer(stream)
        except Exception:
            log.exception("answering a scrape")
        finally:
            self._open[remote] -= 1
            self._open += Counter()  # Forgets who has none.
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST_BYTES)
        bodiless = False
        try:
            request = await _request(connection, stream)
            if request is None:
                return
            bodiless = request.method == b"HEAD"
            status, kind, body = await self._respond(request)
        except h11.RemoteProtocolError as error:
            status, kind, body = error.error_status_hint, _TEXT, b"this is no request understood here\n"
        headers = [("content-type", kind), ("content-length", str(len(body))), ("connection", "close")]
        reason = HTTPStatus(status).phrase.encode()
        response = h11.Response(status_code=status, headers=headers, reason=reason)
        await stream.send_all(connection.send(response) + (b"" if bodiless else body))
        await stream.send_eof()

    async def _respond(self, request: h11.Request) -> tuple[int, str, bytes]:
        if request.target.partition(b"?")[0] != b"/metrics":
            return 404, _TEXT, b"the metrics are at /metrics\n"
        if request.method not in (b"GET", b"HEAD"):
            return 405, _TEXT, b"the metrics are read with GET\n"
        try:
            return 200, CONTENT_TYPE_PLAIN_0_0_4, await self._fresh()
        except PoclError as error:
            return 503, _TEXT, f"{error}\n".encode()

    async def _fresh(self) -> bytes:
        async with self._making:
            if trio.current_time() - self._made_at >= FRESH_S:
                self._made = await self._expose()
                self._made_at = trio.current_time()
            return self._made


async def _request(connection: h11.Connection, stream: trio.SocketStream) -> h11.Request | None:
    """Return the request of a connection; None when it ended before there was one. Raise RemoteProtocolError."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await stream.receive_some(4096))


def make_exporter(
    config: NodeConfig, chain: Chain, instruments: Instruments | None, gauges: Gauges
) -> Exporter | None:
    """Return the server of what a node's instruments measure and its parts know; None without instruments."""
    if instruments is None:
        return None
    chain.on_final(instruments.on_final)

    def text(readings: Readings) -> bytes:
        facts = readings.facts.with_disk(measure_disk(config.base_path))
        return exposition(instruments, dataclasses.replace(readings, facts=facts))

    async def expose() -> bytes:
        return await trio.to_thread.run_sync(text, gauges.read())

    return Exporter(config.prometheus_host, config.prometheus_port or 0, expose)


def exposition(instruments: Instruments, readings: Readings) -> bytes:
    """Return everything in the text format of Prometheus."""
    return generate_latest(_Families([*instruments.registry.collect(), *families(readings)]))


class _Families(Collector):
    """Families without the library's `_created` samples, which this format would show as metrics of their own."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)
        for family in self._found:
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._found
