"""A connection and its streams, made safe to use: how, and why it is needed, host.py says."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import trio
from libp2p.abc import INetConn, INetStream
from libp2p.network.stream.exceptions import StreamEOF

from node.network.frames import FrameReader
from node.network.traffic import Traffic, protocol_name

NEGOTIATION_S = 10


class LinkHost(Protocol):
    """What a link needs of its host."""

    traffic: Traffic

    async def select_protocol(self, stream: INetStream, protocol: str) -> None:
        """Agree with the other side on the protocol of a new stream."""

    def forget(self, link: Link) -> None:
        """The link's connection is over."""


class LinkError(Exception):
    """A stream or its connection broke, or the peer does not speak the protocol."""


class Stream:
    """A stream with errors of one kind. After any error it is of no use but to be reset."""

    def __init__(self, link: Link, stream: INetStream, protocol: str, traffic: Traffic) -> None:
        self.link = link
        self._stream: Any = stream
        self._name = protocol_name(protocol)
        self._traffic = traffic
        self.writing_since: float | None = None
        """trio.current_time() when the write that is under way began."""

    def frames(self, max_bytes: int) -> FrameReader:
        """Return a reader of this stream's frames; there can be only one."""
        return FrameReader(self._read, max_bytes)

    async def write(self, data: bytes) -> None:
        """Write all of it. Raise LinkError when the stream breaks."""
        self.writing_since = trio.current_time()
        try:
            await self._stream.write(data)
            self._traffic.sent[self._name] += len(data)
        except Exception as error:
            raise LinkError(f"cannot write: {said(error)}") from error
        finally:
            self.writing_since = None

    async def close(self) -> None:
        """End the stream in both directions; errors do not matter any more."""
        with contextlib.suppress(Exception), trio.CancelScope(shield=True):
            await self._stream.close()

    async def reset(self) -> None:
        """Give the stream up, telling the other side."""
        with contextlib.suppress(Exception), trio.CancelScope(shield=True):
            await self._stream.reset()

    async def _read(self, count: int) -> bytes:
        try:
            data: bytes = await self._stream.read(count)
        except StreamEOF:
            return b""
        except Exception as error:
            raise LinkError(f"cannot read: {said(error)}") from error
        self._traffic.received[self._name] += len(data)
        return data


class Link:
    """One connection to a peer whose identity Noise has proved."""

    def __init__(self, host: LinkHost, conn: INetConn) -> None:
        self._host = host
        self._conn: Any = conn
        self.peer_id = str(conn.muxed_conn.peer_id)
        self.inbound = not conn.muxed_conn.is_initiator
        self.inbound_streams = 0
        self.dropped = trio.Event()
        """Set when the connection is over, whoever ended it."""

        secured: Any = conn.muxed_conn.secured_conn  # type: ignore[attr-defined]
        self._socket = _socket_of(secured)
        self.remote = _remote_of(self._socket)
        """IP address and port of the other end; ("", 0) when the system does not tell."""
        _shield_writes(secured)

    @property
    def address(self) -> str:
        """The other end as a multiaddr."""
        ip, port = self.remote
        return f"/{'ip6' if ':' in ip else 'ip4'}/{ip}/tcp/{port}" if ip else ""

    @property
    def buffered(self) -> int:
        """Bytes received and not read, over all streams."""
        return sum(len(buffer) for buffer in self._conn.muxed_conn.stream_buffers.values())

    async def open_stream(self, protocol: str) -> Stream:
        """Open a stream on this very connection. Raise LinkError when the peer does not take it."""
        if self.dropped.is_set():
            raise LinkError("the connection is closed")
        stream = None
        try:
            # Shielded: a cancelled opening would leave a stream that nobody ever closes.
            with trio.CancelScope(shield=True, deadline=trio.current_time() + NEGOTIATION_S):
                stream = await self._conn.new_stream()
        except Exception as error:
            raise LinkError(f"cannot open a stream: {said(error)}") from error
        if stream is None:
            raise LinkError("cannot open a stream: it takes too long")
        opened = Stream(self, stream, protocol, self._host.traffic)
        try:
            await self._host.select_protocol(stream, protocol)
        except BaseException as error:
            await opened.reset()
            if isinstance(error, Exception):
                raise LinkError(f"no stream of {protocol}: {error}") from error
            raise
        return opened

    def drop(self) -> None:
        """End the connection at once. Everything that waits on it ends with LinkError."""
        self._socket.close()
        self._host.forget(self)


def _socket_of(secured: Any) -> trio.socket.SocketType:
    """Return the TCP socket below a Noise session."""
    found = secured.conn.read_writer.read_write_closer.stream.stream.socket
    assert isinstance(found, trio.socket.SocketType)
    return found


def _remote_of(sock: trio.socket.SocketType) -> tuple[str, int]:
    try:
        name = sock.getpeername()
    except OSError:
        name = ("", 0)
    return str(name[0]).removeprefix("::ffff:"), int(name[1])


def _shield_writes(secured: Any) -> None:
    write = secured.write

    async def shielded(data: bytes) -> None:
        with trio.CancelScope(shield=True):
            await write(data)

    secured.write = shielded


def said(error: BaseException) -> str:
    """Return an error's message, or its class when it has none."""
    return str(error) or type(error).__name__
