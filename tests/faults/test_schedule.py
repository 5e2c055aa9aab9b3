"""The schedule of faults: when the next begins, which, and of which nodes."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from runtime.quorum import faulty
from tests.faults.harm import ALONE, FAULTS, Fault
from tests.faults.schedule import Begun, Schedule
from tests.faults.sets import Situation

NODES = tuple(f"node{index}" for index in range(10))
ALL_WELL = Situation(NODES, frozenset(NODES), frozenset())


def harmless(*_: object) -> str:
    return ""


def kind(name: str, most: str = "one", *, unsound: bool = False) -> Fault:
    return Fault(name, harmless, most=most, unsound=unsound)


def schedule(*kinds: Fault, every: float = 10, at_once: int = 3, seed: int = 1) -> Schedule:
    return Schedule(kinds, every=every, at_once=at_once, rng=random.Random(seed), begin=0)


def test_a_fault_is_due_every_so_often_whether_or_not_the_last_is_over() -> None:
    plan = schedule(*(kind(str(number)) for number in range(5)))
    open_: list[Begun] = []
    moments = []
    for now in range(35):
        begun = plan.next(now, open_, ALL_WELL)
        if begun is not None:
            open_.append(begun)
            moments.append(now)
    assert moments == [0, 10, 20]  # Not a fourth: three are open.
    assert len({begun.fault.name for begun in open_}) == 3
    assert len({name for begun in open_ for name in begun.nodes}) == 3
    # What was due in the meantime is made up for at once, but no more than may be open.
    late = [plan.next(100, [], ALL_WELL) for _ in range(5)]
    assert [begun is not None for begun in late] == [True, True, True, False, False]


def test_one_at_a_time_waits_and_owes_nothing() -> None:
    plan = schedule(kind("a"), kind("b"), at_once=1)
    first = plan.next(0, [], ALL_WELL)
    assert first is not None
    assert plan.next(25, [first], ALL_WELL) is None
    assert plan.next(26, [], ALL_WELL) is not None
    assert plan.next(27, [], ALL_WELL) is None
    assert plan.next(36, [], ALL_WELL) is not None


@pytest.mark.parametrize("most", ALONE)
def test_a_fault_of_more_than_f_waits_for_the_others_and_they_for_it(most: str) -> None:
    everybody = kind("everybody", most)
    plan = schedule(everybody, kind("one"))
    other = Begun(kind("other"), (NODES[0],))
    while (begun := plan.next(0, [], ALL_WELL)) is not None and begun.fault is not everybody:
        plan = schedule(everybody, kind("one"), seed=random.randrange(1000))
    assert begun is not None
    assert len(begun.nodes) > faulty(10)
    assert plan.next(10, [begun], ALL_WELL) is None
    waiting = schedule(everybody)
    assert waiting.next(0, [other], ALL_WELL) is None
    assert waiting.next(3, [], ALL_WELL) is not None


def test_the_unsound_are_at_most_f_of_the_set_in_force() -> None:
    lose, double = kind("lose", "f", unsound=True), kind("double", unsound=True)
    for seed in range(200):
        rng = random.Random(seed)
        members = frozenset(rng.sample(NODES, rng.randint(7, 10)))
        abstaining = frozenset(rng.sample(NODES, rng.randint(0, 3)))
        open_ = [Begun(kind("other"), (NODES[3],))]
        plan = schedule(lose, double, every=0, seed=seed)
        situation = Situation(NODES, members, abstaining)
        while (begun := plan.next(0, open_, situation)) is not None:
            open_.append(begun)
        unsound = abstaining.union(*(begun.nodes for begun in open_ if begun.fault.unsound))
        assert len(unsound) <= max(faulty(len(members)), len(abstaining))
        harmed = [name for begun in open_ for name in begun.nodes]
        assert len(harmed) == len(set(harmed))
        assert set(harmed[1:]) <= members - abstaining


def test_every_kind_comes_before_any_comes_twice_and_the_rest_do_not_wait_for_the_unsound() -> None:
    plan = schedule(*FAULTS, every=1, at_once=1)
    drawn = [plan.next(now, [], ALL_WELL) for now in range(2 * len(FAULTS))]
    counts = Counter(begun.fault.name for begun in drawn if begun is not None)
    assert set(counts) == {fault.name for fault in FAULTS}
    nobody_more = Situation(NODES, frozenset(NODES), frozenset(NODES[:3]))
    plan = schedule(*FAULTS, every=1, at_once=1)
    drawn = [plan.next(now, [], nobody_more) for now in range(50)]
    assert all(begun is not None and not begun.fault.unsound for begun in drawn)
