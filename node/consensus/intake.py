"""What messages must look like before the core takes them in, and where those that come too early wait."""

from __future__ import annotations

from node.consensus.types import EpochInfo, MessageReceived
from pocl.hashing import HASH_SIZE
from pocl.keys import SIGNATURE_SIZE
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Proposal, Vote

VIEWS_AHEAD = 16
"""Votes of views further ahead than this are not kept: whoever is there shows a certificate."""

MAX_MISSING = 8
"""Blocks that one CatchUpRequest may ask for."""

_EARLY_PER_VALIDATOR = 8
_EARLY_BYTES = 8 * 2**20


def vote_fault(vote: Vote, validators: int) -> str | None:
    """Return what is wrong with a vote's form."""
    size = 0 if vote.kind == NULLIFY else HASH_SIZE
    if vote.kind not in (NOTARIZE, NULLIFY, FINALIZE):
        return f"a vote of the unknown kind {vote.kind}"
    if vote.view < 1 or vote.validator >= validators:
        return "a vote in no view, or by no validator"
    if len(vote.block_hash) != size or len(vote.signature) != SIGNATURE_SIZE:
        return "a vote with a hash or signature of a wrong size"
    return None


def form_fault(proposal: Proposal) -> str | None:
    """Return what is wrong with the form of a proposal: one that no honest node passes on."""
    view, parent_view = proposal.view, proposal.parent_view
    parent = proposal.parent_certificate
    if parent_view >= view or not proposal.block.HasField("header"):
        return "a proposal without a block, or not above its parent's view"
    if proposal.HasField("parent_certificate") != (parent_view > 0):
        return "a proposal whose parent has no certificate"
    if parent_view > 0 and (
        parent.epoch != proposal.epoch
        or parent.view != parent_view
        or parent.kind not in (NOTARIZE, FINALIZE)
    ):
        return "a proposal with another certificate than its parent's"
    if len(proposal.nullifications) != view - parent_view - 1:
        return "a proposal that does not nullify the views it skips"
    for skipped, certificate in enumerate(proposal.nullifications, parent_view + 1):
        if certificate.kind != NULLIFY or certificate.view != skipped or certificate.epoch != proposal.epoch:
            return "a proposal that does not nullify the views it skips"
    return None


def header_fault(
    proposal: Proposal, block_hash: bytes, parent_hash: bytes, parent_closes: bool, author: bytes
) -> str | None:
    """Return what is wrong with a proposed block beside its execution (rules 3 and 4 of core.py)."""
    header = proposal.block.header
    if parent_closes:
        return None if block_hash == parent_hash else "it extends a closing block that is not final"
    if block_hash == parent_hash:
        return "it proposes a block again that closes no epoch"
    if header.parent_hash != parent_hash:
        return "its block has another parent"
    if header.epoch != proposal.epoch or header.view != proposal.view or header.author != author:
        return "its block names another epoch, view or author"
    return None


class EarlyMessages:
    """Messages of the next epoch that came while this one is not over here: a few of each validator."""

    def __init__(self) -> None:
        self._messages: dict[bytes, list[MessageReceived]] = {}

    def keep(self, event: MessageReceived, epoch: EpochInfo) -> None:
        """Keep a message that came over a validator's own connection."""
        if event.account is not None and epoch.index(event.account) is not None:
            messages = self._messages.setdefault(event.account, [])
            size = sum(early.message.ByteSize() for early in messages)
            if len(messages) < _EARLY_PER_VALIDATOR and size < _EARLY_BYTES:
                messages.append(event)

    def take(self) -> list[MessageReceived]:
        """Return all messages and forget them."""
        messages = [event for of_one in self._messages.values() for event in of_one]
        self._messages = {}
        return messages
