"""Transactions, blocks and requests that no honest node sends."""

from __future__ import annotations

import contextlib
import secrets

import trio

from node.network.frames import StreamEnd, encode_frame
from node.network.link import LinkError
from pocl.extrinsics import sign_call
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import FINALIZE, Certificate, Justification
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
from tests.hostile.attacks.base import BORNE_S, PATIENCE_S, attack, say
from tests.hostile.peer import HostilePeer, Line

# ---- transactions


@attack
async def unsigned_transactions(peer: HostilePeer) -> None:
    """Send extrinsics in bulk whose signatures are false."""

    def made(number: int) -> bytes:
        good = _remark(peer, Keypair.from_uri("//Nobody"), number)
        return good[:-1] + bytes([good[-1] ^ 1])

    await say(peer, "transactions", *_batches([made(number) for number in range(512)]))


@attack
async def malformed_transactions(peer: HostilePeer) -> None:
    """Send bytes in bulk that are no extrinsics."""
    await say(peer, "transactions", *_batches([secrets.token_bytes(200) for _ in range(2048)]))


@attack
async def unpayable_transactions(peer: HostilePeer) -> None:
    """Send well-signed extrinsics in bulk of accounts that own nothing."""
    poor = Keypair.from_seed(secrets.token_bytes(32))
    await say(
        peer,
        "transactions",
        *_batches([_remark(peer, poor, number) for number in range(1024)]),
        stay_s=BORNE_S,
    )


@attack
async def empty_batches(peer: HostilePeer) -> None:
    """Send a batch of half a million empty transactions."""
    await say(peer, "transactions", encode_frame(b"\x0a\x00" * (2**19 - 4)))


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
    await say(peer, "blocks", *[encode_frame(encode(announce)) for announce in sent])


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
        await line.ended(PATIENCE_S)


@attack
async def empty_promises(peer: HostilePeer) -> None:
    """Claim a great height and have no blocks."""
    peer.ways.handshake = lambda made: setattr(made, "final_number", 2**40)
    async with peer.joined() as line:
        await line.ended(3 * BORNE_S)


@attack
async def ranges_that_do_not_exist(peer: HostilePeer) -> None:
    """Ask for blocks and blobs that nobody has, in a loop."""
    requests = [
        ("sync", SyncRequest(from_number=2**64 - 1, max_blocks=2**32 - 1, max_bytes=2**64 - 1)),
        ("sync", SyncRequest(from_number=2**63)),
        ("blobs", BlobRequest(hash=bytes(32), offset=2**50, max_bytes=2**32 - 1)),
    ]
    async with peer.joined() as line:
        with contextlib.suppress(LinkError, StreamEnd), trio.move_on_after(2 * BORNE_S):
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
        with trio.move_on_after(2 * BORNE_S):
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
        await line.ended(PATIENCE_S)
