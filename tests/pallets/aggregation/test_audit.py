"""Who wins by the verdicts, by itself."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pallets.aggregation.audit import disqualified, is_decided, judge, winners
from pocl.v1.aggregation_pb2 import MISMATCH, OK, UNAVAILABLE, Verdict

A, B, C = (bytes([letter]) * 32 for letter in b"ABC")
VERDICTS = (OK, MISMATCH, UNAVAILABLE)


def outcome(*audits: Sequence[Verdict], miners: int = 4, faulty: int = 1) -> list[str]:
    """Return a letter for each provisional winner: passed, failed, open."""
    provisional = [A, B, C][: len(audits[0])]
    return [
        "passed" if entry.passed else "failed" if entry.failed else "open"
        for entry in judge(provisional, audits, miners, faulty)
    ]


def test_f_plus_1_ok_pass_and_f_plus_1_mismatch_fail() -> None:
    assert outcome([OK, MISMATCH]) == ["open", "open"]
    assert outcome([OK, MISMATCH], [OK, MISMATCH]) == ["passed", "failed"]
    assert outcome([OK, MISMATCH], [OK, MISMATCH], [MISMATCH, OK], [MISMATCH, OK]) == ["passed", "passed"]


def test_it_fails_when_f_plus_1_ok_cannot_come_any_more() -> None:
    assert outcome([UNAVAILABLE], [UNAVAILABLE]) == ["open"]
    assert outcome([UNAVAILABLE], [UNAVAILABLE], [UNAVAILABLE]) == ["failed"]
    assert outcome([OK], [UNAVAILABLE], [MISMATCH]) == ["open"]
    assert outcome([OK], [UNAVAILABLE], [MISMATCH], [UNAVAILABLE]) == ["failed"]


def test_a_sole_miner_audits_itself() -> None:
    assert outcome([OK], miners=1, faulty=0) == ["passed"]
    assert outcome([MISMATCH], miners=1, faulty=0) == ["failed"]


def test_the_audit_is_decided_when_nobody_open_can_still_win() -> None:
    def decided(*audits: Sequence[Verdict], places: int) -> bool:
        return is_decided(judge([A, B, C], audits, 4, 1), places)

    two = [OK, OK, MISMATCH], [OK, OK, OK]
    assert decided(*two, places=2), "C is open but comes after two that passed"
    assert not decided(*two, places=3)
    first_open = [OK, OK, OK], [MISMATCH, OK, OK]
    assert not decided(*first_open, places=2), "A is open and would come first"


def test_winners_are_the_first_that_pass() -> None:
    audits = [[MISMATCH, OK, OK], [MISMATCH, OK, OK], [OK, OK, OK]]
    judgements = judge([A, B, C], audits, 4, 1)
    assert winners(judgements, 1) == [B]
    assert winners(judgements, 2) == [B, C]


def test_disqualified_are_those_that_lost_a_place_and_proven_mismatches() -> None:
    audits = [[UNAVAILABLE, OK, MISMATCH], [UNAVAILABLE, OK, MISMATCH], [MISMATCH, OK, MISMATCH]]
    judgements = judge([A, B, C], audits, 4, 1)
    assert [(e.winner, e.reason) for e in disqualified(judgements, 1)] == [(A, UNAVAILABLE), (C, MISMATCH)]
    open_after = judge([A, B, C], [[OK, OK, UNAVAILABLE], [OK, OK, OK]], 4, 1)
    assert disqualified(open_after, 2) == [], "C was not needed"
    assert [e.winner for e in disqualified(open_after, 3)] == [C]


@given(
    st.lists(st.lists(st.sampled_from(VERDICTS), min_size=3, max_size=3), min_size=1, max_size=7), st.data()
)
def test_what_is_decided_stays_decided(audits: list[list[Verdict]], data: st.DataObject) -> None:
    """No further audit changes the winners once the audit is decided, or revives who failed unless by f+1 OK."""
    places = data.draw(st.integers(1, 3))
    for count in range(1, len(audits) + 1):
        early = judge([A, B, C], audits[:count], 7, 2)
        final = judge([A, B, C], audits, 7, 2)
        passed = {entry.winner for entry in final if entry.passed}
        assert {entry.winner for entry in early if entry.passed} <= passed
        if is_decided(early, places) and not any(entry.mismatch for entry in early):
            assert winners(early, places) == winners(final, places)
