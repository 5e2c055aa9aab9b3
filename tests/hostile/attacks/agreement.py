"""Votes, certificates and proposals that are none; some need the key of a validator."""

from __future__ import annotations

import contextlib
import secrets

from node.network.frames import encode_frame
from node.network.link import LinkError
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    CatchUpRequest,
    Certificate,
    ConsensusMessage,
    Proposal,
    Vote,
)
from pocl.v1.network_pb2 import SyncRequest, SyncResponse
from runtime.codec import encode
from tests.hostile.attacks.base import BORNE_S, attack, insider, say
from tests.hostile.peer import HostilePeer


def consensus(message: Vote | Proposal | Certificate | CatchUpRequest) -> bytes:
    """Return the frame of a consensus message."""
    if isinstance(message, Vote):
        return encode_frame(encode(ConsensusMessage(vote=message)))
    if isinstance(message, Proposal):
        return encode_frame(encode(ConsensusMessage(proposal=message)))
    if isinstance(message, Certificate):
        return encode_frame(encode(ConsensusMessage(certificate=message)))
    return encode_frame(encode(ConsensusMessage(catch_up=message)))


@attack
async def bad_votes(peer: HostilePeer) -> None:
    """Send votes in other validators' names with signatures that are none."""
    votes = [
        Vote(epoch=epoch, view=view, kind=NOTARIZE, block_hash=b"b" * 32, signature=secrets.token_bytes(64))
        for epoch, view in await _places(peer)
    ]
    await say(peer, "consensus", *map(consensus, votes))


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
    await say(peer, "consensus", *map(consensus, sent))


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
    await say(peer, "consensus", *map(consensus, sent))


@attack
async def request_storm(peer: HostilePeer) -> None:
    """Ask to be brought up to date, with blocks nobody has, thousands of times."""
    request = CatchUpRequest(epoch=0, view=0, missing=[secrets.token_bytes(32) for _ in range(8)])
    await say(peer, "consensus", *[consensus(request) * 100] * 50, stay_s=BORNE_S)


@attack
async def far_ahead(peer: HostilePeer) -> None:
    """Speak of epochs that are not to come for ever."""
    far = Certificate(epoch=2**63, view=1, kind=FINALIZE, block_hash=b"b" * 32)
    await say(
        peer, "consensus", consensus(far) * 200, consensus(CatchUpRequest(epoch=2**63)) * 200, stay_s=BORNE_S
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


# ---- with a validator's key


@insider
async def insiders_bad_votes(peer: HostilePeer) -> None:
    """Vote in the own name with signatures that are none: they are looked at when they would make a quorum."""
    index = _index(peer)
    votes = [
        Vote(epoch=epoch, view=view, kind=NULLIFY, validator=index, signature=secrets.token_bytes(64))
        for epoch, view in await _places(peer)
    ]
    await say(peer, "consensus", *map(consensus, votes), stay_s=BORNE_S)


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
            await say(peer, "consensus", b"".join(map(consensus, votes)), stay_s=BORNE_S)


@insider
async def insiders_early_bodies(peer: HostilePeer) -> None:
    """Send the largest proposals there are for the next epoch, which nobody can judge yet."""
    epoch = (await _places(peer))[0][0] + 1
    block = Block(header=Header(number=1, epoch=epoch, view=1), extrinsics=[bytes(2**20)] * 7)
    early = consensus(Proposal(epoch=epoch, view=1, block=block, signature=bytes(64)))
    await say(peer, "consensus", *[early] * 10, stay_s=BORNE_S)


def _index(peer: HostilePeer) -> int:
    assert peer.key is not None
    return peer.target.validators.index(peer.key.public)
