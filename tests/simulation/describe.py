"""What happens, in lines that a person can read."""

from __future__ import annotations

from node.consensus.types import Action
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage, VoteKind
from runtime.blocks import header_hash


def describe(action: Action) -> str:
    """Return an action in one line, its hashes cut short."""
    name = type(action).__name__
    fields = (f"{field}={_short(getattr(action, field))}" for field in action.__slots__)
    return f"{name}({', '.join(fields)})"


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()[:8]
    if isinstance(value, tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    if isinstance(value, ConsensusMessage):
        return _short_message(value)
    if isinstance(value, Block):
        return f"block {value.header.number}"
    if isinstance(value, Certificate):
        return f"{VoteKind.Name(value.kind)} {value.epoch}/{value.view} {value.block_hash.hex()[:8]}"
    return str(value)


def _short_message(message: ConsensusMessage) -> str:
    if message.HasField("vote"):
        vote = message.vote
        kind = VoteKind.Name(vote.kind)
        return f"vote of {vote.validator}: {kind} {vote.epoch}/{vote.view} {vote.block_hash.hex()[:8]}"
    if message.HasField("certificate"):
        return _short(message.certificate)
    if message.HasField("proposal"):
        proposal = message.proposal
        block_hash = header_hash(proposal.block.header).hex()[:8]
        return f"proposal {proposal.epoch}/{proposal.view} on {proposal.parent_view}: {block_hash}"
    request = message.catch_up
    return f"request {request.epoch}/{request.view} {_short(tuple(request.missing))}"
