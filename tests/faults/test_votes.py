"""The finder of double votes finds planted ones, and nothing else, also where the validator set changes."""

from __future__ import annotations

import pytest

from node.dev_accounts import dev_uri
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, EpochChange, Header
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, ConsensusMessage, Proposal, Vote, VoteKind
from runtime.blocks import header_hash
from runtime.certificates import proposal_message, vote_message
from tests.faults.sets import Sets
from tests.faults.votes import Votes

GENESIS = bytes(32)
KEYS = sorted((Keypair.from_uri(dev_uri(index)) for index in range(5)), key=lambda key: key.public)
ALICE, BOB = KEYS[1], KEYS[2]
ONE, OTHER = b"\1" * 32, b"\2" * 32


def closing(epoch: int, *members: Keypair) -> Header:
    validators = [key.public for key in members]
    return Header(number=10 * epoch, next_epoch=EpochChange(epoch=epoch, validators=validators))


@pytest.fixture
def sets() -> Sets:
    """In epoch 2 the first validator is out: the others move down by one; in epoch 3 it is back."""
    sets = Sets(closing(1, *KEYS))
    sets.add(Header(number=1))
    sets.add(closing(2, *KEYS[1:]))
    sets.add(closing(3, *KEYS))
    return sets


def vote(
    key: Keypair, index: int, kind: VoteKind, hash: bytes = b"", *, epoch: int = 1, view: int = 1
) -> ConsensusMessage:
    signature = key.sign(vote_message(GENESIS, epoch, view, kind, hash))
    return ConsensusMessage(
        vote=Vote(epoch=epoch, view=view, kind=kind, block_hash=hash, validator=index, signature=signature)
    )


def proposal(key: Keypair, number: int) -> ConsensusMessage:
    header = Header(number=number, epoch=1, view=1)
    signature = key.sign(proposal_message(GENESIS, 1, 1, header_hash(header), 0))
    return ConsensusMessage(
        proposal=Proposal(epoch=1, view=1, block=Block(header=header), signature=signature)
    )


def found(sets: Sets, *records: ConsensusMessage, first: int = 0) -> list[str]:
    votes = Votes(GENESIS)
    for record in records:  # As if the log had been read again and again, and had forgotten what went before.
        votes.take("alice", ALICE.public, first, [record])
    return votes.contradictions(sets)


def test_the_sets_say_who_is_who(sets: Sets) -> None:
    assert sets.epoch == 3
    assert len(sets.members) == 5
    assert (sets.smallest, sets.removals()) == (4, 1)
    assert sets.account(1, 1) == sets.account(2, 0) == ALICE.public
    assert sets.account(2, 4) is None
    assert not sets.known(4)


def test_honest_votes_are_no_offence_whatever_the_index(sets: Sets) -> None:
    records = [
        vote(ALICE, 1, NOTARIZE, ONE),
        vote(ALICE, 1, NULLIFY),
        vote(ALICE, 0, NOTARIZE, OTHER, epoch=2),
        vote(ALICE, 0, FINALIZE, OTHER, epoch=2),
        vote(ALICE, 1, NOTARIZE, OTHER, epoch=3),
        proposal(ALICE, 1),
        proposal(BOB, 2),  # The one it notarized.
    ]
    assert found(sets, *records, *records) == []


@pytest.mark.parametrize(("epoch", "index"), [(1, 1), (2, 0), (3, 1)])
def test_a_double_vote_is_found_in_every_set(sets: Sets, epoch: int, index: int) -> None:
    records = [vote(ALICE, index, NOTARIZE, hash, epoch=epoch) for hash in (ONE, OTHER)]
    assert found(sets, *records) == [f"alice: view 1 of epoch {epoch}: it gave two votes of kind {NOTARIZE}"]


def test_nullify_and_finalize_of_one_view_is_found(sets: Sets) -> None:
    records = [vote(ALICE, 0, FINALIZE, ONE, epoch=2), vote(ALICE, 0, NULLIFY, epoch=2)]
    assert found(sets, *records) == ["alice: view 1 of epoch 2: nullified and finalized"]


def test_two_own_proposals_are_found(sets: Sets) -> None:
    assert found(sets, proposal(ALICE, 1), proposal(ALICE, 2)) == [
        "alice: view 1 of epoch 1: it proposed two blocks"
    ]


def test_an_index_of_the_set_before_is_found(sets: Sets) -> None:
    assert found(sets, vote(ALICE, 1, NOTARIZE, ONE, epoch=2)) == [
        "alice: view 1 of epoch 2: it voted under an index that is not its own"
    ]


def test_a_vote_in_an_epoch_that_nothing_announced_is_found(sets: Sets) -> None:
    assert found(sets, vote(ALICE, 1, NOTARIZE, ONE, epoch=4)) == [
        "alice: view 1 of epoch 4: it voted, but no closing block announced that epoch"
    ]


def test_what_another_key_signed_is_not_its_vote(sets: Sets) -> None:
    assert found(sets, vote(BOB, 1, NOTARIZE, ONE), vote(ALICE, 1, NOTARIZE, OTHER)) == []


def test_a_vote_before_the_end_of_abstention_is_found(sets: Sets) -> None:
    records = [vote(ALICE, 0, NOTARIZE, ONE, epoch=2), vote(ALICE, 1, NOTARIZE, ONE, epoch=3)]
    assert found(sets, *records, first=2) == []
    assert found(sets, *records, first=3) == [
        "alice: view 1 of epoch 2: it voted, though it must abstain until epoch 3"
    ]
