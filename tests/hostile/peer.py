"""A real libp2p host that connects to one node and says whatever its user wants."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import trio

from node.network.addresses import parse_address
from node.network.frames import FrameReader, encode_frame
from node.network.handshake import MAX_HANDSHAKE_BYTES, make_handshake
from node.network.host import Host
from node.network.link import Link, LinkError, Stream
from node.network.session import SUBJECTS
from pocl.keys import Keypair
from pocl.v1.network_pb2 import BlobResponse, Handshake, PeersResponse, SyncResponse
from runtime.codec import encode

REQUESTS = ("sync", "blobs", "peers")


@dataclass(frozen=True)
class Target:
    """The node under attack: where it listens, and its chain."""

    address: str
    """A multiaddr that ends in /p2p/<peer id>."""
    genesis_hash: bytes
    validators: tuple[bytes, ...] = ()
    """Sorted accounts of epoch 1."""

    @property
    def peer_id(self) -> str:
        parsed = parse_address(self.address)
        assert parsed is not None
        return parsed.peer_id

    @property
    def place(self) -> tuple[str, int]:
        """IP address and TCP port."""
        parsed = parse_address(self.address)
        assert parsed is not None
        return parsed.host, parsed.port

    def protocol(self, name: str) -> str:
        return f"/pocl/{self.genesis_hash.hex()}/{name}/1"


@dataclass
class Ways:
    """How a hostile peer behaves where it does not begin: what it answers, and whether it reads at all."""

    handshake: Callable[[Handshake], None] = lambda handshake: None
    """Changes the handshake before it is sent."""
    mute: bool = False
    """Do not answer the handshakes on the target's own streams."""
    deaf: bool = False
    """Take streams and handshakes, and read nothing after."""
    answers: dict[str, Callable[[bytes], bytes]] = field(
        default_factory=lambda: {
            "sync": lambda request: encode(SyncResponse()),
            "blobs": lambda request: encode(BlobResponse()),
            "peers": lambda request: encode(PeersResponse()),
        }
    )


class HostilePeer:
    """One identity. `key` makes it claim, and prove, a validator's account."""

    def __init__(
        self, target: Target, *, key: Keypair | None = None, ways: Ways | None = None, seed: bytes = b""
    ) -> None:
        self.target = target
        self.key = key
        self.ways = ways or Ways()
        self.seed = seed or secrets.token_bytes(32)
        self.peer_id = Host(self.seed, 1).peer_id

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Line]:
        """Connect, without a word of the node's own protocols. Raise LinkError when that fails."""
        host = Host(self.seed, 16)
        links: list[Link] = []
        for subject in SUBJECTS:
            host.serve(self.target.protocol(subject.name), self._take)
        for name in REQUESTS:
            host.serve(self.target.protocol(name), self._answer_of(name))
        async with host.run("127.0.0.1", 0, links.append):
            await host.dial(self.target.address, self.target.peer_id)
            while not links:
                await trio.sleep(0.01)
            try:
                yield Line(self, links[0])
            finally:
                links[0].drop()

    @contextlib.asynccontextmanager
    async def joined(self) -> AsyncIterator[Line]:
        """Connect and become a peer, as an honest node does."""
        async with self.connected() as line:
            await line.join()
            yield line

    def handshake(self) -> bytes:
        """Return the bytes of this peer's handshake."""
        made = make_handshake(
            genesis_hash=self.target.genesis_hash,
            key=self.key,
            name="hostile",
            final_number=0,
            epoch=1,
            listen_port=0,
            sender=self.peer_id,
            receiver=self.target.peer_id,
        )
        self.ways.handshake(made)
        return encode(made)

    async def _take(self, stream: Stream) -> None:
        with contextlib.suppress(Exception):
            frames = stream.frames(2**24)
            await frames.next()
            while self.ways.mute:
                await trio.sleep(3600)
            await stream.write(encode_frame(self.handshake()))
            while self.ways.deaf:
                await trio.sleep(3600)
            while True:
                await frames.next()

    def _answer_of(self, name: str) -> Callable[[Stream], object]:
        async def answer(stream: Stream) -> None:
            with contextlib.suppress(Exception):
                request = await stream.frames(2**20).next()
                await stream.write(encode_frame(self.ways.answers[name](request)))
                await stream.close()

        return answer


class Line:
    """A hostile peer's connection to its target."""

    def __init__(self, peer: HostilePeer, link: Link) -> None:
        self.peer = peer
        self.link = link
        self.streams: dict[str, Stream] = {}

    async def join(self) -> None:
        """Open the three notification streams with this peer's handshake. Raise LinkError when refused."""
        for subject in SUBJECTS:
            await self.open(subject.name, encode_frame(self.peer.handshake()))
        # The target's own streams, which make this a peer, are answered meanwhile.
        await trio.sleep(0.1)
        if self.link.dropped.is_set():
            raise LinkError("the target does not want this peer")

    async def open(self, name: str, first: bytes) -> FrameReader:
        """Open a notification stream, send what is to be a handshake, and read the answer."""
        stream = await self.link.open_stream(self.peer.target.protocol(name))
        self.streams[name] = stream
        await stream.write(first)
        frames = stream.frames(2**24)
        with trio.fail_after(10):
            await frames.next(MAX_HANDSHAKE_BYTES)
        return frames

    async def write(self, name: str, data: bytes) -> None:
        """Write bytes on a notification stream."""
        await self.streams[name].write(data)

    async def request(self, name: str, frame: bytes, max_bytes: int = 2**24) -> bytes:
        """Send the bytes of a request and return the answer. Raise LinkError or StreamEnd without one."""
        stream = await self.link.open_stream(self.peer.target.protocol(name))
        await stream.write(frame)
        answer = await stream.frames(max_bytes).next()
        await stream.close()
        return answer

    async def swamp(self, name: str, total: int) -> None:
        """Write on a notification stream without regard to the window that the target gave."""
        muxed = self.streams[name]._stream.muxed_stream
        for _ in range(0, total, 32768):
            header = b"\x00\x00\x00\x00" + muxed.stream_id.to_bytes(4, "big") + (32768).to_bytes(4, "big")
            await muxed.conn._write_frame(header + bytes(32768))

    async def ended(self, timeout_s: float) -> bool:
        """Wait for the target to end the connection; tell whether it did."""
        with trio.move_on_after(timeout_s):
            await self.link.dropped.wait()
        return self.link.dropped.is_set()
