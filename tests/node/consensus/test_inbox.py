"""What may wait for the core, and what is kept for the next epoch."""

from __future__ import annotations

import pytest

from node.consensus import inbox as inbox_module
from node.consensus.inbox import Inbox
from node.consensus.intake import EarlyMessages
from node.consensus.types import EpochInfo, MessageReceived, Started
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import ConsensusMessage, Proposal, Vote

ALICE, BOB = b"a" * 32, b"b" * 32


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def vote(peer: str, account: bytes | None = None) -> MessageReceived:
    return MessageReceived(ConsensusMessage(vote=Vote(epoch=1, view=1)), peer, account)


def body(size: int, account: bytes = ALICE) -> MessageReceived:
    block = Block(header=Header(number=1), extrinsics=[bytes(size)])
    return MessageReceived(ConsensusMessage(proposal=Proposal(epoch=2, view=1, block=block)), "p", account)


def test_events_come_out_in_order() -> None:
    inbox = Inbox(Clock())
    with pytest.raises(IndexError):
        inbox.pop()
    first, second = vote("p", ALICE), vote("q", BOB)
    assert inbox.put_message(first, known=True)
    inbox.put(Started())
    assert inbox.put_message(second, known=True)
    assert [inbox.pop() for _ in range(len(inbox))] == [first, Started(), second]


def test_one_validators_flood_leaves_the_place_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_MESSAGES", 3)
    inbox = Inbox(Clock())
    # Whatever connections it comes by.
    assert [inbox.put_message(vote(f"{n}", ALICE), known=True) for n in range(4)] == [True] * 3 + [False]
    assert inbox.put_message(vote("b", BOB), known=True)
    inbox.pop()
    assert inbox.put_message(vote("a", ALICE), known=True)


def test_large_messages_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_BYTES", 10_000)
    inbox = Inbox(Clock())
    # One is taken whatever its size: it may be the one that is waited for.
    assert [inbox.put_message(body(20_000), known=True) for _ in range(2)] == [True, False]
    inbox.pop()
    assert [inbox.put_message(body(6_000), known=True) for _ in range(3)] == [True, True, False]


def test_each_stranger_has_a_rate_and_all_have_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_MESSAGES", 150)
    clock = Clock()
    inbox = Inbox(clock)
    taken = [inbox.put_message(vote("loud", ALICE), known=False) for _ in range(120)]
    assert taken == [True] * 100 + [False] * 20
    assert inbox.put_message(vote("quiet"), known=False)
    clock.now += 1
    assert sum(inbox.put_message(vote("loud"), known=False) for _ in range(40)) == 20
    assert sum(inbox.put_message(vote(f"{n}"), known=False) for n in range(40)) == 29
    assert inbox.put_message(vote("v", ALICE), known=True)


def test_what_comes_too_early_is_bounded_by_its_bytes() -> None:
    epoch = EpochInfo(1, (ALICE, BOB), (), b"h" * 32, 0)
    early = EarlyMessages()
    for _ in range(6):
        early.keep(body(3 * 2**20), epoch)
    early.keep(body(10, BOB), epoch)
    early.keep(vote("nobody", b"x" * 32), epoch)
    kept = early.take()
    assert [event.account for event in kept] == [ALICE, ALICE, ALICE, BOB]
    assert early.take() == []
