"""What a hostile peer does, by name. Each attack runs once against one node and ends by itself."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable

import trio

from node.network.frames import StreamEnd, encode_frame
from node.network.link import LinkError
from pocl.extrinsics import sign_call
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    CatchUpRequest,
    Certificate,
    ConsensusMessage,
    Justification,
    Proposal,
    Vote,
)
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.network_pb2 import (
    BlobRequest,
    BlobResponse,
    BlockAnnounce,
    PeersResponse,
    SyncRequest,
    SyncResponse,
    TransactionBatch,
)
from pocl.v1.system_pb2 import SystemCall
from runtime.codec import encode
from tests.hostile.peer import HostilePeer, Line

Attack = Callable[[HostilePeer], Awaitable[None]]

ATTACKS: dict[str, Attack] = {}
"""Every attack that a peer without a validator's key can make."""

INSIDER_ATTACKS: dict[str, Attack] = {}
"""Those that need the key of a validator of the set."""

_PATIENCE_S = 8.0
"""How long an attacker waits to be dropped that should be."""

_BORNE_S = 1.5
"""How long one stays that is borne."""


def attack(function: Attack) -> Attack:
    """List an attack under the name of its function."""
    ATTACKS[function.__name__] = function
    return function


def insider(function: Attack) -> Attack:
    """List an attack of a validator under the name of its function."""
    INSIDER_ATTACKS[function.__name__] = function
    return function


def consensus(message: Vote | Proposal | Certificate | CatchUpRequest) -> bytes:
    """Return the frame of a consensus message."""
    if isinstance(message, Vote):
        return encode_frame(encode(ConsensusMessage(vote=message)))
    if isinstance(message, Proposal):
        return encode_frame(encode(ConsensusMessage(proposal=message)))
    if isinstance(message, Certificate):
        return encode_frame(encode(ConsensusMessage(certificate=message)))
    return encode_frame(encode(ConsensusMessage(catch_up=message)))


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
        await line.ended(_PATIENCE_S)


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
        await line.ended(_PATIENCE_S)


# ---- frames


@attack
async def garbage_frames(peer: HostilePeer) -> None:
    """Send frames of random bytes."""
    await _say(peer, "consensus", encode_frame(b"\xff" + secrets.token_bytes(400)))


@attack
async def oversized_frame(peer: HostilePeer) -> None:
    """Announce a frame of 2 GiB."""
    await _say(peer, "transactions", (2**31).to_bytes(4, "big") + bytes(1000))


@attack
async def truncated_frame(peer: HostilePeer) -> None:
    """End a stream in the middle of a frame."""
    async with peer.joined() as line:
        await line.write("blocks", encode_frame(bytes(1000))[:500])
        await line.streams["blocks"]._stream.close()
        await line.ended(_PATIENCE_S)


@attack
async def unfinished_frames(peer: HostilePeer) -> None:
    """Send all but the end of the largest frames, on every stream, and wait."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError):
            for name, size in (("consensus", 2**23), ("blocks", 2**23), ("transactions", 2**20)):
                await line.write(name, encode_frame(bytes(size))[:-1])
        await line.ended(2 * _BORNE_S)


@attack
async def message_bomb(peer: HostilePeer) -> None:
    """Send a frame of 8 MiB of empty messages, each some hundred bytes once decoded."""
    inner = b"\x32\x00" * (2**22 - 16)
    await _say(peer, "consensus", encode_frame(b"\x0a" + _varint(len(inner)) + inner))


@attack
async def second_stream(peer: HostilePeer) -> None:
    """Open a notification stream twice."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError, StreamEnd, trio.TooSlowError):
            await line.open("consensus", encode_frame(peer.handshake()))
        await line.ended(_PATIENCE_S)


@attack
async def window_swamp(peer: HostilePeer) -> None:
    """Send far beyond a stream's window while nothing reads it: handshakes are not done yet."""
    peer.ways.mute = True
    async with peer.connected() as line:
        # However the library says that the connection is gone.
        with contextlib.suppress(Exception):
            await line.open("transactions", encode_frame(peer.handshake()))
            await line.swamp("transactions", 48 * 2**20)
        await line.ended(_PATIENCE_S)


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
        await line.ended(_BORNE_S)


@attack
async def connection_flood(peer: HostilePeer) -> None:
    """Open 150 TCP connections: half of them say nothing, half of them nonsense."""
    host, port = peer.target.place
    async with trio.open_nursery() as nursery:
        for number in range(150):
            nursery.start_soon(_idle, host, port, secrets.token_bytes(600) if number % 2 else b"")


async def _idle(host: str, port: int, data: bytes) -> None:
    with contextlib.suppress(OSError, trio.BrokenResourceError), trio.move_on_after(2 * _BORNE_S):
        async with await trio.open_tcp_stream(host, port) as stream:
            await stream.send_all(data)
            await trio.sleep(2 * _BORNE_S)


@attack
async def silent_peers(peer: HostilePeer) -> None:
    """Hold connections of many identities that never shake hands."""

    async def hold() -> None:
        with contextlib.suppress(LinkError):
            async with HostilePeer(peer.target).connected() as line:
                await line.ended(2 * _BORNE_S)

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(hold)


@attack
async def stream_flood(peer: HostilePeer) -> None:
    """Open streams without end, and choose no protocol on any."""
    async with peer.joined() as line:
        with contextlib.suppress(Exception), trio.move_on_after(2 * _BORNE_S):
            for _ in range(1000):
                await line.link._conn.muxed_conn.open_stream()
        await line.ended(0.1)


@attack
async def tiny_frames(peer: HostilePeer) -> None:
    """Send signs of life, and nothing else, as fast as they go."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError), trio.move_on_after(_PATIENCE_S):
            while True:
                await line.write("consensus", bytes(4 * 150))
        await line.ended(_PATIENCE_S)


# ---- transactions


@attack
async def unsigned_transactions(peer: HostilePeer) -> None:
    """Send extrinsics in bulk whose signatures are false."""

    def made(number: int) -> bytes:
        good = _remark(peer, Keypair.from_uri("//Nobody"), number)
        return good[:-1] + bytes([good[-1] ^ 1])

    await _say(peer, "transactions", *_batches([made(number) for number in range(512)]))


@attack
async def malformed_transactions(peer: HostilePeer) -> None:
    """Send bytes in bulk that are no extrinsics."""
    await _say(peer, "transactions", *_batches([secrets.token_bytes(200) for _ in range(2048)]))


@attack
async def unpayable_transactions(peer: HostilePeer) -> None:
    """Send well-signed extrinsics in bulk of accounts that own nothing."""
    poor = Keypair.from_seed(secrets.token_bytes(32))
    await _say(
        peer,
        "transactions",
        *_batches([_remark(peer, poor, number) for number in range(1024)]),
        stay_s=_BORNE_S,
    )


@attack
async def empty_batches(peer: HostilePeer) -> None:
    """Send a batch of half a million empty transactions."""
    await _say(peer, "transactions", encode_frame(b"\x0a\x00" * (2**19 - 4)))


def _remark(peer: HostilePeer, key: Keypair, nonce: int, size: int = 40) -> bytes:
    args = SystemCall.Remark(remark=secrets.token_bytes(size)).SerializeToString(deterministic=True)
    return sign_call(
        key,
        Call(pallet="system", function="remark", args=args),
        genesis_hash=peer.target.genesis_hash,
        spec_version=1,
        transaction_version=1,
        nonce=nonce,
    )


def _batches(extrinsics: list[bytes]) -> list[bytes]:
    return [
        encode_frame(encode(TransactionBatch(extrinsics=extrinsics[at : at + 1024])))
        for at in range(0, len(extrinsics), 1024)
    ]


# ---- agreement


@attack
async def bad_votes(peer: HostilePeer) -> None:
    """Send votes in other validators' names with signatures that are none."""
    votes = [
        Vote(epoch=epoch, view=view, kind=NOTARIZE, block_hash=b"b" * 32, signature=secrets.token_bytes(64))
        for epoch, view in await _places(peer)
    ]
    await _say(peer, "consensus", *map(consensus, votes))


@attack
async def fake_certificates(peer: HostilePeer) -> None:
    """Send certificates whose signatures are none."""
    n = len(peer.target.validators)
    quorum = 2 * n // 3 + 1
    signers = (2**quorum - 1).to_bytes(-(-n // 8), "little")
    sent = [
        Certificate(
            epoch=epoch,
            view=view,
            kind=FINALIZE,
            block_hash=b"b" * 32,
            signers=signers,
            signatures=[secrets.token_bytes(64)] * quorum,
        )
        for epoch, view in await _places(peer)
    ]
    await _say(peer, "consensus", *map(consensus, sent))


@attack
async def fake_proposals(peer: HostilePeer) -> None:
    """Send proposals of a block that nobody's leader signed."""
    sent = [
        Proposal(
            epoch=epoch,
            view=view,
            block=Block(header=Header(number=view, epoch=epoch, view=view)),
            parent_view=view - 1,
            parent_certificate=Certificate(epoch=epoch, view=view - 1, kind=NOTARIZE) if view > 1 else None,
            signature=bytes(64),
        )
        for epoch, view in await _places(peer)
    ]
    await _say(peer, "consensus", *map(consensus, sent))


@attack
async def request_storm(peer: HostilePeer) -> None:
    """Ask to be brought up to date, with blocks nobody has, thousands of times."""
    request = CatchUpRequest(epoch=0, view=0, missing=[secrets.token_bytes(32) for _ in range(8)])
    await _say(peer, "consensus", *[consensus(request) * 100] * 50, stay_s=_BORNE_S)


@attack
async def far_ahead(peer: HostilePeer) -> None:
    """Speak of epochs that are not to come for ever."""
    far = Certificate(epoch=2**63, view=1, kind=FINALIZE, block_hash=b"b" * 32)
    await _say(
        peer, "consensus", consensus(far) * 200, consensus(CatchUpRequest(epoch=2**63)) * 200, stay_s=_BORNE_S
    )


async def _places(peer: HostilePeer) -> list[tuple[int, int]]:
    """Return the (epoch, view) to speak of: those after the target's last final block."""
    async with HostilePeer(peer.target).joined() as line:
        answer = SyncResponse.FromString(
            await line.request("sync", encode_frame(encode(SyncRequest(from_number=2**62))))
        )
        last = SyncRequest(from_number=max(1, answer.final_number), max_blocks=1)
        page = SyncResponse.FromString(await line.request("sync", encode_frame(encode(last))))
    header = page.blocks[-1].header if page.blocks else Header()
    if not page.blocks or header.HasField("next_epoch"):
        return [(header.next_epoch.epoch or 1, view) for view in range(1, 13)]
    return [(header.epoch, header.view + ahead) for ahead in range(1, 13)]


# ---- blocks and requests


@attack
async def fake_final_blocks(peer: HostilePeer) -> None:
    """Announce blocks as final whose certificates are made up, at heights that are final already and later ones."""
    signatures = [bytes(64)] * (2 * len(peer.target.validators) // 3 + 1)
    false = Certificate(epoch=1, view=1, kind=FINALIZE, block_hash=b"b" * 32, signatures=signatures)
    sent = [
        BlockAnnounce(
            block=Block(header=Header(number=number, epoch=1, view=1)),
            justification=Justification(certificate=false),
        )
        for number in (1, 2, 2**40, 2**63)
    ]
    await _say(peer, "blocks", *[encode_frame(encode(announce)) for announce in sent])


@attack
async def lying_pages(peer: HostilePeer) -> None:
    """Claim a great height, and answer with blocks that are not final, other bytes for blobs, and false addresses."""
    peer.ways.handshake = lambda made: setattr(made, "final_number", 2**40)
    block = Block(header=Header(number=1, epoch=1, view=1))
    peer.ways.answers = {
        "sync": lambda request: encode(SyncResponse(blocks=[block], final_number=2**40)),
        "blobs": lambda request: encode(
            BlobResponse(found=True, size=10, data=b"0123456789", chunk_hashes=[bytes(32)])
        ),
        "peers": lambda request: encode(
            PeersResponse(
                addresses=[f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer.target.peer_id}" for port in range(1, 65)]
            )
        ),
    }
    async with peer.joined() as line:
        await line.ended(_PATIENCE_S)


@attack
async def empty_promises(peer: HostilePeer) -> None:
    """Claim a great height and have no blocks."""
    peer.ways.handshake = lambda made: setattr(made, "final_number", 2**40)
    async with peer.joined() as line:
        await line.ended(3 * _BORNE_S)


@attack
async def ranges_that_do_not_exist(peer: HostilePeer) -> None:
    """Ask for blocks and blobs that nobody has, in a loop."""
    requests = [
        ("sync", SyncRequest(from_number=2**64 - 1, max_blocks=2**32 - 1, max_bytes=2**64 - 1)),
        ("sync", SyncRequest(from_number=2**63)),
        ("blobs", BlobRequest(hash=bytes(32), offset=2**50, max_bytes=2**32 - 1)),
    ]
    async with peer.joined() as line:
        with contextlib.suppress(LinkError, StreamEnd), trio.move_on_after(2 * _BORNE_S):
            while True:
                for name, request in requests:
                    await line.request(name, encode_frame(encode(request)))


@attack
async def sync_loop(peer: HostilePeer) -> None:
    """Ask for the same pages over and over, many at a time."""

    async def ask(line: Line) -> None:
        with contextlib.suppress(LinkError, StreamEnd):
            while True:
                await line.request("sync", encode_frame(encode(SyncRequest(from_number=1))))

    async with peer.joined() as line:
        with trio.move_on_after(2 * _BORNE_S):
            async with trio.open_nursery() as nursery:
                for _ in range(16):
                    nursery.start_soon(ask, line)


@attack
async def malformed_requests(peer: HostilePeer) -> None:
    """Send requests that are none."""
    async with peer.joined() as line:
        for name in ("sync", "blobs"):
            with contextlib.suppress(LinkError, StreamEnd):
                await line.request(name, encode_frame(b"\xff" * 40))
        await line.ended(_PATIENCE_S)


# ---- with a validator's key


@insider
async def insiders_bad_votes(peer: HostilePeer) -> None:
    """Vote in the own name with signatures that are none: they are looked at when they would make a quorum."""
    index = _index(peer)
    votes = [
        Vote(epoch=epoch, view=view, kind=NULLIFY, validator=index, signature=secrets.token_bytes(64))
        for epoch, view in await _places(peer)
    ]
    await _say(peer, "consensus", *map(consensus, votes), stay_s=_BORNE_S)


@insider
async def insiders_vote_flood(peer: HostilePeer) -> None:
    """Vote for thousands of blocks in every view."""
    index = _index(peer)
    for epoch, view in await _places(peer):
        votes = [
            Vote(
                epoch=epoch,
                view=view,
                kind=NOTARIZE,
                block_hash=secrets.token_bytes(32),
                validator=index,
                signature=bytes(64),
            )
            for _ in range(500)
        ]
        with contextlib.suppress(LinkError):
            await _say(peer, "consensus", b"".join(map(consensus, votes)), stay_s=_BORNE_S)


@insider
async def insiders_early_bodies(peer: HostilePeer) -> None:
    """Send the largest proposals there are for the next epoch, which nobody can judge yet."""
    epoch = (await _places(peer))[0][0] + 1
    block = Block(header=Header(number=1, epoch=epoch, view=1), extrinsics=[bytes(2**20)] * 7)
    early = consensus(Proposal(epoch=epoch, view=1, block=block, signature=bytes(64)))
    await _say(peer, "consensus", *[early] * 10, stay_s=_BORNE_S)


def _index(peer: HostilePeer) -> int:
    assert peer.key is not None
    return peer.target.validators.index(peer.key.public)


async def _say(peer: HostilePeer, name: str, *frames: bytes, stay_s: float = _PATIENCE_S) -> None:
    """Become a peer, write frames on one stream, and wait for the end of it."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError):
            for frame in frames:
                await line.write(name, frame)
        await line.ended(stay_s)


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
