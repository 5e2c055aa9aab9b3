"""Who is in the next set."""

from __future__ import annotations

from itertools import product

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


def test_leavers_go_as_long_as_f_stays_the_same() -> None:
    leaving = {C: record(LEAVING, since=2), D: record(LEAVING, since=1)}
    # 6 and 5 bear one faulty member, as 4 does; 3 would bear none, though all four took part in the round.
    assert list(rotate(active(A, B, E, F) | leaving, [A, B, C, D, E, F], RULES).removed) == [D, C]
    assert list(rotate(active(A, B, E) | leaving, [A, B, C, D, E], RULES).removed) == [D]
    assert rotate(active(A, B) | leaving, [A, B, C, D], RULES).removed == {}
    assert rotate(active(A, B, E, F, G) | leaving, [A, B, C, D, E, F, G], RULES).removed == {}
    # Once somebody has entered, one goes; whoever was silent in one round may yet vote, and waits as well.
    first = rotate(active(A, B) | leaving | {H: record(WAITING)}, [A, B, C, D], RULES)
    assert (first.members, first.removed) == ([A, B, C, D, H], {})
    assert list(rotate(active(A, B, H) | leaving, [A, B, C, D, H], RULES).removed) == [D]
    assert rotate(active(A, B) | leaving, [A, B, D], RULES).removed == {}
    # Sets below 4 bear none anyway.
    assert rotate(active(A, B) | {D: record(LEAVING)}, [A, B, D], RULES).members == [A, B]
    assert rotate(active(A) | {D: record(LEAVING)}, [A, D], Rules(3, 2, 10)).members == [A, D]
    assert rotate({D: record(LEAVING)}, [D], RULES).members == [D]


def test_a_live_quorum_stays_when_somebody_leaves() -> None:
    leaving = {F: record(LEAVING)}
    assert rotate(active(A, B, C, D, E) | leaving, [A, B, C, D, F], RULES).removed == {F: "left"}
    assert rotate(active(A, B, C, D, E) | leaving, [A, B, C, F], RULES).removed == {}


def test_a_leaver_whose_node_is_stopped_goes_as_one_of_the_faulty() -> None:
    stopped = {D: record(LEAVING, missed=3)}
    assert rotate(active(A, B, C) | stopped, [A, B, C], RULES).removed == {D: "left"}
    # Only f of those that are silent go, whether they had asked to or not.
    silent = {C: record(missed=4)}
    assert rotate(active(A, B, E) | silent | stopped, [A, B, E], RULES).removed == {C: "offline"}


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
    # 7 to 6 would cost a fault: first somebody enters.
    assert (list(rotation.removed), len(rotation.entered)) == ([], 3)
    eight = seats | active(bytes([9]) * 32)
    rotation = rotate(eight | waiting, eight, Rules(3, 1, 20))
    # The seven that stay are a quorum of ten, and of no larger set.
    assert (list(rotation.removed), len(rotation.entered)) == ([F], 3)


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


def test_with_any_f_abstaining_those_that_vote_are_a_quorum_of_the_next_set() -> None:
    """All sets of at most 13, by numbers: who was live and abstains from now on, who is silent, guilty, leaving."""
    cases = 0
    for size in range(1, 14):
        f = faulty(size)
        for guilty, offline in ((g, o) for g in range(f + 1) for o in range(f + 1 - g)):
            for leaving, waiting in product(range(size - guilty - offline + 1), (0, 1, 2)):
                names = [bytes([number]) * 32 for number in range(size + waiting)]
                rest = size - guilty - offline - leaving
                statuses = (
                    [record(EXPELLED)] * guilty + [record(missed=3)] * offline
                    + [record(LEAVING)] * leaving + [record()] * rest + [record(WAITING)] * waiting
                )  # fmt: skip
                records = dict(zip(names, statuses, strict=True))
                bad, good = names[: guilty + offline], names[guilty + offline : size]
                abstaining = f - len(bad)
                # The guilty may be there or not; of the others those that will abstain took part, or did not.
                for there, asleep in product((0, guilty), range(abstaining + 1)):
                    live = {*names[:there], *good[: len(good) - asleep]}
                    rotation = rotate(records, live, Rules(3, 1, 13))
                    voting = set(rotation.members) - set(bad)
                    # Whom the abstaining hit the worst: those that stay.
                    silent = min(abstaining, len(voting & set(good)))
                    assert len(voting) - silent >= quorum(len(rotation.members)), (size, records, live)
                    cases += 1
    assert cases > 1000


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
