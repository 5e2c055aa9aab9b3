"""Offences: what one key has signed that no honest validator signs, and how two signatures show it.

An equivocation is shown by two ConsensusMessages of one epoch and view, both signed by the offender, which
must be of that epoch's set:

    two proposals          Proposals with another block, or another parent view
    two notarize           NOTARIZE votes for different blocks
    two finalize           FINALIZE votes for different blocks
    nullify and finalize   a NULLIFY and a FINALIZE vote

A twin in learning is shown by two Extrinsics of one round, both signed by a miner of it, that call the same
function with different arguments:

    two models             model_propose.propose
    two ballots            vote.cast

Only these two: an honest miner writes its proposal down before it signs it, and its ballot follows from that
and from the chain. Other calls may be signed anew after a restart, with other contents.

Evidence is checked in this order:
1. both are canonical, of one kind of message, and contradict each other as above;
2. the set of the epoch (of the round, for twins) is known to who checks, and the offender is in it: votes name
   their signer by its index, proposals do not, so the offender is named beside the evidence;
3. both signatures are the offender's, over what runtime/certificates.py and pocl/extrinsics.py say.

Whether the offender led the view does not matter: who does not lead signs no proposal at all. A signature over
a proposal covers the header and no more of the block, so evidence needs neither body nor certificates:
`essence` leaves them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from google.protobuf.message import Message

from pocl import keys
from pocl.extrinsics import signing_digest
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, ConsensusMessage, Proposal, Vote
from pocl.v1.extrinsic_pb2 import Extrinsic, Payload
from runtime.blocks import header_hash
from runtime.certificates import Verify, proposal_message, vote_message
from runtime.codec import CodecError, decode, encode
from runtime.frame.errors import RuntimeFault

M = TypeVar("M", bound=Message)

SetOf = Callable[[int], Sequence[bytes]]
"""The validator set of an epoch, sorted; empty when it is not known, or not any more."""


class OffenceKind(Enum):
    """What was signed that no honest validator signs."""

    TWO_PROPOSALS = "two proposals in a view"
    TWO_NOTARIZE = "two notarize votes in a view"
    NULLIFY_AND_FINALIZE = "nullify and finalize in a view"
    TWO_FINALIZE = "two finalize votes in a view"
    TWO_MODELS = "two models in a round"
    TWO_BALLOTS = "two ballots in a round"


TWIN_CALLS = {
    ("model_propose", "propose"): OffenceKind.TWO_MODELS,
    ("vote", "cast"): OffenceKind.TWO_BALLOTS,
}
"""The calls of which no honest miner signs two in a round."""


class EvidenceError(RuntimeFault):
    """What was shown proves no offence; the message says which check failed."""


@dataclass(frozen=True, slots=True)
class Offence:
    """A proven offence."""

    kind: OffenceKind
    account: bytes
    epoch: int


def prove_equivocation(
    offender: bytes,
    first: bytes,
    second: bytes,
    set_of: SetOf,
    genesis_hash: bytes,
    *,
    verify: Verify = keys.verify,
) -> Offence:
    """Return the offence that two ConsensusMessages prove. Raise EvidenceError when they prove none."""
    one, other = (_decoded(ConsensusMessage, data) for data in (first, second))
    what = one.WhichOneof("message")
    if what != other.WhichOneof("message") or what not in ("vote", "proposal"):
        raise EvidenceError("show two votes or two proposals")
    if what == "vote":
        kind, epoch = _kind_of_votes(one.vote, other.vote), one.vote.epoch
    else:
        kind, epoch = _kind_of_proposals(one.proposal, other.proposal), one.proposal.epoch
    validators = _set_with(offender, epoch, set_of)
    for message in (one, other):
        if what == "vote" and message.vote.validator != validators.index(offender):
            raise EvidenceError(f"the vote names validator {message.vote.validator}, who is another one")
        if not verify(offender, _signed(message, genesis_hash), _signature(message)):
            raise EvidenceError("a signature is not the offender's")
    return Offence(kind, offender, epoch)


def prove_twin(
    first: bytes,
    second: bytes,
    set_of: SetOf,
    genesis_hash: bytes,
    spec_version: int,
    transaction_version: int,
    *,
    verify: Verify = keys.verify,
) -> Offence:
    """Return the offence that two Extrinsics prove. Raise EvidenceError when they prove none."""
    one, other = (_decoded(Extrinsic, data) for data in (first, second))
    payload, rival = (_decoded(Payload, extrinsic.payload) for extrinsic in (one, other))
    if one.signer != other.signer:
        raise EvidenceError("the two calls have different signers")
    if payload.WhichOneof("sequence") != "round" or rival.WhichOneof("sequence") != "round":
        raise EvidenceError("a miner's call names its round")
    named, again = ((entry.call.pallet, entry.call.function) for entry in (payload, rival))
    kind = TWIN_CALLS.get(named)
    if kind is None or again != named:
        raise EvidenceError("show two calls of model_propose.propose, or two of vote.cast")
    if payload.round != rival.round or payload.call.args == rival.call.args:
        raise EvidenceError("the two calls are of different rounds, or say the same")
    _set_with(one.signer, payload.round, set_of)
    for extrinsic in (one, other):
        digest = signing_digest(extrinsic.payload, genesis_hash, spec_version, transaction_version)
        if not verify(extrinsic.signer, digest, extrinsic.signature):
            raise EvidenceError("a signature is not the signer's for this chain and these versions")
    return Offence(kind, one.signer, payload.round)


def essence(message: ConsensusMessage) -> bytes:
    """Return a vote or proposal as evidence: canonical, without what its signature does not cover."""
    if not message.HasField("proposal"):
        return encode(message)
    whole = message.proposal
    bare = Proposal(
        epoch=whole.epoch,
        view=whole.view,
        block=Block(header=whole.block.header),
        parent_view=whole.parent_view,
        signature=whole.signature,
    )
    return encode(ConsensusMessage(proposal=bare))


def _kind_of_votes(one: Vote, other: Vote) -> OffenceKind:
    if (one.epoch, one.view) != (other.epoch, other.view):
        raise EvidenceError("the two votes are of different views")
    kinds = {one.kind, other.kind}
    if kinds == {NULLIFY, FINALIZE}:
        return OffenceKind.NULLIFY_AND_FINALIZE
    if len(kinds) == 1 and one.block_hash != other.block_hash:
        if one.kind == NOTARIZE:
            return OffenceKind.TWO_NOTARIZE
        if one.kind == FINALIZE:
            return OffenceKind.TWO_FINALIZE
    raise EvidenceError("the two votes do not contradict each other")


def _kind_of_proposals(one: Proposal, other: Proposal) -> OffenceKind:
    if (one.epoch, one.view) != (other.epoch, other.view):
        raise EvidenceError("the two proposals are of different views")
    if one.parent_view == other.parent_view and header_hash(one.block.header) == header_hash(
        other.block.header
    ):
        raise EvidenceError("the two proposals do not contradict each other")
    return OffenceKind.TWO_PROPOSALS


def _set_with(offender: bytes, epoch: int, set_of: SetOf) -> Sequence[bytes]:
    validators = set_of(epoch)
    if not validators:
        raise EvidenceError(f"the validator set of epoch {epoch} is not known, or not any more")
    if offender not in validators:
        raise EvidenceError(f"0x{offender.hex()} was no validator of epoch {epoch}")
    return validators


def _signed(message: ConsensusMessage, genesis_hash: bytes) -> bytes:
    """Return what the signature of a vote or proposal covers."""
    if message.HasField("vote"):
        vote = message.vote
        try:
            return vote_message(genesis_hash, vote.epoch, vote.view, vote.kind, vote.block_hash)
        except ValueError as error:
            raise EvidenceError(str(error)) from None
    proposal = message.proposal
    block_hash = header_hash(proposal.block.header)
    return proposal_message(genesis_hash, proposal.epoch, proposal.view, block_hash, proposal.parent_view)


def _signature(message: ConsensusMessage) -> bytes:
    return message.vote.signature if message.HasField("vote") else message.proposal.signature


def _decoded(cls: type[M], data: bytes) -> M:
    try:
        return decode(cls, data)
    except CodecError as error:
        raise EvidenceError(str(error)) from None
