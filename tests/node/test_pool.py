"""The transaction pool, rule by rule."""

import pytest

from node.pool import (
    AlreadyInPool,
    PoolEvent,
    PoolFull,
    PoolStatus,
    Underpriced,
)
from pocl.extrinsics import extrinsic_hash
from runtime.frame.errors import InvalidTransaction
from tests.node.pool_harness import ALICE, BOB, CAROL, Harness, Ledger, normal, operational


def test_nonces_in_order_whatever_the_order_of_arrival() -> None:
    harness = Harness()
    first, second, third = (normal(ALICE, nonce) for nonce in range(3))
    harness.submit(third, second)
    assert harness.ready() == []
    assert harness.pool.status(extrinsic_hash(second)) is PoolStatus.FUTURE
    harness.submit(first)
    assert harness.ready() == [first, second, third]
    assert harness.seen(third) == ["future", "ready"]
    assert harness.seen(first) == ["ready"]
    assert harness.pool.status(extrinsic_hash(third)) is PoolStatus.READY
    assert harness.pool.status(bytes(32)) is None


def test_priority_by_tip_within_the_order_of_nonces() -> None:
    harness = Harness()
    a0, a1, b0, b1, c0 = (
        normal(ALICE, 0, tip=1),
        normal(ALICE, 1, tip=9),
        normal(BOB, 0, tip=5),
        normal(BOB, 1, tip=0),
        normal(CAROL, 0, tip=1),
    )
    harness.submit(a0, a1, b0, b1, c0)
    assert harness.ready() == [b0, a0, a1, c0, b1]


def test_operational_ones_come_first() -> None:
    harness = Harness()
    transfer, reveal, cast = (
        normal(ALICE, 0, tip=99),
        operational(BOB, 1, "reveal"),
        operational(BOB, 1, "cast"),
    )
    harness.submit(transfer, reveal, cast)
    assert harness.ready() == [reveal, cast, transfer]


def test_skip_leaves_out_what_depends_on_the_skipped_one() -> None:
    harness = Harness()
    a0, a1, b0 = normal(ALICE, 0, tip=2), normal(ALICE, 1, tip=2), normal(BOB, 0, tip=1)
    harness.submit(operational(CAROL, 1, "cast"), a0, a1, b0)
    ready = harness.pool.ready()
    taken = []
    for entry in ready:
        if entry.data == a0 or entry.operational:
            ready.skip()
        else:
            taken.append(entry.data)
    assert taken == [b0]


def test_exclude_passes_over_what_unfinal_blocks_include() -> None:
    harness = Harness()
    a0, a1, vote = normal(ALICE, 0), normal(ALICE, 1), operational(BOB, 1, "cast")
    harness.submit(a0, a1, vote)
    assert harness.ready({extrinsic_hash(a0), extrinsic_hash(vote)}) == [a1]
    assert harness.ready({extrinsic_hash(a0), extrinsic_hash(a1)}) == [vote]


def test_an_iterator_keeps_its_view_while_the_pool_changes() -> None:
    harness = Harness()
    a0, a1 = normal(ALICE, 0), normal(ALICE, 1)
    harness.submit(a0, a1)
    ready = harness.pool.ready()
    assert next(ready).data == a0
    harness.block(a0)
    assert [entry.data for entry in ready] == [a1]


def test_replacement_needs_a_higher_tip() -> None:
    harness = Harness()
    cheap, dear, later = normal(ALICE, 0, tip=5), normal(ALICE, 0, tip=6), normal(ALICE, 1)
    harness.submit(cheap, later)
    for tip in (4, 5):
        with pytest.raises(Underpriced, match="nonce 0 is taken"):
            harness.submit(normal(ALICE, 0, tip=tip, size=1))
    harness.submit(dear)
    assert harness.ready() == [dear, later]
    assert harness.seen(cheap) == ["ready", "dropped"]
    assert "higher tip" in harness.reason(cheap)
    assert harness.seen(later) == ["ready"]
    assert len(harness.pool) == 2


def test_operational_slots_are_not_replaced() -> None:
    harness = Harness()
    harness.submit(operational(ALICE, 1, "cast"))
    with pytest.raises(Underpriced, match="same round, kind and account"):
        harness.submit(operational(ALICE, 1, "cast", b"other"))
    harness.submit(operational(ALICE, 1, "reveal"), operational(BOB, 1, "cast"))
    assert len(harness.pool) == 3


def test_the_same_extrinsic_twice_is_refused_without_another_validation() -> None:
    harness = Harness()
    data = normal(ALICE, 0)
    harness.submit(data)
    with pytest.raises(AlreadyInPool, match=extrinsic_hash(data).hex()):
        harness.submit(data)
    assert harness.ledger.validated == [data]


def test_what_the_state_refuses_does_not_enter() -> None:
    harness = Harness()
    harness.ledger.nonces[ALICE] = 4
    with pytest.raises(InvalidTransaction, match="nonce 3 is used"):
        harness.submit(normal(ALICE, 3))
    assert len(harness.pool) == 0
    assert harness.events == []
    assert extrinsic_hash(normal(ALICE, 3)) not in harness.pool.verified


def test_a_full_pool_evicts_the_lowest_priority() -> None:
    harness = Harness(max_count=2)
    low, middle, high = normal(ALICE, 0, tip=1), normal(BOB, 0, tip=2), normal(CAROL, 0, tip=3)
    harness.submit(low, middle, high)
    assert harness.ready() == [high, middle]
    assert harness.seen(low) == ["ready", "dropped"]
    assert "full" in harness.reason(low)
    with pytest.raises(PoolFull, match="pay a higher tip"):
        harness.submit(normal(ALICE, 0, tip=2))
    assert harness.ready() == [high, middle]


def test_a_full_pool_evicts_future_ones_first_and_tails_only() -> None:
    harness = Harness(max_count=3)
    future, a0, a1 = normal(BOB, 5, tip=100), normal(ALICE, 0, tip=1), normal(ALICE, 1, tip=50)
    harness.submit(future, a0, a1)
    c0, c1 = normal(CAROL, 0, tip=10), normal(CAROL, 1, tip=10)
    harness.submit(c0)
    assert harness.seen(future) == ["future", "dropped"]
    # a1's tip is high, but it cannot be included before a0, whose tip is the lowest.
    harness.submit(c1)
    assert harness.ready() == [c0, c1, a0]
    with pytest.raises(PoolFull):
        harness.submit(normal(BOB, 7, tip=1000))


def test_eviction_goes_by_todays_worth() -> None:
    harness = Harness(max_count=2)
    was_low, middle, high = normal(ALICE, 0, tip=1), normal(BOB, 0, tip=5), normal(CAROL, 0, tip=6)
    now_high = normal(ALICE, 0, tip=10)
    harness.submit(was_low, middle, now_high, high)
    assert harness.ready() == [now_high, high]


def test_a_refusal_for_space_leaves_the_pool_as_it_was() -> None:
    small, big = normal(ALICE, 0, tip=3), normal(BOB, 0, tip=9, size=500)
    harness = Harness(max_bytes=len(small) + len(big))
    harness.submit(small, big)
    before, events = harness.ready(), list(harness.events)
    # Evicting the small one would not make enough space, and the big one is worth more.
    with pytest.raises(PoolFull):
        harness.submit(normal(CAROL, 0, tip=5, size=400))
    # The same when it first takes the place of a rival.
    with pytest.raises(PoolFull):
        harness.submit(normal(ALICE, 0, tip=5, size=400))
    assert harness.ready() == before
    assert harness.events == events
    assert harness.pool.stats.bytes == len(small) + len(big)


def test_bounds_of_sender_extrinsic_and_operational_space() -> None:
    harness = Harness(max_per_sender=2, max_extrinsic_bytes=300, operational_count=1)
    a0, a1, a2 = (normal(ALICE, nonce) for nonce in range(3))
    harness.submit(a1, a2)
    with pytest.raises(PoolFull, match="one account"):
        harness.submit(normal(ALICE, 3))
    harness.submit(a0)  # A lower nonce is never kept out by higher ones.
    assert harness.ready() == [a0, a1]
    assert "too many" in harness.reason(a2)
    with pytest.raises(PoolFull, match="at most 300"):
        harness.submit(normal(BOB, 0, size=300))
    harness.submit(operational(BOB, 1, "cast"))
    with pytest.raises(PoolFull, match="operational"):
        harness.submit(operational(CAROL, 1, "cast"))


def test_operational_bytes_are_bounded() -> None:
    harness = Harness(operational_bytes=200)
    with pytest.raises(PoolFull, match="operational"):
        harness.submit(operational(ALICE, 1, "cast", bytes(200)))


def test_a_block_takes_out_what_it_included() -> None:
    harness = Harness()
    a0, a1, vote = normal(ALICE, 0), normal(ALICE, 1), operational(BOB, 1, "cast")
    harness.submit(a0, a1, vote)
    harness.block(a0, vote)
    assert harness.ready() == [a1]
    assert harness.seen(a0) == ["ready"]
    assert harness.seen(a1) == ["ready"]  # It was ready all the time.
    assert not harness.pool.get(extrinsic_hash(vote))


def test_a_block_with_a_rival_makes_the_own_one_stale() -> None:
    harness = Harness()
    own, following, rival = normal(ALICE, 0), normal(ALICE, 1), normal(ALICE, 0, size=1)
    harness.submit(own, following)
    harness.block(rival)
    assert harness.ready() == [following]
    assert harness.reason(own) == "nonce 0 is used"


def test_a_sender_that_cannot_pay_any_more_is_dropped() -> None:
    harness = Harness()
    a0, a1, b0 = normal(ALICE, 0), normal(ALICE, 1), normal(BOB, 0)
    harness.submit(a0, a1, b0)
    harness.ledger.poor.add(ALICE)
    harness.block(a0)
    assert harness.ready() == [b0]
    assert harness.reason(a1) == "cannot pay the fee"
    assert harness.ledger.validated.count(b0) == 1  # Untouched senders are not validated again.


def test_a_block_judges_a_senders_first_one_again_and_not_its_whole_queue() -> None:
    harness = Harness()
    queue = [normal(ALICE, nonce) for nonce in range(6)]
    harness.submit(*queue)
    harness.ledger.validated.clear()
    harness.block(*queue[:2])
    assert harness.ledger.validated == [queue[2]]
    assert harness.ready() == queue[2:]
    harness.block(normal(ALICE, 2, size=1))  # Another one took its place: stale, and the next one is first.
    assert harness.ledger.validated == [queue[2], queue[2], queue[3]]
    assert harness.ready() == queue[3:]


def test_a_new_round_ends_the_old_rounds_calls_and_readies_the_next() -> None:
    harness = Harness()
    old, new = operational(ALICE, 1, "cast"), operational(BOB, 2, "cast")
    harness.submit(old, new)
    assert harness.ready() == [old]
    harness.ledger.round = 2
    harness.block()
    assert harness.ready() == [new]
    assert harness.seen(new) == ["future", "ready"]
    assert harness.reason(old) == "round 1 is over"
    harness.ledger.round = 1  # Another branch of the chain.
    harness.block()
    assert harness.ready() == []
    assert harness.seen(new) == ["future", "ready", "future"]


def test_mortal_ones_expire_when_no_block_may_include_them() -> None:
    harness = Harness()
    a0, a1, b0 = normal(ALICE, 0, valid_until=2), normal(ALICE, 1), normal(BOB, 0, valid_until=3)
    harness.submit(a0, a1, b0)
    harness.block()
    assert set(harness.ready()) == {a0, a1, b0}
    harness.block()
    assert harness.ready() == [b0]
    assert "block 2 was the last" in harness.reason(a0)
    assert harness.seen(a1) == ["ready", "future"]
    harness.block()
    assert harness.ready() == []


def test_a_new_validation_can_be_handed_in_with_the_block() -> None:
    harness = Harness()
    a0 = normal(ALICE, 0)
    harness.submit(a0)
    other = Ledger(nonces={ALICE: 1})
    harness.pool.on_block([normal(ALICE, 0, size=1)], 1, other.validate)
    assert len(harness.pool) == 0
    with pytest.raises(InvalidTransaction):
        harness.submit(a0)


def test_blocks_that_became_final_together_drop_nothing_that_they_included() -> None:
    harness = Harness()
    a0, a1, a2 = (normal(ALICE, nonce) for nonce in range(3))
    b0, stale = normal(BOB, 0, valid_until=2), normal(CAROL, 0)
    harness.submit(a0, a1, a2, b0, stale)
    # Alice's first in one block, her second and the others in the next: the state is already that after both.
    included = [a0, a1, b0, normal(CAROL, 0, size=1)]
    harness.ledger.apply(included)
    harness.pool.on_block(iter(included), 2)
    assert harness.ready() == [a2]
    assert [harness.seen(data) for data in (a0, a1, a2, b0)] == [["ready"]] * 4
    assert harness.seen(stale) == ["ready", "dropped"], (
        "what they did not include, and left no nonce for, goes"
    )


def test_remove_strands_the_followers() -> None:
    harness = Harness()
    a0, a1 = normal(ALICE, 0), normal(ALICE, 1)
    harness.submit(a0, a1)
    harness.pool.remove(extrinsic_hash(a0), "it exhausts any block")
    harness.pool.remove(bytes(32), "unknown")
    assert harness.ready() == []
    assert harness.reason(a0) == "it exhausts any block"
    assert harness.seen(a1) == ["ready", "future"]
    assert harness.pool.stats.future == 1


def test_gossip_takes_each_ready_one_once_and_in_batches() -> None:
    harness = Harness()
    a0, a1, a3, vote = normal(ALICE, 0), normal(ALICE, 1), normal(ALICE, 3), operational(BOB, 1, "cast")
    harness.submit(a0, a1, a3, vote)
    assert harness.pool.take_unpropagated(max_count=2) == [vote, a0]
    assert harness.pool.take_unpropagated() == [a1]
    assert harness.pool.take_unpropagated() == []
    a2 = normal(ALICE, 2)
    harness.submit(a2)
    assert harness.pool.take_unpropagated(max_bytes=1) == [a2]
    assert harness.pool.take_unpropagated(max_bytes=1) == [a3]
    b0 = normal(BOB, 0)
    harness.submit(b0)
    harness.block(b0)
    assert harness.pool.take_unpropagated() == []


def test_verified_names_what_validation_passed_within_a_bound() -> None:
    harness = Harness(max_count=2, operational_count=1)
    data = [normal(ALICE, nonce) for nonce in range(8)]
    for item in data[:6]:
        harness.submit(item)
        assert extrinsic_hash(item) in harness.pool.verified
        harness.block(item)
    assert extrinsic_hash(data[0]) in harness.pool.verified  # Execution comes after the pool let go of it.
    harness.submit(data[6])
    assert extrinsic_hash(data[0]) not in harness.pool.verified


def test_next_nonce_counts_what_waits() -> None:
    harness = Harness()
    harness.submit(normal(ALICE, 0), normal(ALICE, 1), normal(ALICE, 3))
    assert harness.pool.next_nonce(ALICE, 0) == 2
    assert harness.pool.next_nonce(ALICE, 3) == 4
    assert harness.pool.next_nonce(BOB, 7) == 7


def test_unsubscribing_ends_the_events() -> None:
    harness = Harness()
    events: list[PoolEvent] = []
    unsubscribe = harness.pool.subscribe(events.append)
    harness.submit(normal(ALICE, 0))
    unsubscribe()
    unsubscribe()
    harness.submit(normal(ALICE, 1))
    assert events == [PoolEvent(extrinsic_hash(normal(ALICE, 0)), PoolStatus.READY)]


def test_calls_ahead_of_time_take_no_place_from_those_that_are_due() -> None:
    harness = Harness(operational_count=5, max_early_per_sender=3)
    early = [operational(BOB, round, "cast") for round in (2, 3, 4)]
    harness.submit(*early)
    with pytest.raises(PoolFull, match="ahead of time"):
        harness.submit(operational(BOB, 5, "cast"))
    harness.submit(operational(CAROL, 2, "cast"), operational(ALICE, 1, "cast"))
    with pytest.raises(PoolFull, match="operational"):
        harness.submit(operational(CAROL, 3, "cast"))
    due = [operational(sender, 1, kind) for sender in (BOB, CAROL) for kind in ("cast", "reveal")]
    harness.submit(*due)
    assert len(harness.ready()) == 5
    assert len(harness.pool) == 5
    assert harness.seen(early[0]) == ["future", "dropped"]
    with pytest.raises(PoolFull, match="operational"):
        harness.submit(operational(ALICE, 1, "reveal"))


def test_a_new_peer_gets_the_operational_calls_once_more() -> None:
    harness = Harness()
    vote, early, transfer = operational(BOB, 1, "cast"), operational(BOB, 2, "cast"), normal(ALICE, 0)
    harness.submit(vote, early, transfer)
    assert harness.pool.take_unpropagated() == [vote, transfer]
    harness.pool.propagate_again()
    assert harness.pool.take_unpropagated() == [vote]
    assert harness.pool.take_unpropagated() == []
