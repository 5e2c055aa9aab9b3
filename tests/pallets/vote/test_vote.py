"""VOTE: labels and ballots."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.validators import Validators
from pallets.vote import Vote
from pallets.vote.ranking import rank_groups
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.validators_pb2 import ValidatorsCall
from pocl.v1.vote_pb2 import VoteEvent
from tests.evidence import report, vote
from tests.pallets.harness import ALICE
from tests.pallets.round.scripted import RECORDS, Scripted


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"labels": b"\x00" * (RECORDS - 1)}, "WrongLength"),
        ({"labels": b"\x00" * (RECORDS + 1)}, "WrongLength"),
        ({"labels_salt": bytes(31)}, "WrongLength"),
        ({"labels": b"\x04" * RECORDS}, "InvalidLabels"),
        ({"labels_salt": bytes(32)}, "LabelsMismatch"),
        ({"ranking": []}, "FalseBallot"),
    ],
)
def test_a_ballot_must_open_the_labels_and_say_what_they_imply(fields: dict[str, Any], error: str) -> None:
    rounds = Scripted(4)
    rounds.play("reveal")
    assert rounds.refused(rounds.cast(0, **fields)) == f"vote.{error}"


def test_labels_that_would_help_a_friend_do_not_open_the_commitment() -> None:
    rounds = Scripted(4)
    rounds.play("reveal")
    friendly = rounds.view().miners[3].reveal.predictions[:RECORDS]  # miner 3 is right on all of these
    ballot = rounds.cast(0, labels=friendly, ranking=rounds.ranking(0, friendly))
    assert rounds.refused(ballot) == "vote.LabelsMismatch"


def test_a_false_ballot_is_refused() -> None:
    rounds = Scripted(4, skills=[9, 8, 8, 3])
    rounds.play("reveal")
    first, tied, last = rounds.accounts[0], sorted(rounds.accounts[1:3]), rounds.accounts[3]
    honest = rank_groups([[first], [tied[0] if tied[0] != rounds.accounts[1] else tied[1]], [last]])
    assert rounds.ranking(1) == honest
    for places in (
        [[last], *[list(group.miners) for group in honest[:2]]],
        [list(group.miners) for group in honest[:2]],
        [[first, rounds.accounts[1]], [rounds.accounts[2]], [last]],
        [[first, rounds.accounts[2]], [last]],
    ):
        assert rounds.refused(rounds.cast(1, ranking=rank_groups(places))) == "vote.FalseBallot"
    tie = rank_groups([tied, [last]])
    assert rounds.ranking(0) == tie, "equal accuracy and speed: the same place"
    unsorted = rank_groups([tied[::-1], [last]])
    assert rounds.refused(rounds.cast(0, ranking=unsorted)) == "vote.FalseBallot"


def test_of_equally_accurate_miners_the_one_that_committed_earlier_is_better() -> None:
    rounds = Scripted(4, skills=[9, 8, 8, 3])
    rounds.play("propose")
    rounds.send(rounds.commit(2))
    rounds.send(*(rounds.commit(who) for who in (0, 1, 3)))
    rounds.all("reveal")
    assert rounds.ranking(0) == rank_groups(
        [[rounds.accounts[2]], [rounds.accounts[1]], [rounds.accounts[3]]]
    )


def test_only_miners_that_revealed_vote_and_only_once() -> None:
    rounds = Scripted(4)
    rounds.play("commit")
    rounds.all("reveal", but=[3])
    rounds.wait("VOTE")
    assert rounds.refused(rounds.cast(3)) == "vote.NotRevealed"
    rounds.send(rounds.cast(0))
    assert rounds.refused(rounds.cast(0)) == "vote.AlreadyVoted"
    (event,) = rounds.chain.events(VoteEvent.BallotCast)
    assert (event.round, event.owner) == (1, rounds.accounts[0])


def test_who_casts_no_ballot_cannot_win() -> None:
    rounds = Scripted(4)
    rounds.play("reveal")
    rounds.all("cast", but=[0])
    rounds.wait("AUDIT")
    (event,) = rounds.chain.events(VoteEvent.ProvisionalWinners)
    assert list(event.winners) == rounds.accounts[1:3]
    assert list(event.counted_owners) == rounds.accounts[1:]


def test_without_a_countable_ballot_all_tie_and_the_seed_decides() -> None:
    rounds = Scripted(1, winners=1)
    rounds.play("cast")
    tally = rounds.view().tally
    assert list(tally.provisional) == rounds.accounts
    assert not tally.counted_owners


def test_a_tally_keeps_its_provisional_winners_when_the_next_set_bears_fewer_faults() -> None:
    rounds = Scripted(7)
    rounds.play("cast")
    tally = rounds.chain.pallet(Vote).tally(1)
    assert len(tally.provisional) == 3
    guilty = rounds.miners[0]
    pair = [vote(guilty, 0, rounds.chain.genesis_hash, 1, 2, FINALIZE, bytes([b]) * 32) for b in (1, 2)]
    evidence = ValidatorsCall.ReportEquivocation(**report(guilty, *pair))
    rounds.send(rounds.chain.sign(ALICE, "validators", "report_equivocation", evidence))
    # The pallets' books are checked after every block, the closing one too.
    rounds.steps("audit")
    assert guilty.public not in rounds.chain.pallet(Validators).members()
    assert rounds.chain.pallet(Vote).tally(1) == tally
