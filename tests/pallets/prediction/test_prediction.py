"""PREDICT and REVEAL: commitments, marks, openings."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.prediction import Prediction
from pocl.hashing import blob_name
from pocl.v1.prediction_pb2 import PredictionEvent
from pocl.v1.round_pb2 import RoundEvent
from tests.pallets.round.scripted import RECORDS, Scripted


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"commitment": bytes(31)}, "WrongLength"),
        ({"unavailable": b""}, "InvalidBitmap"),
        ({"unavailable": b"\x00\x00"}, "InvalidBitmap"),
        ({"unavailable": b"\x10"}, "InvalidBitmap"),
        ({"unavailable": b"\x01"}, "InvalidBitmap"),
    ],
)
def test_a_malformed_commit_is_refused(fields: dict[str, Any], error: str) -> None:
    rounds = Scripted(4)
    rounds.play("propose")
    assert rounds.refused(rounds.commit(0, **fields)) == f"prediction.{error}"


def test_only_proposers_commit_and_only_once() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.all("propose", but=[3])
    rounds.wait("PREDICT")
    intruder = rounds.commit(3, commitment=bytes(32), unavailable=b"\x00")
    assert rounds.refused(intruder) == "prediction.NotProposer"
    rounds.send(rounds.commit(0))
    assert rounds.refused(rounds.commit(0)) == "prediction.AlreadyCommitted"
    (event,) = rounds.chain.events(PredictionEvent.Committed)
    assert (event.round, event.miner, event.unavailable) == (1, rounds.accounts[0], b"\x00")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"predictions": b""}, "WrongLength"),
        ({"predictions_salt": bytes(31)}, "WrongLength"),
        ({"weights_hash": bytes(31)}, "WrongLength"),
        ({"weights_salt": b""}, "WrongLength"),
        ({"predictions": b"\xff" * RECORDS + b"\x04" * 3 * RECORDS}, "InvalidPredictions"),
        ({"predictions": b"\x00" * 4 * RECORDS}, "InvalidPredictions"),
        ({"predictions": b"\xff" * RECORDS + b"\x01" * 3 * RECORDS}, "CommitmentMismatch"),
        ({"predictions_salt": bytes(32)}, "CommitmentMismatch"),
        ({"weights_hash": blob_name(b"other weights")}, "CommitmentMismatch"),
        ({"weights_salt": bytes(32)}, "CommitmentMismatch"),
    ],
)
def test_a_reveal_must_open_both_commitments_exactly(fields: dict[str, Any], error: str) -> None:
    rounds = Scripted(4)
    rounds.play("commit")
    assert rounds.refused(rounds.reveal(0, **fields)) == f"prediction.{error}"


def test_only_committers_reveal_and_only_once() -> None:
    rounds = Scripted(4)
    rounds.play("propose")
    rounds.all("commit", but=[3])
    rounds.wait("REVEAL")
    assert rounds.refused(rounds.reveal(3)) == "prediction.NotCommitted"
    rounds.send(rounds.reveal(0))
    assert rounds.refused(rounds.reveal(0)) == "prediction.AlreadyRevealed"
    (event,) = rounds.chain.events(PredictionEvent.Revealed)
    assert event.weights_hash == blob_name(rounds.weights(0))


def test_predictions_copied_from_another_miner_open_nothing() -> None:
    rounds = Scripted(4)
    rounds.play("propose")
    rounds.send(*(rounds.commit(who) for who in (0, 1, 2)))
    victim = rounds.view().miners[0].commit
    rounds.send(rounds.commit(3, commitment=victim.commitment))
    rounds.send(rounds.reveal(0))
    opened = rounds.view().miners[0].reveal
    # The own part differs, so the copy is no valid opening for miner 3 even before the commitment is looked at.
    copied = rounds.reveal(3, predictions=opened.predictions, predictions_salt=opened.predictions_salt)
    assert rounds.refused(copied) == "prediction.InvalidPredictions"
    adapted = (
        opened.predictions[RECORDS : 2 * RECORDS]
        + opened.predictions[RECORDS : 3 * RECORDS]
        + b"\xff" * RECORDS
    )
    copied = rounds.reveal(3, predictions=adapted, predictions_salt=opened.predictions_salt)
    assert rounds.refused(copied) == "prediction.CommitmentMismatch"


def test_an_owner_that_f_plus_1_miners_mark_is_removed() -> None:
    rounds = Scripted(4)
    rounds.marks = {1: {0}, 2: {0}}
    rounds.play("commit")
    (event,) = rounds.chain.events(RoundEvent.OwnerUnavailable)
    assert event.owner == rounds.accounts[0]
    assert rounds.chain.pallet(Prediction).removed(1) == {rounds.accounts[0]}
    assert rounds.refused(rounds.reveal(0)) == "prediction.Removed"
    rounds.all("reveal", but=[0])
    assert rounds.phase == "VOTE", "REVEAL does not wait for a removed owner"
    rounds.steps("cast", but=[0])
    tally = rounds.view(1).tally
    assert rounds.accounts[0] not in [entry.miner for entry in tally.miners]
    assert rounds.accounts[0] not in tally.counted_owners
    assert list(rounds.summary(1).winners) == [rounds.accounts[1], rounds.accounts[2]]
    rounds.open()
    assert list(rounds.state.expected) == rounds.accounts[1:]


def test_an_owner_with_fewer_marks_stays_and_the_marker_has_the_middle_rank_there() -> None:
    rounds = Scripted(4, skills=[9, 9, 6, 3])
    rounds.marks = {3: {0}}
    rounds.play("cast")
    view = rounds.view()
    assert not rounds.chain.pallet(Prediction).removed(1)
    ranked = [miner for group in view.miners[0].ballot.ranking for miner in group.miners]
    assert ranked == [rounds.accounts[1], rounds.accounts[2]]
    points = {entry.miner: entry.points for entry in view.tally.miners}
    # Last on two ballots, and the middle of three places, doubled, on miner 0's.
    assert points[rounds.accounts[3]] == 2
    assert sum(points.values()) == 4 * 6, "each of four ballots deals 3 * 2 doubled points"
    scores = {entry.miner: [score.owner for score in entry.scores] for entry in view.tally.miners}
    assert rounds.accounts[0] not in scores[rounds.accounts[3]]


def test_marks_of_one_miner_less_than_f_plus_1_cannot_hurt_an_owner() -> None:
    rounds = Scripted(7)
    rounds.marks = {5: {0}, 6: {0}}
    rounds.play()
    assert rounds.accounts[0] in rounds.summary(1).winners
