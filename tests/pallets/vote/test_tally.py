"""The tally, by itself."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pallets.vote.ranking import ranking
from pallets.vote.tally import OwnerBallot, TallyRules, ballot_points, tally
from pocl.hashing import hash256

A, B, C, D, E = (bytes([letter]) * 32 for letter in b"ABCDE")
RECORDS = 100


def rules(voting: str = "borda", provisional: int = 2, seed: bytes = bytes(32)) -> TallyRules:
    return TallyRules(voting, RECORDS, 1500, provisional, seed)


def ballot(owner: bytes, **correct: int) -> OwnerBallot:
    """Return the ballot of an owner: correct labels by the letter of the miner, all equally fast."""
    by_miner = {name.encode() * 32: number for name, number in correct.items()}
    return OwnerBallot(owner, ranking(by_miner, dict.fromkeys(by_miner, 1)), by_miner)


def order(result_miners: Sequence[object]) -> str:
    return "".join(chr(entry.miner[0]) for entry in result_miners)  # type: ignore[attr-defined]


def test_the_papers_borda_on_a_worked_example() -> None:
    # Four miners, each ranks the three others: 2, 1 and 0 points.
    #            A  B  C  D
    # A ranks:      2  1  0
    # B ranks:   2     0  1
    # C ranks:   2  1     0
    # D ranks:   1  2  0
    # sum        5  5  1  1        doubled 10 10 2 2
    ballots = [
        ballot(A, B=90, C=80, D=70),
        ballot(B, A=95, D=60, C=50),
        ballot(C, A=91, B=85, D=10),
        ballot(D, B=88, A=87, C=86),
    ]
    result = tally(rules(), [A, B, C, D], ballots)
    assert {entry.miner: entry.points for entry in result.miners} == {A: 10, B: 10, C: 2, D: 2}
    # A has 273 of 300 right and B 263; C 216 and D 140.
    assert order(result.miners) == "ABCD"
    assert [entry.correct for entry in result.miners] == [273, 263, 216, 140]
    assert all(entry.records == 300 for entry in result.miners)
    assert list(result.provisional) == [A, B]
    assert list(result.counted_owners) == [A, B, C, D]


def test_shared_places_share_the_points_of_the_places_they_take_up() -> None:
    points = ballot_points(ballot(A, B=90, C=90, D=70, E=60), [A, B, C, D, E])
    assert points == {B: 5, C: 5, D: 2, E: 0}


def test_who_could_not_get_the_records_has_the_middle_place() -> None:
    points = ballot_points(ballot(A, B=90, C=80), [A, B, C, D])
    assert points == {B: 3, C: 1, D: 2}


def test_speed_separates_equal_accuracy() -> None:
    assert ranking({A: 5, B: 5, C: 9, D: 5}, {A: 3, B: 2, C: 7, D: 3}) == [[C], [B], [A, D]]


def test_the_last_tie_is_broken_by_the_seed() -> None:
    ballots = [ballot(A, B=50), ballot(B, A=50)]
    seeds = [bytes([number]) * 32 for number in range(20)]
    seen = set()
    for seed in seeds:
        found = [entry.miner for entry in tally(rules(seed=seed), [A, B], ballots).miners]
        assert found == sorted([A, B], key=lambda miner: hash256("pocl/tie/1", seed, miner))
        seen.add(found[0])
    assert seen == {A, B}


def test_screened_leaves_out_records_on_which_everybody_fails() -> None:
    # D's records are noise: all are at chance there, and its friend C happens to be best.
    ballots = [
        ballot(A, B=90, C=75, D=70),
        ballot(B, A=92, C=76, D=71),
        ballot(C, A=88, B=86, D=72),
        ballot(D, A=10, B=9, C=14),
    ]
    result = tally(rules("screened"), [A, B, C, D], ballots)
    assert list(result.screened_out) == [D]
    assert list(result.counted_owners) == [A, B, C]
    assert list(result.provisional) == [A, B]
    entry = result.miners[0]
    assert (entry.correct, entry.records) == (180, 200), "only counted ballots count"
    assert len(entry.scores) == 3, "but all scores are shown"


def test_the_screen_takes_in_what_is_exactly_at_the_margin() -> None:
    at = [ballot(A, B=75), ballot(B, A=60), ballot(C, A=60), ballot(D, A=60)]
    assert not tally(rules("screened"), [A, B, C, D], at).screened_out
    beyond = [ballot(A, B=76), *at[1:]]
    assert list(tally(rules("screened"), [A, B, C, D], beyond).screened_out) == [A]


def test_when_every_ballot_is_screened_out_all_tie() -> None:
    result = tally(rules("screened"), [A, B], [ballot(A, B=90), ballot(B, A=10)])
    assert list(result.screened_out) == [A, B]
    assert [entry.points for entry in result.miners] == [0, 0]
    assert len(result.provisional) == 2


def test_an_owner_does_not_gain_by_a_ballot_that_does_not_count() -> None:
    # E is weaker than D. By sums its fourth ballot would put it before D, which stands on three.
    ballots = [
        ballot(A, B=80, C=79, D=78, E=70),
        ballot(B, A=80, C=79, D=78, E=70),
        ballot(C, A=80, B=79, D=78, E=70),
        ballot(D, A=80, B=79, C=70, E=71),
        ballot(E, A=5, B=4, C=3, D=2),
    ]
    result = tally(rules("screened"), [A, B, C, D, E], ballots)
    assert list(result.screened_out) == [E]
    points = {entry.miner: entry.points for entry in result.miners}
    assert (points[D], points[E]) == (6, 2)
    assert order(result.miners)[-2:] == "DE"


def test_median_takes_the_middle_of_the_points() -> None:
    # C is first with its two friends' records and last on three others: the mean is above B's, the median is not.
    ballots = [
        ballot(A, B=90, C=10, D=80, E=70),
        ballot(B, A=90, C=10, D=60, E=50),
        ballot(C, A=90, B=80, D=70, E=60),
        ballot(D, A=60, B=50, C=99, E=40),
        ballot(E, A=60, B=50, C=99, D=40),
    ]
    result = tally(rules("median"), [A, B, C, D, E], ballots)
    assert order(result.miners).index("C") > order(result.miners).index("B")


def test_ballots_and_ranks_of_miners_that_are_no_candidates_do_not_count() -> None:
    ballots = [ballot(A, B=90, C=99), ballot(B, A=80, C=99), ballot(C, A=1, B=99)]
    result = tally(rules(), [A, B], ballots)
    assert order(result.miners) == "BA"
    assert list(result.counted_owners) == [A, B]


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[bytes], list[OwnerBallot]]:
    miners = [bytes([index]) * 32 for index in range(draw(st.integers(1, 7)))]
    ballots = []
    for owner in miners:
        others = [miner for miner in miners if miner != owner and draw(st.integers(0, 9))]
        correct = {miner: draw(st.integers(0, RECORDS)) for miner in others}
        blocks = {miner: draw(st.integers(1, 3)) for miner in others}
        ballots.append(OwnerBallot(owner, ranking(correct, blocks), correct))
    return miners, ballots


@pytest.mark.parametrize("voting", ["borda", "median", "screened"])
@given(election=elections(), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_ballots_and_candidates_changes_nothing(
    voting: str, election: tuple[list[bytes], list[OwnerBallot]], shuffle: random.Random
) -> None:
    miners, ballots = election
    expected = tally(rules(voting), miners, ballots)
    assert (
        tally(rules(voting), shuffle.sample(miners, len(miners)), shuffle.sample(ballots, len(ballots)))
        == expected
    )
    assert sorted(entry.miner for entry in expected.miners) == miners
    assert len(expected.provisional) == min(2, len(miners))
    for entry in expected.miners:
        assert 0 <= entry.correct <= entry.records


@given(elections())
def test_every_ballot_deals_the_same_points(election: tuple[list[bytes], list[OwnerBallot]]) -> None:
    miners, ballots = election
    others = len(miners) - 1
    for cast in ballots:
        points = ballot_points(cast, miners)
        assert sum(points.values()) == others * (others - 1)
        assert all(0 <= number <= 2 * (others - 1) for number in points.values())
