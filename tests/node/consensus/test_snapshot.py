"""What a core tells people of what it knows."""

from __future__ import annotations

from node.consensus import types as t
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY
from runtime.blocks import header_hash
from tests.node.consensus.bench import Bench, notarized
from tests.simulation.consensus.toy_chain import account


def accounts(*indices: int) -> frozenset[bytes]:
    return frozenset(account(index) for index in indices)


def test_votes_of_the_view_and_of_the_one_being_finalized() -> None:
    bench = Bench()
    seen = bench.core.snapshot()
    assert (seen.epoch, seen.view, seen.leader, seen.quorum) == (1, 1, account(1), 3)
    assert (seen.voting, seen.proposed, seen.finalizing_view) == (True, False, 0)
    assert seen.notarized == seen.nullified == frozenset()

    block = bench.block(1)
    bench.receive(bench.propose(1, block), 1)
    bench.execute()
    bench.receive(bench.vote(2, 1, NULLIFY), 2)
    seen = bench.core.snapshot()
    assert (seen.proposed, seen.notarized, seen.nullified) == (True, accounts(0), accounts(2))

    bench.receive(bench.vote(1, 1, NOTARIZE, header_hash(block.header)), 1)
    bench.receive(bench.vote(3, 1, NOTARIZE, header_hash(block.header)), 3)
    seen = bench.core.snapshot()
    assert (seen.view, seen.finalizing_view, seen.final_view) == (2, 1, 0)
    assert (seen.finalized, seen.notarized) == (accounts(0), frozenset())
    bench.receive(bench.vote(1, 1, FINALIZE, header_hash(block.header)), 1)
    assert bench.core.snapshot().finalized == accounts(0, 1)
    bench.receive(bench.vote(3, 1, FINALIZE, header_hash(block.header)), 3)
    seen = bench.core.snapshot()
    assert (seen.final_view, seen.finalizing_view, seen.finalized) == (1, 0, frozenset())


def test_a_snapshot_checks_no_vote_and_charges_nobody() -> None:
    bench = Bench()
    bad = bench.vote(2, 1, NULLIFY)
    bad.signature = bytes(64)
    bench.receive(bad, 2)
    assert bench.core.snapshot().nullified == accounts(2)
    assert not [action for action in bench.actions if isinstance(action, t.Blame)]


def test_abstention_and_blocks_that_are_missing() -> None:
    bench = Bench(abstain_until=3)
    seen = bench.core.snapshot()
    assert (seen.voting, seen.abstain_until, seen.missing_block) == (False, 3, False)
    block = bench.block(1)
    bench.receive(bench.certificate(1, FINALIZE, header_hash(block.header)))
    assert bench.core.snapshot().missing_block
    notarized_bench = Bench()
    notarized(notarized_bench, notarized_bench.block(1))
    assert not notarized_bench.core.snapshot().missing_block


def test_views_that_a_quorum_gave_up_are_counted_once() -> None:
    bench = Bench()
    assert bench.core.snapshot().nullified_views == 0
    for sender in (1, 2, 3):
        bench.receive(bench.vote(sender, 1, NULLIFY), sender)
    bench.receive(bench.certificate(1, NULLIFY, b""))
    assert (bench.core.view, bench.core.snapshot().nullified_views) == (2, 1)
    bench.receive(bench.certificate(2, NOTARIZE, b"h" * 32))
    assert (bench.core.view, bench.core.snapshot().nullified_views) == (3, 1)
