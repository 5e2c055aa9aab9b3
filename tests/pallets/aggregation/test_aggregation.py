"""AUDIT and AGGREGATE on the chain."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.commitments import audit_tag
from pocl.extrinsics import u128_int
from pocl.hashing import blob_name
from pocl.v1.aggregation_pb2 import (
    MISMATCH,
    OK,
    UNAVAILABLE,
    VERDICT_UNSPECIFIED,
    AggregationEvent,
    Baseline,
    Measure,
    WinnerVerdict,
)
from pocl.v1.round_pb2 import SETTLED
from tests.pallets.round.scripted import EMISSION, RECORDS, Scripted


def audited(**changes: Any) -> Scripted:
    rounds = Scripted(4, **changes)
    rounds.play("audit")
    return rounds


def rewards(rounds: Scripted, round: int = 1) -> list[int]:
    return [u128_int(reward.amount) for reward in rounds.summary(round).rewards]


def test_a_malformed_audit_is_refused() -> None:
    rounds = Scripted(4)
    rounds.play("cast")
    first, second = (rounds.verdict(2, winner) for winner in rounds.view().tally.provisional)
    bare = WinnerVerdict(winner=second.winner, verdict=OK)
    tagged = WinnerVerdict(winner=second.winner, verdict=MISMATCH, tag=second.tag)
    unspecified = WinnerVerdict(winner=second.winner, verdict=VERDICT_UNSPECIFIED)
    same = WinnerVerdict(winner=second.winner, verdict=OK, tag=first.tag)
    unavailable = WinnerVerdict(winner=second.winner, verdict=UNAVAILABLE)
    for verdicts, error in (
        ([], "WrongWinners"),
        ([first], "WrongWinners"),
        ([second, first], "WrongWinners"),
        ([first, first], "WrongWinners"),
        ([first, second, second], "WrongWinners"),
        ([first, unspecified], "InvalidVerdict"),
        ([first, bare], "InvalidTag"),
        ([first, tagged], "InvalidTag"),
        ([first, same], "SameTag"),
        ([first, unavailable], "TooEarly"),
    ):
        assert rounds.refused(rounds.audit(2, verdicts=verdicts)) == f"aggregation.{error}"
    rounds.send(rounds.audit(2))
    assert rounds.refused(rounds.audit(2)) == "aggregation.AlreadyAudited"


def test_unavailable_is_accepted_in_the_last_third_of_the_phase() -> None:
    rounds = Scripted(4)
    rounds.play("cast")
    while rounds.state.phase_clock_ms < 8000 - 1000:
        rounds.send()
    assert rounds.refused(rounds.audit(0, OK, UNAVAILABLE)) == ""  # this block brings the clock to 8 s of 12
    assert rounds.state.phase_clock_ms == 7000


def test_two_winners_with_the_same_weights_have_the_same_tag() -> None:
    rounds = Scripted(4)
    rounds.weights = lambda who: b"the same"  # type: ignore[method-assign]
    rounds.play("cast")
    provisional = list(rounds.view().tally.provisional)
    other = [rounds.verdict(3, provisional[0]), rounds.verdict(3, provisional[1])]
    other[1].tag = audit_tag(rounds.accounts[3], 1, b"another")
    assert rounds.refused(rounds.audit(3, verdicts=other)) == "aggregation.SameTag"
    rounds.send(rounds.audit(3))


def test_anybody_audits_and_a_copied_tag_silences_nobody() -> None:
    rounds = Scripted(4)
    rounds.play("propose")
    rounds.all("commit", but=[3])
    rounds.wait("REVEAL")
    rounds.steps("reveal", "cast", but=[3])
    copied = [rounds.verdict(0, winner) for winner in rounds.view().tally.provisional]
    rounds.send(rounds.audit(3, verdicts=copied))
    rounds.send(rounds.audit(0))
    assert rounds.phase == "AGGREGATE"


def test_a_winner_that_f_plus_1_find_wrong_is_disqualified_and_the_next_one_wins() -> None:
    rounds = Scripted(7, winners=2)  # f = 2: three provisional winners
    rounds.play("cast")
    for who in range(3):
        rounds.send(rounds.audit(who, OK if who == 0 else MISMATCH, OK, OK))
    assert rounds.phase == "AUDIT"
    rounds.send(rounds.audit(3, MISMATCH, OK, OK))
    assert rounds.phase == "AGGREGATE"
    (event,) = rounds.chain.events(AggregationEvent.WinnerDisqualified)
    assert (event.winner, event.reason) == (rounds.accounts[0], MISMATCH)
    (confirmed,) = rounds.chain.events(AggregationEvent.WinnersConfirmed)
    assert list(confirmed.winners) == rounds.accounts[1:3]
    rounds.all("attest")
    assert list(rounds.summary(1).winners) == rounds.accounts[1:3]


def test_weights_that_nobody_can_get_are_disqualified_when_all_have_said_so() -> None:
    rounds = Scripted(4)
    rounds.play("cast")
    while rounds.state.phase_clock_ms < 8000:
        rounds.send()
    rounds.send(*(rounds.audit(who, UNAVAILABLE if who else OK, OK) for who in range(4)))
    assert rounds.phase == "AGGREGATE"
    (event,) = rounds.chain.events(AggregationEvent.WinnerDisqualified)
    assert (event.winner, event.reason) == (rounds.accounts[0], UNAVAILABLE)
    rounds.all("attest")
    assert list(rounds.summary(1).winners) == [rounds.accounts[1]]


def test_who_is_not_confirmed_when_audit_ends_is_disqualified() -> None:
    rounds = Scripted(4)
    rounds.play("cast")
    rounds.send(rounds.audit(0, OK, OK), rounds.audit(2, MISMATCH, OK))
    assert rounds.phase == "AUDIT", "miner 0 has one OK and may get another"
    rounds.wait("AGGREGATE")
    assert list(rounds.view().confirmed.winners) == [rounds.accounts[1]]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"global_model": bytes(31)}, "WrongLength"),
        ({"size": 0}, "WrongSize"),
        ({"size": 1001}, "WrongSize"),
        ({"tag": b""}, "InvalidTag"),
        ({"measures": []}, "WrongWinners"),
        ({"baselines": [Baseline(owner=bytes(32))]}, "InvalidBaselines"),
        ({"false_tags": [bytes(32)]}, "InvalidFalseTags"),
        ({"false_tags": [b"short"]}, "InvalidFalseTags"),
    ],
)
def test_a_malformed_attestation_is_refused(fields: dict[str, Any], error: str) -> None:
    assert (rounds := audited()).refused(rounds.attest(0, **fields)) == f"aggregation.{error}"


def test_measures_baselines_and_accusations_are_checked_against_the_round() -> None:
    rounds = Scripted(4)
    rounds.play("cast")
    rounds.send(rounds.audit(0), rounds.audit(1, OK, OK), rounds.audit(2, MISMATCH, MISMATCH))
    assert rounds.phase == "AGGREGATE"
    a, b = rounds.accounts[:2]
    for fields, error in (
        ({"measures": [Measure(winner=b), Measure(winner=a)]}, "WrongWinners"),
        ({"measures": [Measure(winner=a), Measure(winner=b, weight_difference=2**48 + 1)]}, "InvalidMeasure"),
        ({"baselines": [Baseline(owner=b), Baseline(owner=a)]}, "InvalidBaselines"),
        ({"baselines": [Baseline(owner=a), Baseline(owner=a)]}, "InvalidBaselines"),
        ({"baselines": [Baseline(owner=a, correct=RECORDS + 1)]}, "InvalidBaselines"),
        ({"false_tags": [b, a]}, "InvalidFalseTags"),
        ({"false_tags": [rounds.accounts[2]]}, "InvalidFalseTags"),
        ({"false_tags": [rounds.accounts[3]]}, "InvalidFalseTags"),
    ):
        assert rounds.refused(rounds.attest(0, **fields)) == f"aggregation.{error}"
    rounds.send(rounds.attest(0, false_tags=[a, b]))
    assert rounds.refused(rounds.attest(0)) == "aggregation.AlreadyAttested"


def test_only_equal_attestations_of_a_quorum_settle() -> None:
    rounds = audited()
    rounds.send(rounds.attest(0), rounds.attest(1))
    rounds.send(rounds.attest(2, global_model=blob_name(b"another")))
    assert rounds.phase == "AGGREGATE"
    rounds.send(rounds.attest(3))
    summary = rounds.summary(1)
    assert summary.outcome == SETTLED
    assert list(summary.attesters) == [rounds.accounts[place] for place in (0, 1, 3)]


def test_the_same_name_with_another_size_is_another_model() -> None:
    rounds = audited()
    rounds.send(rounds.attest(0), rounds.attest(1), rounds.attest(2, size=999))
    assert rounds.phase == "AGGREGATE"


def test_aggregate_waits_for_its_quorum_beyond_the_deadline() -> None:
    rounds = audited()
    while rounds.state.phase_clock_ms < 15_000:
        rounds.send()
    assert rounds.phase == "AGGREGATE"
    rounds.all("attest")
    assert rounds.summary(1).outcome == SETTLED


def test_accuracy_rewards_on_the_chain() -> None:
    rounds = Scripted(4, skills=[9, 6, 3, 2])
    rounds.play()
    # 20 % in equal parts, the rest as 0.9 : 0.6; rounding leaves one unit that nobody is paid.
    assert rewards(rounds) == [100_000 + 480_000, 100_000 + 320_000 - 1]
    assert sum(rewards(rounds)) == EMISSION - 1


def test_weight_difference_rewards_are_the_medians_of_the_attesters() -> None:
    rounds = audited(reward="weight_difference", base_share_bp=0)
    a, b = rounds.accounts[:2]

    def measured(first: int, second: int) -> list[Measure]:
        return [Measure(winner=a, weight_difference=first), Measure(winner=b, weight_difference=second)]

    rounds.send(
        rounds.attest(0, measures=measured(300, 100)),
        rounds.attest(1, measures=measured(300, 100)),
        rounds.attest(2, measures=measured(2**48, 0)),
    )
    assert rewards(rounds) == [750_000, 250_000]


def test_contribution_rewards_are_the_medians_of_the_attesters() -> None:
    rounds = audited(reward="contribution", base_share_bp=0)
    a, b = rounds.accounts[:2]

    def measured(first: int, second: int) -> list[Measure]:
        return [
            Measure(winner=a, weight_difference=9, contribution=first),
            Measure(winner=b, weight_difference=9, contribution=second),
        ]

    assert rounds.refused(rounds.attest(0, measures=measured(2**32 + 1, 0))) == "aggregation.InvalidMeasure"
    rounds.send(
        rounds.attest(0, measures=measured(300, 100)),
        rounds.attest(1, measures=measured(0, 2**32)),
        rounds.attest(2, measures=measured(300, 100)),
    )
    assert rewards(rounds) == [750_000, 250_000]


def test_no_contribution_is_measured_where_none_is_paid() -> None:
    rounds = audited()
    measures = [Measure(winner=winner, contribution=1) for winner in rounds.accounts[:2]]
    assert rounds.refused(rounds.attest(0, measures=measures)) == "aggregation.InvalidMeasure"


def test_a_model_no_better_than_the_one_it_started_from_is_a_free_ride() -> None:
    rounds = Scripted(4, skills=[9, 6, 3, 2])
    rounds.play("audit")
    # The old model has 6 of 10 right everywhere: as many as miner 1. One attester lies about that.
    honest = [Baseline(owner=owner, correct=6) for owner in rounds.accounts]
    lie = [Baseline(owner=owner, correct=0) for owner in rounds.accounts]
    rounds.send(rounds.attest(0, baselines=honest), rounds.attest(1, baselines=lie))
    rounds.send(rounds.attest(2, baselines=honest))
    (event,) = rounds.chain.events(AggregationEvent.FreeRide)
    assert event.winner == rounds.accounts[1]
    assert rewards(rounds) == [900_000, 100_000]


def test_a_baseline_that_fewer_than_f_plus_1_report_is_none() -> None:
    rounds = audited()
    lie = [Baseline(owner=owner, correct=RECORDS) for owner in rounds.accounts]
    rounds.send(rounds.attest(0, baselines=lie), rounds.attest(1), rounds.attest(2))
    assert not rounds.chain.events(AggregationEvent.FreeRide)


def test_a_false_tag_that_f_plus_1_attesters_name_costs_a_winner_its_reward() -> None:
    rounds = audited()
    accused, slandered = rounds.accounts[:2]
    rounds.send(
        rounds.attest(1, false_tags=[accused]),
        rounds.attest(2, false_tags=[accused]),
        rounds.attest(3, false_tags=[slandered]),
    )
    (event,) = rounds.chain.events(AggregationEvent.FalseTag)
    assert event.auditor == accused
    assert rewards(rounds)[0] == 0
    assert rewards(rounds)[1] > 0
