"""Who leads."""

from __future__ import annotations

from node.consensus.leaders import leader
from node.consensus.types import EpochInfo
from pocl.v1.block_pb2 import EpochChange
from tests.simulation.consensus.toy_chain import account

SET = tuple(account(index) for index in range(7))


def names(leaders: tuple[int, ...], views: int, epoch: int = 1) -> list[int]:
    info = EpochInfo(epoch, SET, tuple(account(index) for index in leaders), bytes(32), 0)
    return [SET.index(leader(info, view)) for view in range(1, views + 1)]


def test_winners_take_turns_and_every_third_view_is_one_of_all() -> None:
    assert names((5, 2, 4), 9) == [5, 2, 1, 4, 5, 2, 2, 4, 3]
    assert names((5, 2, 4), 9, epoch=4) == [5, 2, 4, 4, 5, 5, 2, 4, 6]


def test_everybody_leads_within_three_rounds_of_all() -> None:
    assert set(names((0,), 21)) == set(range(7))
    assert set(names((), 7)) == set(range(7))


def test_a_leader_outside_the_set_is_left_out() -> None:
    change = EpochChange(epoch=3, validators=SET[:4], leaders=[SET[6], SET[1]], seed=bytes(32))
    info = EpochInfo.from_change(change, b"h" * 32, 9)
    assert info.leaders == (SET[1],)
    assert (info.epoch, info.opening_number, info.quorum) == (3, 9, 3)
