"""Handshakes, frames and floods: attacks below what is said."""

from __future__ import annotations

import contextlib
import secrets

import trio

from node.network.frames import StreamEnd, encode_frame
from node.network.link import LinkError
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import CatchUpRequest
from pocl.v1.network_pb2 import SyncRequest
from runtime.codec import encode
from tests.hostile.attacks.agreement import consensus
from tests.hostile.attacks.base import BORNE_S, PATIENCE_S, attack, say
from tests.hostile.peer import HostilePeer

# ---- handshakes


@attack
async def wrong_genesis(peer: HostilePeer) -> None:
    """Speak this chain's protocols and name another genesis in the handshake."""
    peer.ways.handshake = lambda made: setattr(made, "genesis_hash", b"g" * 32)
    await _knock(peer, peer.handshake())


@attack
async def garbage_handshake(peer: HostilePeer) -> None:
    """Send bytes that are no handshake."""
    await _knock(peer, secrets.token_bytes(200))


@attack
async def oversized_handshake(peer: HostilePeer) -> None:
    """Announce a handshake of 512 MiB."""
    async with peer.connected() as line:
        with contextlib.suppress(LinkError, StreamEnd, trio.TooSlowError):
            await line.open("consensus", (2**29).to_bytes(4, "big"))
        await line.ended(PATIENCE_S)


@attack
async def false_validator(peer: HostilePeer) -> None:
    """Claim a validator's account with a proof by another key."""
    peer.key = Keypair.from_uri("//Nobody")
    account = peer.target.validators[0]
    peer.ways.handshake = lambda made: setattr(made, "validator", account)
    await _knock(peer, peer.handshake())


async def _knock(peer: HostilePeer, handshake: bytes) -> None:
    async with peer.connected() as line:
        with contextlib.suppress(LinkError, StreamEnd, trio.TooSlowError):
            await line.open("blocks", encode_frame(handshake))
        await line.ended(PATIENCE_S)


# ---- frames


@attack
async def garbage_frames(peer: HostilePeer) -> None:
    """Send frames of random bytes."""
    await say(peer, "consensus", encode_frame(b"\xff" + secrets.token_bytes(400)))


@attack
async def oversized_frame(peer: HostilePeer) -> None:
    """Announce a frame of 2 GiB."""
    await say(peer, "transactions", (2**31).to_bytes(4, "big") + bytes(1000))


@attack
async def truncated_frame(peer: HostilePeer) -> None:
    """End a stream in the middle of a frame."""
    async with peer.joined() as line:
        await line.write("blocks", encode_frame(bytes(1000))[:500])
        await line.streams["blocks"]._stream.close()
        await line.ended(PATIENCE_S)


@attack
async def unfinished_frames(peer: HostilePeer) -> None:
    """Send all but the end of the largest frames, on every stream, and wait."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError):
            for name, size in (("consensus", 2**23), ("blocks", 2**23), ("transactions", 2**20)):
                await line.write(name, encode_frame(bytes(size))[:-1])
        await line.ended(2 * BORNE_S)


@attack
async def message_bomb(peer: HostilePeer) -> None:
    """Send a frame of 8 MiB of empty messages, each some hundred bytes once decoded."""
    inner = b"\x32\x00" * (2**22 - 16)
    await say(peer, "consensus", encode_frame(b"\x0a" + _varint(len(inner)) + inner))


@attack
async def second_stream(peer: HostilePeer) -> None:
    """Open a notification stream twice."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError, StreamEnd, trio.TooSlowError):
            await line.open("consensus", encode_frame(peer.handshake()))
        await line.ended(PATIENCE_S)


@attack
async def window_swamp(peer: HostilePeer) -> None:
    """Send far beyond a stream's window while nothing reads it: handshakes are not done yet."""
    peer.ways.mute = True
    async with peer.connected() as line:
        # However the library says that the connection is gone.
        with contextlib.suppress(Exception):
            await line.open("transactions", encode_frame(peer.handshake()))
            await line.swamp("transactions", 48 * 2**20)
        await line.ended(PATIENCE_S)


# ---- floods


@attack
async def slow_reader(peer: HostilePeer) -> None:
    """Be a peer, read nothing, and ask for all that makes the node write."""
    peer.ways.deaf = True
    async with peer.joined() as line:
        with contextlib.suppress(LinkError):
            for _ in range(15):
                await line.write("consensus", consensus(CatchUpRequest(epoch=0, view=0)))
                stream = await line.link.open_stream(peer.target.protocol("sync"))
                await stream.write(encode_frame(encode(SyncRequest(from_number=1))))
                await trio.sleep(0.1)
        await line.ended(BORNE_S)


@attack
async def connection_flood(peer: HostilePeer) -> None:
    """Open 150 TCP connections: half of them say nothing, half of them nonsense."""
    host, port = peer.target.place
    async with trio.open_nursery() as nursery:
        for number in range(150):
            nursery.start_soon(_idle, host, port, secrets.token_bytes(600) if number % 2 else b"")


async def _idle(host: str, port: int, data: bytes) -> None:
    with contextlib.suppress(OSError, trio.BrokenResourceError), trio.move_on_after(2 * BORNE_S):
        async with await trio.open_tcp_stream(host, port) as stream:
            await stream.send_all(data)
            await trio.sleep(2 * BORNE_S)


@attack
async def silent_peers(peer: HostilePeer) -> None:
    """Hold connections of many identities that never shake hands."""

    async def hold() -> None:
        with contextlib.suppress(LinkError):
            async with HostilePeer(peer.target).connected() as line:
                await line.ended(2 * BORNE_S)

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(hold)


@attack
async def stream_flood(peer: HostilePeer) -> None:
    """Open streams without end, and choose no protocol on any."""
    async with peer.joined() as line:
        with contextlib.suppress(Exception), trio.move_on_after(2 * BORNE_S):
            for _ in range(1000):
                await line.link._conn.muxed_conn.open_stream()
        await line.ended(0.1)


@attack
async def tiny_frames(peer: HostilePeer) -> None:
    """Send signs of life, and nothing else, as fast as they go."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError), trio.move_on_after(PATIENCE_S):
            while True:
                await line.write("consensus", bytes(4 * 150))
        await line.ended(PATIENCE_S)


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
