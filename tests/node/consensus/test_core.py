"""The rules at the head of node/consensus/core.py, one by one. Leaders of views 1 to 5 here: 1, 2, 1, 3, 0."""

from __future__ import annotations

import pytest

from node.consensus import types as t
from node.consensus.core import Core
from node.consensus.intake import VIEWS_AHEAD
from node.consensus.scheme import Ed25519Scheme
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, VoteKind
from runtime.blocks import header_hash
from tests.node.consensus.bench import TIMING, Bench, notarized, of, records, votes
from tests.simulation.consensus.toy_chain import GENESIS_HASH, account


def test_a_view_from_proposal_to_final() -> None:
    bench = Bench()
    block = bench.block(1)
    block_hash = header_hash(block.header)
    assert of(t.Validate, bench.receive(bench.propose(1, block), 1)) == [t.Validate(block, block_hash, False)]
    assert votes(bench.actions) == []
    assert votes(bench.execute()) == [(NOTARIZE, 1)]
    bench.receive(bench.vote(1, 1, NOTARIZE, block_hash), 1)
    actions = bench.receive(bench.vote(2, 1, NOTARIZE, block_hash), 2)
    assert bench.core.view == 2
    assert votes(actions) == [(FINALIZE, 1)]
    assert of(t.Notarized, actions) == [t.Notarized(block_hash)]
    bench.receive(bench.vote(1, 1, FINALIZE, block_hash), 1)
    actions = bench.receive(bench.vote(2, 1, FINALIZE, block_hash), 2)
    final = of(t.Final, actions)[0]
    assert (final.block_hash, final.number) == (block_hash, 1)
    assert final.certificate.kind == FINALIZE
    assert of(t.Prune, actions) == [t.Prune(1, 1)]
    assert bench.core.final_number == 1


def test_everything_a_vote_rests_on_is_logged_before_it() -> None:
    bench = Bench()
    block = bench.block(1)
    notarized(bench, block)
    kinds = [record.WhichOneof("message") for record in records(bench.actions)]
    assert kinds == ["proposal", "vote", "certificate", "vote"]
    assert records(bench.actions)[0].proposal.block == block
    step = bench.fire(t.TimerKind.VIEW)
    assert [isinstance(action, t.Persist) for action in step] == [True, False]
    assert step[0].records[0] == step[1].message


def test_a_single_validator_finalizes_at_once() -> None:
    bench = Bench(0, n=1, close_every=2)
    parent = bench.genesis.header
    for number in (1, 2, 3):
        request = of(t.Build, bench.actions)[-1]
        block = bench.chain.build(parent, request.epoch, request.view, account(0), number, [])
        assert header_hash(parent) == request.parent_hash
        actions = bench.step(t.Built(request.epoch, request.view, block))
        assert isinstance(actions[0], t.Persist)
        assert [final.number for final in of(t.Final, actions)] == [number]
        parent = block.header
    assert (bench.core.epoch.epoch, bench.core.view) == (2, 2)


def test_nothing_is_notarized_after_nullify_and_nothing_twice() -> None:
    bench = Bench()
    assert votes(bench.fire(t.TimerKind.LEADER)) == [(NULLIFY, 1)]
    assert votes(bench.fire(t.TimerKind.VIEW)) == []
    bench.receive(bench.propose(1, bench.block(1)))
    assert of(t.Validate, bench.actions) == []
    assert votes(bench.actions) == [(NULLIFY, 1)]
    # A notarization that comes all the same leads on, but is not finalized here.
    actions = bench.receive(bench.certificate(1, NOTARIZE, header_hash(bench.block(1).header)))
    assert bench.core.view == 2
    assert votes(actions) == []


def test_the_leaders_timer_means_nothing_once_there_is_a_proposal() -> None:
    bench = Bench()
    bench.receive(bench.propose(1, bench.block(1)))
    assert votes(bench.fire(t.TimerKind.LEADER)) == []
    assert votes(bench.fire(t.TimerKind.VIEW)) == [(NULLIFY, 1)]


def test_no_nullify_after_finalize_not_even_by_a_late_timer() -> None:
    bench = Bench()
    notarized(bench, bench.block(1))
    for kind in (t.TimerKind.LEADER, t.TimerKind.VIEW):
        bench.step(t.TimerFired(t.Timer(kind, 1, 1)))
    assert votes(bench.actions) == [(NOTARIZE, 1), (FINALIZE, 1)]


def test_a_late_notarization_is_finalized() -> None:
    bench = Bench()
    block = bench.block(1)
    bench.receive(bench.certificate(1, NULLIFY))
    assert bench.core.view == 2
    assert votes(bench.receive(bench.certificate(1, NOTARIZE, header_hash(block.header)))) == [(FINALIZE, 1)]


@pytest.mark.parametrize("wrong", ["parent", "view", "author"])
def test_a_block_that_does_not_fit_its_proposal_is_nullified(wrong: str) -> None:
    bench = Bench()
    block = bench.block(1)
    if wrong == "parent":
        block.header.parent_hash = bytes(32)
    elif wrong == "view":
        block.header.view = 2
    else:
        block.header.author = account(2)
    assert votes(bench.receive(bench.propose(1, block))) == [(NULLIFY, 1)]


def test_an_invalid_block_is_nullified_and_a_certified_one_stops_the_node() -> None:
    bench = Bench()
    block = bench.block(1)
    block_hash = header_hash(block.header)
    bench.receive(bench.propose(1, block))
    assert votes(bench.step(t.Validated(block_hash, False, "a wrong root"))) == [(NULLIFY, 1)]
    assert isinstance(bench.receive(bench.certificate(1, NOTARIZE, block_hash))[0], t.Halt)
    assert bench.fire(t.TimerKind.VIEW) == []


def test_a_proposal_shows_what_it_rests_on_and_leads_into_its_view() -> None:
    bench = Bench()
    first = bench.block(1)
    parent = bench.certificate(1, NOTARIZE, header_hash(first.header))
    second = bench.block(4, first.header)
    skipped = [bench.certificate(view, NULLIFY) for view in (2, 3)]
    for lacking in ([], skipped[:1], list(reversed(skipped))):
        assert of(t.Blame, bench.receive(bench.propose(4, second, parent, lacking)))
        assert bench.core.view == 1
    actions = bench.receive(bench.propose(4, second, parent, skipped))
    assert bench.core.view == 4
    # The parent's body is asked for from whoever sent the proposal, and executed first.
    asked = [send.message.catch_up for send in of(t.Send, actions)]
    assert [list(request.missing) for request in asked] == [[header_hash(first.header)]]
    assert of(t.Validate, bench.receive(bench.propose(1, first)))[0].certified
    assert of(t.Validate, bench.execute())[0].block == second
    assert votes(bench.execute()) == [(NOTARIZE, 4)]


def test_a_forged_certificate_or_proposal_is_blamed_on_who_sent_it() -> None:
    bench = Bench()
    forged = bench.certificate(1, NULLIFY)
    forged.signatures[1] = bytes(64)
    assert [blame.peer for blame in of(t.Blame, bench.receive(forged, 2))] == [2]
    proposal = bench.propose(1, bench.block(1))
    proposal.signature = bytes(64)
    assert [blame.peer for blame in of(t.Blame, bench.receive(proposal, 2))] == [2]
    swapped = bench.propose(1, bench.block(1, extrinsics=[b"a"]))
    swapped.block.extrinsics[0] = b"b"
    assert [blame.peer for blame in of(t.Blame, bench.receive(swapped, 2))] == [2]
    assert bench.core.view == 1
    assert votes(bench.actions) == []


def test_a_certificate_of_an_earlier_epoch_moves_nothing() -> None:
    bench = Bench(close_every=1)
    closing = bench.block(1)
    notarized(bench, closing)
    bench.receive(bench.certificate(1, FINALIZE, header_hash(closing.header)))
    assert (bench.core.epoch.epoch, bench.core.view) == (2, 1)
    # The same validators signed it, for the same view of the epoch before.
    assert bench.receive(bench.certificate(1, NULLIFY)) == []
    assert (bench.core.epoch.epoch, bench.core.view) == (2, 1)


@pytest.mark.parametrize(
    ("first", "second", "halts"),
    [
        ((NOTARIZE, b"a" * 32), (NOTARIZE, b"b" * 32), True),
        ((NOTARIZE, b"a" * 32), (FINALIZE, b"b" * 32), True),
        ((FINALIZE, b"a" * 32), (NULLIFY, b""), True),
        ((NOTARIZE, b"a" * 32), (NULLIFY, b""), False),
        ((NOTARIZE, b"a" * 32), (FINALIZE, b"a" * 32), False),
    ],
)
def test_certificates_that_exclude_each_other_stop_the_node(
    first: tuple[VoteKind, bytes], second: tuple[VoteKind, bytes], halts: bool
) -> None:
    bench = Bench()
    assert not of(t.Halt, bench.receive(bench.certificate(1, *first)))
    assert bool(of(t.Halt, bench.receive(bench.certificate(1, *second)))) == halts
    assert (bench.fire(t.TimerKind.STALL) == []) == halts


def test_two_proposals_are_evidence_once_and_the_first_counts() -> None:
    bench = Bench()
    first, second = bench.block(1), bench.block(1, extrinsics=[b"other"])
    bench.receive(bench.propose(1, first))
    (offence,) = of(t.Offence, bench.receive(bench.propose(1, second)))
    assert (offence.kind, offence.account) == (t.OffenceKind.TWO_PROPOSALS, account(1))
    assert bench.receive(bench.propose(1, second)) == []
    bench.execute()
    assert bench.core._state.own(1, NOTARIZE).block_hash == header_hash(first.header)


def test_a_leader_builds_on_the_highest_notarized_block() -> None:
    bench = Bench(3)
    block = bench.block(1)
    block_hash = header_hash(block.header)
    notarized(bench, block)
    bench.receive(bench.certificate(2, NULLIFY))
    assert of(t.Build, bench.actions) == []
    assert of(t.Build, bench.receive(bench.certificate(3, NULLIFY))) == [t.Build(1, 4, block_hash)]
    built = bench.block(4, block.header)
    actions = bench.step(t.Built(1, 4, built))
    proposal = next(a.message.proposal for a in of(t.Broadcast, actions) if a.message.HasField("proposal"))
    assert (proposal.parent_view, proposal.parent_certificate.block_hash) == (1, block_hash)
    assert [nullification.view for nullification in proposal.nullifications] == [2, 3]
    assert votes(actions) == [(NOTARIZE, 4)]
    assert bench.step(t.Built(1, 4, bench.block(4, block.header, [b"other"]))) == []


def test_a_closing_block_is_proposed_again_until_it_is_final() -> None:
    bench = Bench(2, close_every=1)
    closing = bench.block(1)
    closing_hash = header_hash(closing.header)
    certificate = notarized(bench, closing)
    proposal = next(
        action.message.proposal
        for action in of(t.Broadcast, bench.actions)
        if action.message.HasField("proposal") and action.message.proposal.view == 2
    )
    assert of(t.Build, bench.actions) == []
    assert (proposal.block, proposal.parent_view) == (closing, 1)
    actions = bench.receive(bench.certificate(2, FINALIZE, closing_hash))
    assert [final.block_hash for final in of(t.Final, actions)] == [closing_hash]
    assert (bench.core.epoch.epoch, bench.core.view) == (2, 1)
    assert bench.core.epoch.opening_hash == closing_hash
    assert certificate.view == 1

    voter = Bench(0, close_every=1)
    notarized(voter, closing)
    beyond = voter.chain.build(closing.header, 1, 2, account(2), 9, [])
    assert votes(voter.receive(voter.propose(2, beyond, certificate))) == [(NULLIFY, 2)]
    voter = Bench(0, close_every=1)
    notarized(voter, closing)
    assert votes(voter.receive(voter.propose(2, closing, certificate))) == [(NOTARIZE, 2)]


def test_only_closing_blocks_are_proposed_again() -> None:
    bench = Bench()
    block = bench.block(1)
    certificate = notarized(bench, block)
    assert votes(bench.receive(bench.propose(2, block, certificate))) == [(NULLIFY, 2)]


def test_a_follower_without_a_key_finalizes_too() -> None:
    bench = Bench(None)
    block = bench.block(1)
    notarized(bench, block)
    assert of(t.Final, bench.receive(bench.certificate(1, FINALIZE, header_hash(block.header))))
    assert votes(bench.actions) == []
    assert records(bench.actions) == []


def test_a_notarization_overrides_the_own_clock() -> None:
    bench = Bench()
    block = bench.block(1)
    block_hash = header_hash(block.header)
    bench.receive(bench.propose(1, block))
    assert [request.certified for request in of(t.Validate, bench.actions)] == [False]
    actions = bench.receive(bench.certificate(1, NOTARIZE, block_hash))
    assert of(t.Validate, actions) == [t.Validate(block, block_hash, True)]


def test_who_is_behind_is_answered_once_and_a_certificate_of_a_later_epoch_asks_for_sync() -> None:
    bench = Bench(close_every=1)
    closing = bench.block(1)
    notarized(bench, closing)
    late = Bench(2, close_every=1)
    stalled = of(t.Broadcast, late.fire(t.TimerKind.STALL))
    request = next(a.message for a in stalled if a.message.HasField("catch_up"))
    answers = of(t.Send, bench.step(t.MessageReceived(request, "late")))
    assert {answer.peer for answer in answers} == {"late"}
    for answer in answers:
        late.step(t.MessageReceived(answer.message, 0, account(0)))
    assert late.core.view == 2
    assert bench.step(t.MessageReceived(request, "late")) == []

    bench.receive(bench.certificate(1, FINALIZE, header_hash(closing.header)))
    answers = of(t.Send, bench.step(t.MessageReceived(request, "late")))
    assert answers[0].message.certificate.kind == FINALIZE

    later = bench.certificate(1, NULLIFY)
    later.epoch = 3
    hints = of(t.NeedSync, bench.receive(later, 1))
    assert hints == [t.NeedSync(1, 3)]


def test_sync_moves_the_core() -> None:
    bench = Bench()
    block = bench.block(1)
    block_hash = header_hash(block.header)
    assert of(t.NeedSync, bench.receive(bench.certificate(4, FINALIZE, block_hash)))
    assert bench.core.view == 5
    final = t.FinalBlock(block_hash, 1, bench.certificate(4, FINALIZE, block_hash))
    actions = bench.step(t.Synced(final, bench.info))
    assert of(t.Final, actions) == []
    assert of(t.Build, actions) == [t.Build(1, 5, block_hash)]
    assert bench.core.final_number == 1
    epoch = bench.chain.info(7, b"7" * 32, 40)
    closing = Certificate(epoch=6, view=3, kind=FINALIZE, block_hash=b"7" * 32)
    bench.step(t.Synced(t.FinalBlock(b"7" * 32, 40, closing), epoch))
    assert (bench.core.epoch.epoch, bench.core.view, bench.core.final_number) == (7, 1, 40)


def test_sync_to_an_ancestor_of_the_certified_block_leaves_the_rest_to_do() -> None:
    bench = Bench()
    first = bench.block(1)
    second = bench.block(2, first.header)
    certificate = bench.certificate(2, FINALIZE, header_hash(second.header))
    final = t.FinalBlock(header_hash(first.header), 1, certificate)
    actions = bench.step(t.Synced(final, bench.info))
    assert of(t.NeedSync, actions)
    assert bench.core.view == 3
    # A restart at this point knows as much, and never votes below the certificate's view.
    again = Core(
        scheme=bench.schemes[0],
        timing=TIMING,
        genesis_hash=GENESIS_HASH,
        epoch=bench.info,
        final=final,
    )
    assert again.view == 3
    bench.core = again
    bench.step(t.Started())
    parent = bench.certificate(1, NOTARIZE, header_hash(first.header))
    bench.receive(bench.propose(2, second, parent))
    assert of(t.Final, bench.execute())[0].number == 2
    assert votes(bench.actions) == []


def test_junk_is_refused_and_takes_no_room() -> None:
    bench = Bench()
    vote = bench.vote(1, 1, NULLIFY)
    for field, value in (("validator", 4), ("signature", b"short"), ("block_hash", b"x"), ("kind", 9)):
        wrong = bench.vote(1, 1, NULLIFY)
        setattr(wrong, field, value)
        assert of(t.Blame, bench.receive(wrong, 1)), field
    far = bench.vote(1, 2 + VIEWS_AHEAD, NULLIFY)
    assert bench.receive(far, 1) == []
    assert bench.core._state.votes.views() == []
    bench.receive(vote, 1)
    assert bench.core._state.votes.views() == [1]


def test_timers_double_with_views_that_do_not_become_final_and_fall_back() -> None:
    bench = Bench()

    def view_timer() -> int:
        timers = [timer for timer in of(t.SetTimer, bench.actions) if timer.timer.kind is t.TimerKind.VIEW]
        assert timers[-1].timer.view == bench.core.view
        return timers[-1].delay_ms

    delays = [view_timer()]
    for view in range(1, 8):
        bench.receive(bench.certificate(view, NULLIFY))
        delays.append(view_timer())
    assert delays == [2000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    block = bench.block(8)
    nullifications = [bench.certificate(view, NULLIFY) for view in range(1, 8)]
    bench.receive(bench.propose(8, block, None, nullifications))
    bench.execute()
    bench.receive(bench.certificate(8, FINALIZE, header_hash(block.header)))
    assert view_timer() == 2000


def test_four_real_keys_agree() -> None:
    keys = sorted((Keypair(bytes([seed]) * 32) for seed in range(4)), key=lambda key: key.public)
    bench = Bench(0, schemes=[Ed25519Scheme(key) for key in keys])
    real = t.EpochInfo(1, tuple(key.public for key in keys), (), bench.opening, 0)
    bench.info = real
    bench.core = Core(
        scheme=bench.schemes[0],
        timing=TIMING,
        genesis_hash=GENESIS_HASH,
        epoch=real,
        final=t.FinalBlock(bench.opening, 0, None),
    )
    bench.step(t.Started())
    block = bench.block(1)
    notarized(bench, block)
    certificate = bench.certificate(1, FINALIZE, header_hash(block.header))
    assert of(t.Final, bench.receive(certificate))
