"""With link.py the one place that touches py-libp2p: a host whose connections are safe to use.

TCP, Noise, Yamux. What the library needs to be told or kept from, each measured or read in 0.8.1:
- an exception that leaves a stream handler ends the process: `_on_stream` is the outermost handler and lets
  none out;
- a cancelled write can leave half a Noise frame and a connection that looks alive: `Link` shields the writes
  of every connection, so no cancellation, the library's own timeouts included, stops one half way. What is
  stuck ends by closing the socket under it (`Link.drop`), never by cancelling;
- closing a connection politely waits for a write lock that a hung peer never frees: `drop` closes the TCP
  socket, and the library's tasks end by themselves;
- an inbound connection keeps its place among the inbound limit until the process ends: `_accept` takes the
  library's handler's place and ends with the connection;
- streams and their buffers are unbounded: both are bounded here and in service.py;
- who opens connections and says nothing is served until a time-out: arrivals are bounded, in number and rate;
- by default it also takes peers over plain text, where an identity is claimed and not proved, TLS and secio:
  only Noise is offered here, and only Yamux above it;
- the listening socket is opened with SO_REUSEPORT, so a second node would silently share the port: it is
  probed without first;
- addresses that failed once are refused for 60 s, peers are dialled unasked, and limits keep no places for
  validators: redialling, discovery and limits are ours (dialler.py, service.py), the library's are off.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

# Fewer small writes for each read; read by the library whenever a stream is read.
os.environ.setdefault("PY_YAMUX_RELEASE_ON_READ", "0")

import trio
from libp2p import new_host
from libp2p.abc import INetConn, INetStream, INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux import yamux
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr  # type: ignore[import-untyped]

from node.errors import NodeStartError
from node.network.fairness import Rates
from node.network.link import NEGOTIATION_S, Link, LinkError, Stream, said
from node.network.traffic import Traffic

logger = logging.getLogger(__name__)

MAX_STREAMS = 64
"""Inbound streams of one connection at a time, those still choosing a protocol included."""

MAX_WINDOW = 2**20
"""Bytes that a peer may send on a stream before they are read. The library lets windows grow to 16 MiB, and
takes frames as large."""

MAX_ARRIVING = 64
"""Inbound connections that are shaking hands (Noise, Yamux) at a time; the oldest makes place for the next."""

_ARRIVALS_PER_S, _ARRIVALS_BURST, _ARRIVAL_HOSTS = 10.0, 100.0, 1024
"""Inbound connections taken from one address. Each costs some milliseconds before it has said anything."""

_DIAL_S = 10.0
_STOP_S = 3.0
_LINK = "_pocl_link"


def peer_id_of(seed: bytes) -> str:
    """Return the peer id of a node whose network key has this 32-byte seed."""
    return str(ID.from_pubkey(create_new_key_pair(seed).public_key))


class Host(INotifee):
    """A listening libp2p host. `run` tells of every new connection, what `serve` was given gets the inbound
    streams of a protocol, and no exception of a handler goes further."""

    def __init__(self, seed: bytes, max_connections: int) -> None:
        _quiet_the_library()
        yamux.MAX_WINDOW_SIZE = MAX_WINDOW
        config = ConnectionConfig(
            max_connections=max_connections,
            min_connections=0,
            low_watermark=0,
            high_watermark=max_connections,
            max_connections_per_peer=4,
            auto_connect_interval=3600.0,
        )
        keys = create_new_key_pair(seed)
        noise = NoiseTransport(keys, noise_privkey=create_new_noise_key_pair().private_key)
        self._host: Any = new_host(
            key_pair=keys,
            sec_opt={TProtocol(NOISE): noise},
            muxer_opt={TProtocol(YAMUX): Yamux},
            connection_config=config,
            disable_identify_address_discovery=True,
        )
        swarm: Any = self._host.get_network()
        self._swarm = swarm
        self.traffic = Traffic()
        self._links: set[Link] = set()
        self._arriving: dict[trio.CancelScope, None] = {}
        self._arrivals = Rates(_ARRIVALS_PER_S, _ARRIVALS_BURST, _ARRIVAL_HOSTS, trio.current_time)
        self._on_link: Callable[[Link], None] = lambda link: None
        swarm.set_resource_manager(None)
        swarm.auto_connector.start = _nothing
        swarm.retry_config = RetryConfig(max_retries=0)
        for notifee in list(swarm.notifees):
            swarm.remove_notifee(notifee)
        swarm.register_notifee(self)
        self._negotiate: Callable[[INetStream], Awaitable[None]] = swarm.common_stream_handler
        swarm.set_stream_handler(self._on_stream)
        swarm._do_handle_inbound_connection = self._accept
        self.peer_id = str(self._host.get_id())

    def serve(self, protocol: str, handler: Callable[[Stream], Awaitable[None]]) -> None:
        """Give inbound streams of a protocol to `handler`. Before `run`."""

        async def handle(stream: INetStream) -> None:
            link = self._link(stream.swarm_conn)  # type: ignore[attr-defined]
            await handler(Stream(link, stream, protocol, self.traffic))

        self._host.set_stream_handler(TProtocol(protocol), handle)

    @contextlib.asynccontextmanager
    async def run(self, address: str, port: int, on_link: Callable[[Link], None]) -> AsyncIterator[int]:
        """Listen, and yield the port. Raise NodeStartError when the address cannot be listened on."""
        self._on_link = on_link
        _probe(address, port)
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            try:
                yield await nursery.start(self._run_library, address, port, stop)
            finally:
                stop.set()

    async def dial(self, address: str, peer_id: str) -> None:
        """Connect to a peer at one address; success shows as a new link. Raise LinkError."""
        remote = ID.from_string(peer_id)
        self._swarm.unblock_peer(remote)
        try:
            with trio.fail_after(_DIAL_S):
                await self._swarm.dial_addr(Multiaddr(address), remote)
        except Exception as error:
            raise LinkError(f"cannot connect: {_root_cause(error)}") from error

    async def select_protocol(self, stream: INetStream, protocol: str) -> None:
        """Agree with the other side on the protocol of a new stream (multistream-select)."""
        communicator = MultiselectCommunicator(stream)
        await self._host.multiselect_client.select_one_of([TProtocol(protocol)], communicator, NEGOTIATION_S)
        stream.set_protocol(TProtocol(protocol))

    def forget(self, link: Link) -> None:
        """The link's connection is over."""
        link.dropped.set()
        self._links.discard(link)

    async def connected(self, network: Any, conn: INetConn) -> None:
        """A connection is up (INotifee)."""
        self._link(conn)

    async def disconnected(self, network: Any, conn: INetConn) -> None:
        """A connection is over (INotifee)."""
        self._link(conn).drop()

    async def opened_stream(self, network: Any, stream: INetStream) -> None:
        """Nothing to do (INotifee)."""

    async def closed_stream(self, network: Any, stream: INetStream) -> None:
        """Nothing to do (INotifee)."""

    async def listen(self, network: Any, multiaddr: Multiaddr) -> None:
        """Nothing to do (INotifee)."""

    async def listen_close(self, network: Any, multiaddr: Multiaddr) -> None:
        """Nothing to do (INotifee)."""

    def _link(self, conn: INetConn) -> Link:
        """Return the link of a connection, a new one at the first sight of it: its streams may come first."""
        known: Link | None = getattr(conn, _LINK, None)
        if known is not None:
            return known
        link = Link(self, conn)
        setattr(conn, _LINK, link)
        if conn.is_closed:
            link.dropped.set()
        else:
            self._links.add(link)
            self._on_link(link)
        return link

    async def _on_stream(self, stream: INetStream) -> None:
        try:
            link = self._link(stream.swarm_conn)  # type: ignore[attr-defined]
            if link.inbound_streams >= MAX_STREAMS:
                logger.debug("peer %s has too many streams open", link.peer_id)
                await stream.reset()
                return
            link.inbound_streams += 1
            try:
                await self._negotiate(stream)
            finally:
                link.inbound_streams -= 1
        except Exception as error:
            logger.debug("a stream failed: %s", said(error))
            with contextlib.suppress(Exception):
                await stream.reset()

    async def _accept(self, tcp: Any, address: Multiaddr, _event: object) -> None:
        raw = RawConnection(tcp, False)
        try:
            muxed = await self._upgrade(raw, address)
            await muxed.event_closed.wait()
        except Exception as error:
            logger.debug("an inbound connection failed: %s", said(error))
            with contextlib.suppress(Exception):
                await raw.close()

    async def _upgrade(self, raw: RawConnection, address: Multiaddr) -> Any:
        remote = raw.get_remote_address()
        if not self._arrivals.take(remote[0] if remote is not None else ""):
            raise LinkError("too many connections from its address")
        if len(self._arriving) >= MAX_ARRIVING:
            next(iter(self._arriving)).cancel()
        scope = trio.CancelScope()
        self._arriving[scope] = None
        try:
            with scope:
                return await self._swarm.upgrade_inbound_raw_conn(raw, address)
        finally:
            del self._arriving[scope]
        raise LinkError("later connections took its place")

    async def _run_library(
        self, address: str, port: int, stop: trio.Event, *, task_status: Any = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run the library's host until `stop`. It is shielded: cancelled, the library leaves sockets open."""
        with trio.CancelScope(shield=True) as scope:
            listen = Multiaddr(f"/{'ip6' if ':' in address else 'ip4'}/{address}/tcp/{port}")
            async with self._host.run([listen]):
                listeners = list(self._swarm.listeners.values())
                found = [addr.value_for_protocol("tcp") for item in listeners for addr in item.get_addrs()]
                if not found:
                    raise NodeStartError(f"p2p address {address} port {port}: cannot be listened on")
                task_status.started(int(found[0]))
                # Cancelled meanwhile, the start waits for this very task, and nobody is there to set `stop`.
                scope.shield = False
                cancelled = trio.current_effective_deadline() == -math.inf
                scope.shield = True
                if not cancelled:
                    await stop.wait()
                scope.deadline = trio.current_time() + _STOP_S
                for listener in listeners:
                    await listener.close()
                for link in list(self._links):
                    link.drop()
                while self._swarm.connections:
                    await trio.sleep(0.02)


def _probe(address: str, port: int) -> None:
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise NodeStartError(
                    f"p2p port {port} is in use: stop the other program or choose another with --port"
                ) from None
            raise NodeStartError(f"p2p address {address} port {port}: {error.strerror}") from None


async def _nothing() -> None:
    """Takes the place of what the library must not do."""


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return said(error)


def _quiet_the_library() -> None:
    """Warnings only, through the root logger, and nothing from where every failed dial is an error: those
    reach this module as exceptions."""
    library = logging.getLogger("libp2p")
    library.setLevel(logging.WARNING)
    library.propagate = True
    failures = ("transport.tcp.tcp", "network.swarm", "stream_muxer.yamux.yamux", "protocol_muxer")
    for name in failures:
        logging.getLogger(f"libp2p.{name}").setLevel(logging.CRITICAL)
