"""The sentence for many situations; the table is the specification."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from node.consensus.snapshot import AgreementSnapshot
from node.status.facts import Disk, Facts
from node.status.sentence import MOVING, STUCK, WAITING, duration, joined, judge, size

ALICE, BOB, CHARLIE, DAVE = ACCOUNTS = tuple(bytes([index]) * 32 for index in range(1, 5))
NAMES = dict(zip(ACCOUNTS, ("alice", "bob", "charlie", "dave"), strict=True))

AGREEMENT = AgreementSnapshot(
    epoch=7,
    view=12,
    leader=DAVE,
    quorum=3,
    voting=True,
    abstain_until=0,
    proposed=False,
    notarized=frozenset(),
    nullified=frozenset(),
    final_view=10,
    finalizing_view=0,
    finalized=frozenset(),
    missing_block=False,
)

# Alice's node; all is well.
WELL = Facts(
    now_ms=0,
    up_s=1000,
    account=ALICE,
    validators=ACCOUNTS,
    quorum=3,
    heartbeat_s=2,
    names=NAMES,
    connected=frozenset(ACCOUNTS),
    peers=3,
    final_number=123,
    final_age_s=0.44,
    epoch=7,
    agreement=AGREEMENT,
    round=7,
    phase="PHASE_NONE",
    worker="idle",
)


def facts(**changes: Any) -> Facts:
    """Return the good state with some of it changed, the agreement's fields by their own names."""
    inner = {field.name for field in dataclasses.fields(AgreementSnapshot)} - {"epoch", "quorum"}
    agreement = dataclasses.replace(AGREEMENT, **{key: changes.pop(key) for key in inner & set(changes)})
    return dataclasses.replace(WELL, **{"agreement": agreement} | changes)


def stuck(**changes: Any) -> Facts:
    """Return a state in which nothing became final for 35 s."""
    return facts(**{"final_age_s": 35.0} | changes)


def some(*accounts: bytes) -> frozenset[bytes]:
    return frozenset(accounts)


@pytest.mark.parametrize(
    ("given", "state", "sentence"),
    [
        (facts(), MOVING, "final and moving: block 123, 0.4 s ago"),
        (
            facts(phase="TRAIN", awaited=(CHARLIE,), now_ms=0, deadline_ms=0),
            MOVING,
            "final and moving: block 123, 0.4 s ago; round 7 waits in TRAIN for charlie",
        ),
        (
            facts(phase="VOTE", awaited=(ALICE, CHARLIE), now_ms=2000, deadline_ms=1000),
            MOVING,
            "final and moving: block 123, 0.4 s ago; round 7 waits in VOTE for alice (this node) and charlie, "
            "beyond the deadline",
        ),
        (
            facts(phase="AUDIT"),
            MOVING,
            "final and moving: block 123, 0.4 s ago; round 7 is in AUDIT",
        ),
        # A chain with a slow heartbeat is not stuck in between.
        (
            facts(final_age_s=55.0, heartbeat_s=30),
            MOVING,
            "final and moving: block 123, 55 s ago",
        ),
        (
            facts(voting=False, abstain_until=9),
            MOVING,
            "this validator abstains until epoch 9; final and moving: block 123, 0.4 s ago",
        ),
        (
            facts(behind=120, syncing=True),
            WAITING,
            "this node is 120 blocks behind and syncing",
        ),
        (
            stuck(behind=120),
            STUCK,
            "this node is 120 blocks behind and gets no blocks from its peers",
        ),
        # A few blocks are on their way by consensus, unless nothing moves.
        (facts(behind=2), MOVING, "final and moving: block 123, 0.4 s ago"),
        (stuck(behind=1, syncing=True), WAITING, "this node is 1 block behind and syncing"),
        (
            stuck(connected=some(ALICE, CHARLIE)),
            STUCK,
            "2 of 4 validators are connected, 3 are needed: waiting for bob and dave",
        ),
        (
            stuck(connected=some(ALICE), final_age_s=None, final_number=0),
            STUCK,
            "1 of 4 validators is connected, 3 are needed: waiting for bob, charlie and dave",
        ),
        # Just started: nothing is wrong yet.
        (
            stuck(connected=some(ALICE), up_s=3),
            WAITING,
            "1 of 4 validators is connected, 3 are needed: waiting for bob, charlie and dave",
        ),
        (
            stuck(connected=some(ALICE, BOB, CHARLIE), voting=False, abstain_until=9),
            STUCK,
            "3 of 4 validators are connected and this validator abstains until epoch 9, 3 others are needed: "
            "waiting for dave",
        ),
        (
            stuck(
                validators=(ALICE, BOB, CHARLIE),
                connected=some(ALICE, BOB, CHARLIE),
                voting=False,
                abstain_until=9,
            ),
            STUCK,
            "this validator abstains until epoch 9, and the other 2 are no quorum: 3 are needed",
        ),
        (
            stuck(agreement=None, without_log=True, connected=some(ALICE, BOB, CHARLIE)),
            WAITING,
            "this validator has no log of its votes and waits until 3 others have said how far they are: "
            "dave not connected",
        ),
        (
            stuck(agreement=None, waits_for_worker=True, worker="starting"),
            WAITING,
            "this validator waits for its worker (starting) before it joins consensus",
        ),
        (stuck(agreement=None), WAITING, "this validator is joining consensus"),
        (
            stuck(clocks={BOB: 10_000, CHARLIE: 10_100, DAVE: -50}),
            STUCK,
            "this node's clock is 10 s behind the other validators': set it (NTP)",
        ),
        (
            stuck(clocks={BOB: -4000, CHARLIE: -4000}),
            STUCK,
            "this node's clock is 4.0 s ahead of the other validators': set it (NTP)",
        ),
        (
            stuck(missing_block=True),
            WAITING,
            "blocks above 123 are final, but not all of them are here yet: fetching",
        ),
        (stuck(), STUCK, "view 12 of epoch 7 waits for a proposal of dave"),
        (
            stuck(nullified=some(ALICE, BOB)),
            STUCK,
            "view 12 of epoch 7: dave has proposed nothing, 2 of 3 votes to skip it are here: "
            "waiting for charlie and dave",
        ),
        (
            stuck(proposed=True, notarized=some(ALICE, DAVE)),
            STUCK,
            "view 12 of epoch 7: 2 of 3 votes for the proposal of dave are here: waiting for bob and charlie",
        ),
        (
            stuck(proposed=True, notarized=some(ALICE, DAVE), nullified=some(ALICE, BOB)),
            STUCK,
            "view 12 of epoch 7: 2 votes for the proposal of dave and 2 to skip it are here, 3 are needed: "
            "waiting for charlie",
        ),
        (
            stuck(proposed=True, notarized=some(CHARLIE, DAVE), nullified=some(ALICE, BOB)),
            STUCK,
            "view 12 of epoch 7: 2 votes for the proposal of dave and 2 to skip it are here, 3 are needed; "
            "everybody has voted: the next view decides",
        ),
        (stuck(disk=Disk(9_000_000, 0)), STUCK, "the disk of the base path is full: 9 MB are free"),
        # Full nodes.
        (
            stuck(account=None, agreement=None, peers=0),
            STUCK,
            "this node has no peers: nothing became final for 35 s (last is block 123)",
        ),
        (
            stuck(account=None, agreement=None, peers=0, final_age_s=None),
            STUCK,
            "this node has no peers: nothing is final yet",
        ),
        (
            stuck(account=None, agreement=None, peers=2),
            STUCK,
            "nothing became final for 35 s (last is block 123); this node only follows, and its 2 peers tell of "
            "no newer block: ask a validator",
        ),
        (facts(account=None, agreement=None), MOVING, "final and moving: block 123, 0.4 s ago"),
    ],
)
def test_the_sentence(given: Facts, state: str, sentence: str) -> None:
    verdict = judge(given)
    assert verdict.sentence == sentence
    assert verdict.state == state


@pytest.mark.parametrize(
    ("given", "hints"),
    [
        (facts(), []),
        (
            facts(connected=some(ALICE, BOB, CHARLIE)),
            ["3 of 4 validators are connected, no more than needed: dave is missing"],
        ),
        # Full nodes need not know every validator.
        (facts(account=None, agreement=None, connected=some(BOB)), []),
        (facts(worker="failed", worker_error="no memory"), ["the worker failed: no memory"]),
        (facts(worker="off"), ["the worker is off: this validator takes part in no round"]),
        (facts(disk=Disk(500_000_000, 0)), ["only 500 MB are free on the disk of the base path"]),
        (
            facts(clocks={BOB: 3000}),
            ["this node's clock is 3.0 s behind the other validators': set it (NTP)"],
        ),
        # What the sentence says is not said again.
        (stuck(clocks={BOB: 3000}), []),
        (
            facts(account=b"x" * 32, agreement=None),
            ["this node's account is not in the validator set"],
        ),
    ],
)
def test_the_hints(given: Facts, hints: list[str]) -> None:
    assert list(judge(given).hints) == hints


def test_the_deadline_is_a_time_of_day() -> None:
    verdict = judge(facts(phase="TRAIN", awaited=(CHARLIE,), now_ms=1000, deadline_ms=2000))
    assert ":00:02" in verdict.sentence or ":30:02" in verdict.sentence


def test_unknown_names_are_addresses_and_long_lists_are_cut() -> None:
    members = tuple(bytes([index]) * 32 for index in range(1, 32))
    given = stuck(validators=members, names={}, quorum=21, connected=some(ALICE))
    sentence = judge(given).sentence
    assert sentence.startswith("1 of 31 validators is connected, 21 are needed: waiting for 5C7LYpP2…, ")
    assert sentence.endswith(" and 26 more")
    assert joined([]) == "nobody"


def test_numbers_for_people() -> None:
    assert [duration(s) for s in (0.04, 9.94, 35, 300, 9000, 400_000)] == [
        "0.0 s",
        "9.9 s",
        "35 s",
        "5 min",
        "2.5 h",
        "5 days",
    ]
    assert [size(n) for n in (12_000, 45_000_000, 1_500_000_000)] == ["12 kB", "45 MB", "1.5 GB"]
