"""Messages that validators sign, honest ones and contradicting ones, for tests of offences."""

from __future__ import annotations

from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import NULLIFY, ConsensusMessage, Proposal, Vote, VoteKind
from runtime.blocks import header_hash
from runtime.certificates import proposal_message, vote_message
from runtime.codec import encode


def vote(
    who: Keypair, index: int, genesis: bytes, epoch: int, view: int, kind: VoteKind, block: bytes = b"\1" * 32
) -> ConsensusMessage:
    """Return a signed vote of validator number `index`."""
    hash = b"" if kind == NULLIFY else block
    signature = who.sign(vote_message(genesis, epoch, view, kind, hash))
    return ConsensusMessage(
        vote=Vote(epoch=epoch, view=view, kind=kind, block_hash=hash, validator=index, signature=signature)
    )


def proposal(
    who: Keypair, genesis: bytes, epoch: int, view: int, number: int = 7, parent_view: int = 0
) -> ConsensusMessage:
    """Return a signed proposal of a block that no chain has."""
    block = Block(header=Header(number=number, epoch=epoch, view=view), extrinsics=[b"body"])
    message = proposal_message(genesis, epoch, view, header_hash(block.header), parent_view)
    return ConsensusMessage(
        proposal=Proposal(
            epoch=epoch, view=view, block=block, parent_view=parent_view, signature=who.sign(message)
        )
    )


def report(who: Keypair, first: ConsensusMessage, second: ConsensusMessage) -> dict[str, bytes]:
    """Return the arguments of report_equivocation."""
    return {"offender": who.public, "first": encode(first), "second": encode(second)}
