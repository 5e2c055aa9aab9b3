"""Who is in the next set."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pallets.validators.rotation import IN_SET, Rules, rotate
from pocl.v1.validators_pb2 import Validator
from runtime.quorum import faulty, quorum

A, B, C, D, E, F, G, H = (bytes([letter]) * 32 for letter in b"ABCDEFGH")
ACTIVE, WAITING, LEAVING, EXPELLED = (
    Validator.ACTIVE,
    Validator.WAITING,
    Validator.LEAVING,
    Validator.EXPELLED,
)
RULES = Rules(offline_rounds=3, minimum=1, maximum=10)


def record(status: int = ACTIVE, since: int = 0, missed: int = 0) -> Validator:
    return Validator(status=status, since=since, missed=missed)  # type: ignore[arg-type]


def active(*accounts: bytes) -> dict[bytes, Validator]:
    return {account: record() for account in accounts}


def test_nothing_happens_without_a_reason() -> None:
    rotation = rotate(
        active(A, B, C, D) | {E: record(Validator.OUT), F: record(Validator.UNBONDING)}, [A], RULES
    )
    assert (rotation.members, rotation.removed, rotation.entered) == ([A, B, C, D], {}, [])


def test_newcomers_enter_oldest_first_while_the_live_make_a_quorum() -> None:
    waiting = {H: record(WAITING, since=1), E: record(WAITING, since=2), F: record(WAITING, since=2)}
    # 4 live: quorum(5) is 4, quorum(6) is 5. The next round shows whether the newcomer is there.
    rotation = rotate(active(A, B, C, D) | waiting, [A, B, C, D], RULES)
    assert (rotation.members, rotation.entered) == ([A, B, C, D, H], [H])
    # With one of the four silent a newcomer that is silent as well would stop the chain.
    assert rotate(active(A, B, C, D) | waiting, [A, B, C], RULES).entered == []
    seven = active(A, B, C, D, bytes(32), b"x" * 32, b"y" * 32)
    assert rotate(seven | waiting, seven, RULES).entered == [H, E, F]
    assert rotate(seven | waiting, seven, Rules(3, 1, 8)).entered == [H]


def test_a_chain_of_one_can_grow() -> None:
    waiting = {account: record(WAITING) for account in (B, C, D)}
    rotation = rotate(active(A) | waiting, [A], RULES)
    assert rotation.members == [A, B, C]
    assert rotate(active(A, B, C) | {D: record(WAITING)}, [A, B, C], RULES).members == [A, B, C, D]
    assert rotate(active(A, B, C) | {D: record(WAITING)}, [A, B], RULES).members == [A, B, C]


def test_leavers_go_as_long_as_a_live_quorum_stays() -> None:
    leaving = {C: record(LEAVING, since=2), D: record(LEAVING, since=1)}
    assert rotate(active(A, B) | leaving, [A, B, C, D], RULES).members == [A, B]
    assert rotate(active(A, B) | leaving, [A, C, D], RULES).members == [A, B, C, D]
    # Who is silent is no loss; D, who is there, has to stay.
    assert rotate(active(A, B) | leaving, [A, B, D], RULES).members == [A, B, D]
    assert rotate(active(A) | {D: record(LEAVING)}, [A, D], Rules(3, 2, 10)).members == [A, D]
    assert rotate({D: record(LEAVING)}, [D], RULES).members == [D]


def test_who_takes_over_a_seat_must_be_there_first() -> None:
    records = {A: record(LEAVING), B: record(WAITING)}
    first = rotate(records, [A], RULES)
    assert (first.members, first.removed) == ([A, B], {})
    assert rotate(records | active(B), [A, B], RULES).members == [B]


def test_who_goes_lets_nobody_in() -> None:
    seats = active(A, B, C, D, E) | {F: record(LEAVING), G: record(LEAVING)}
    waiting = {bytes([number]) * 32: record(WAITING) for number in range(4)}
    # The five that stay are a quorum of seven, and of no larger set.
    rotation = rotate(seats | waiting, seats, RULES)
    assert (list(rotation.removed), len(rotation.entered)) == ([F, G], 2)


def test_silent_ones_are_put_out_at_most_f_at_a_time() -> None:
    silent = {account: record(missed=missed) for account, missed in ((C, 3), (D, 5), (E, 4))}
    rotation = rotate(active(A, B, F, G) | silent, [A, B, F, G], RULES)
    assert rotation.removed == {D: "offline", E: "offline"}
    assert rotate(active(A, B, C) | {D: record(missed=2)}, [A, B, C], RULES).removed == {}
    assert rotate(active(A, B) | {D: record(missed=9)}, [A, B], RULES).removed == {}


def test_the_guilty_go_first_but_not_at_the_price_of_the_quorum() -> None:
    guilty = {D: record(EXPELLED)}
    assert rotate(active(A, B, C) | guilty, [A, B, C, D], RULES).removed == {D: "offence"}
    assert rotate(active(A, B, C) | guilty, [A, B, D], RULES).removed == {}
    assert rotate(active(A, B, C) | guilty, [A, B], RULES).removed == {D: "offence"}


STATUSES = st.sampled_from(Validator.Status.values()[1:])
RECORDS = st.dictionaries(
    st.integers(0, 40).map(lambda number: bytes([number]) * 32),
    st.builds(record, STATUSES, st.integers(0, 5), st.integers(0, 6)),
    max_size=20,
).filter(lambda records: any(entry.status in IN_SET for entry in records.values()))


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.data())
def test_a_change_never_costs_the_set_its_live_quorum(
    records: dict[bytes, Validator], data: st.DataObject
) -> None:
    before = sorted(who for who, entry in records.items() if entry.status in IN_SET)
    live = data.draw(st.sets(st.sampled_from(before)))
    minimum, maximum = data.draw(st.integers(1, 4)), data.draw(st.integers(len(before), 20))
    rotation = rotate(records, live, Rules(3, minimum, maximum))
    members = rotation.members
    assert members
    assert members == sorted(set(members))
    assert len(members) <= maximum
    assert len(members) >= min(minimum, len(before))
    assert set(before) - set(rotation.removed) | set(rotation.entered) == set(members)
    assert sum(reason == "offline" for reason in rotation.removed.values()) <= faulty(len(before))
    if len(live) >= quorum(len(before)):
        shown = len(live & set(members)) + (len(rotation.entered) if len(members) < 4 else 0)
        assert shown >= quorum(len(members))
