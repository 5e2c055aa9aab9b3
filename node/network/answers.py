"""Answering what peers request: blocks, state, blobs, addresses (one stream a request), and how much of it.

A peer has a rate for each kind of request; beyond it an answer waits. Pages of sync are large, so only a few are
under way at a time, and strangers have places of their own, so that they cannot take those of validators.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import trio
from google.protobuf.message import Message

from node.blobs import BlobStore
from node.network import blob_exchange, dialler
from node.network.blob_exchange import answer_blob
from node.network.decoding import decode_bounded
from node.network.fairness import Rates
from node.network.host import Host
from node.network.link import Link, Stream
from node.network.session import Session, Violation
from node.network.types import Handlers
from pocl.v1.network_pb2 import StateRequest, SyncRequest
from runtime.codec import CodecError, encode

M = TypeVar("M", bound=Message)

SYNC = "sync"
STATE = "state"
MAX_ANSWER = 16 * 2**20
"""Bytes of an answer about blocks or state: twice what the largest page or part has (node/sync_pages.py)."""

_RATES = {
    SYNC: (10.0, 30.0),
    STATE: (20.0, 60.0),
    blob_exchange.BLOBS: (100.0, 400.0),
    dialler.PEERS: (1.0, 10.0),
}
"""Requests of one peer that are answered a second, and at once; more have to wait."""

_PAGES = 4
"""Pages under way at a time to validators of the set, and as many to all others: one may have 6 MiB."""

_SYNC_REQUEST_BYTES = 64
_STATE_REQUEST_BYTES = 128
_SERVE_S = 30.0
_SENDERS = 256


class Askers(Protocol):
    """What the answers need to know of the network."""

    def session(self, link: Link) -> Session | None:
        """Return the session of a connection."""

    def is_validator(self, session: Session) -> bool:
        """Tell whether the peer is a validator of the set."""

    def turn(self, session: Session) -> AbstractAsyncContextManager[None]:
        """Return what must be entered to work for a peer."""


class Answers:
    """Serves the request protocols of a host; `protocol` names them."""

    def __init__(
        self,
        host: Host,
        protocol: Callable[[str], str],
        askers: Askers,
        handlers: Handlers,
        blobs: BlobStore,
        addresses: Callable[[Session], Awaitable[bytes]],
    ) -> None:
        self._askers = askers
        self._handlers = handlers
        self._blobs = blobs
        self._addresses = addresses
        self._reading = trio.CapacityLimiter(4)
        self._rates = {name: Rates(*rate, _SENDERS, trio.current_time) for name, rate in _RATES.items()}
        self._pages = {known: trio.CapacityLimiter(_PAGES) for known in (True, False)}
        host.serve(protocol(SYNC), self._server(SYNC, _SYNC_REQUEST_BYTES, self._sync))
        host.serve(protocol(STATE), self._server(STATE, _STATE_REQUEST_BYTES, self._state))
        blob_bytes = blob_exchange.MAX_REQUEST_BYTES
        host.serve(protocol(blob_exchange.BLOBS), self._server(blob_exchange.BLOBS, blob_bytes, self._blob))
        host.serve(protocol(dialler.PEERS), self._server(dialler.PEERS, 0, self._peers))

    def _server(
        self, name: str, max_bytes: int, answer: Callable[[Session, bytes], Awaitable[bytes]]
    ) -> Callable[[Stream], Awaitable[None]]:
        async def serve(stream: Stream) -> None:
            session = self._askers.session(stream.link)
            if session is None:
                await stream.reset()
                return

            async def answered(data: bytes) -> bytes:
                await trio.sleep(self._rates[name].wait_s(session.link.peer_id))
                async with self._askers.turn(session):
                    return await answer(session, data)

            places = self._pages[self._askers.is_validator(session)] if name == SYNC else None
            await session.serve_request(stream, max_bytes, _SERVE_S, answered, places)

        return serve

    async def _sync(self, _session: Session, data: bytes) -> bytes:
        return await self._read(SyncRequest, data, self._handlers.serve_sync)

    async def _state(self, _session: Session, data: bytes) -> bytes:
        return await self._read(StateRequest, data, self._handlers.serve_state)

    async def _read(self, kind: type[M], data: bytes, serve: Callable[[M], Message]) -> bytes:
        """Answer on a thread, for the answer comes from the database."""
        try:
            request = decode_bounded(kind, data)
        except CodecError as error:
            raise Violation(str(error)) from None

        def answer() -> bytes:
            data = encode(serve(request))
            if len(data) > MAX_ANSWER:
                raise ValueError(f"an answer of {len(data)} bytes: peers would call it a violation")
            return data

        return await trio.to_thread.run_sync(answer, limiter=self._reading)

    async def _blob(self, _session: Session, data: bytes) -> bytes:
        return await answer_blob(data, self._blobs, self._handlers.may_serve, self._reading)

    async def _peers(self, session: Session, _data: bytes) -> bytes:
        return await self._addresses(session)
