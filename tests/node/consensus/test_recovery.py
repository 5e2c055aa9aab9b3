"""Rule 11 at the head of node/consensus/core.py: restarts from the log, and abstention without one."""

from __future__ import annotations

from node.consensus import types as t
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY
from runtime.blocks import header_hash
from tests.node.consensus.bench import Bench, notarized, of, records, votes


def test_a_restart_remembers_votes_and_proposes_nothing_in_its_view() -> None:
    before = Bench(1)
    block = before.block(1)
    block_hash = header_hash(block.header)
    before.step(t.Built(1, 1, block))
    assert votes(before.actions) == [(NOTARIZE, 1)]

    after = Bench(1, records=records(before.actions))
    assert of(t.Build, after.actions) == []
    assert of(t.Validate, after.actions) == [t.Validate(block, block_hash, False)]
    # The proposal with its body is sent again, and the vote; the block is not voted on twice.
    sent = [action.message.WhichOneof("message") for action in of(t.Broadcast, after.actions)]
    assert sent == ["proposal", "vote", "catch_up"]
    assert votes(after.execute()) == []
    other = after.block(1, extrinsics=[b"other"])
    assert of(t.Broadcast, after.receive(after.propose(1, other))) == []
    after.receive(after.vote(2, 1, NOTARIZE, block_hash), 2)
    actions = after.receive(after.vote(3, 1, NOTARIZE, block_hash), 3)
    assert votes(actions) == [(FINALIZE, 1)]

    again = Bench(1, records=records(before.actions) + records(after.actions))
    assert again.core.view == 2
    assert of(t.Validate, again.actions)[0].certified


def test_nothing_is_proposed_in_a_view_of_which_the_log_says_anything() -> None:
    before = Bench(1)
    before.step(t.Built(1, 1, before.block(1)))
    # Even if the log has lost the proposal, which it must not: the vote says that this view has begun.
    vote = [record for record in records(before.actions) if record.HasField("vote")]
    after = Bench(1, records=vote)
    assert of(t.Build, before.actions) == [t.Build(1, 1, before.opening)]
    assert of(t.Build, after.actions) == []


def test_a_restart_after_nullify_neither_notarizes_nor_finalizes() -> None:
    before = Bench()
    before.fire(t.TimerKind.VIEW)
    after = Bench(records=records(before.actions))
    notarized_hash = header_hash(after.block(1).header)
    after.receive(after.propose(1, after.block(1)))
    after.receive(after.certificate(1, NOTARIZE, notarized_hash))
    assert set(votes(after.actions)) == {(NULLIFY, 1)}


def test_records_of_a_later_epoch_count_when_it_is_reached() -> None:
    ahead = Bench(0, close_every=1)
    closing = ahead.block(1)
    notarized(ahead, closing)
    finalize = ahead.certificate(1, FINALIZE, header_hash(closing.header))
    ahead.receive(finalize)
    assert votes(ahead.fire(t.TimerKind.VIEW)) == [(NULLIFY, 1)]
    behind = Bench(0, close_every=1, records=records(ahead.actions))
    actions = behind.execute()
    assert behind.core.epoch.epoch == 1
    actions = behind.receive(finalize)
    assert behind.core.epoch.epoch == 2
    assert votes(behind.fire(t.TimerKind.VIEW)) == []
    assert actions


def test_an_abstaining_validator_follows_in_silence_until_its_epoch() -> None:
    bench = Bench(1, close_every=1, abstain_until=2)
    assert of(t.Build, bench.actions) == []
    closing = bench.block(1)
    notarized(bench, closing)
    assert votes(bench.fire(t.TimerKind.VIEW)) == []
    assert records(bench.actions) == []
    actions = bench.receive(bench.certificate(1, FINALIZE, header_hash(closing.header)))
    assert of(t.Final, actions)
    assert bench.core.voting
    assert votes(bench.fire(t.TimerKind.VIEW)) == [(NULLIFY, 1)]
    held = Bench(1, abstain_until=2**64)
    assert of(t.Build, held.step(t.AbstentionEnds(1))) == [t.Build(1, 1, held.opening)]
