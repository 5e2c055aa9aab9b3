"""Whole rounds with scripted miners."""

from __future__ import annotations

import pytest

from pallets.aggregation import Aggregation
from pallets.coin import Coin
from pallets.commitments import KINDS
from pallets.round import Round
from pallets.round.closing import leader_order
from pallets.round.errors import NotMiner, WrongRound
from pallets.round.view import books
from pallets.round.work import needs_block
from pallets.system import System
from pallets.validators import Validators
from pocl.extrinsics import u128, u128_int
from pocl.hashing import ZERO_HASH, blob_name, hash256
from pocl.v1.coin_pb2 import CoinCall, CoinEvent
from pocl.v1.round_pb2 import SETTLED, TRAIN, VOID, RoundCall, RoundEvent
from runtime.codec import encode
from runtime.frame import Origin
from tests.pallets.harness import ALICE, BOB, RICH
from tests.pallets.round.scripted import EMISSION, Scripted


@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_whole_round_of_honest_miners_settles(count: int) -> None:
    rounds = Scripted(count, winners=min(2, count))
    issuance = rounds.chain.pallet(Coin).TotalIssuance.get()
    rounds.play()
    assert rounds.phase == "PHASE_NONE"
    summary = rounds.summary(1)
    assert summary.outcome == SETTLED
    assert list(summary.winners) == rounds.accounts[: min(2, count)]
    assert summary.previous_model == ZERO_HASH
    assert summary.global_model == blob_name(rounds.model())
    assert rounds.chain.pallet(Aggregation).global_model() == summary.global_model
    assert list(summary.attesters) == rounds.accounts
    paid = {reward.miner: u128_int(reward.amount) for reward in summary.rewards}
    assert EMISSION - len(paid) <= sum(paid.values()) <= EMISSION
    assert rounds.chain.pallet(Coin).TotalIssuance.get() == issuance + sum(paid.values())
    assert all(rounds.chain.pallet(System).account(m).free == u128(amount) for m, amount in paid.items())
    # One block to open it, one for each of the six steps.
    assert (summary.started_block, summary.ended_block) == (1, 7)
    change = rounds.chain.head.header.next_epoch
    assert change.epoch == 2
    assert list(change.leaders) == leader_order(change.seed, summary.winners)


def test_rounds_follow_each_other_with_new_seeds_and_models() -> None:
    rounds = Scripted(4)
    seeds = []
    for number in (1, 2, 3):
        before = rounds.chain.pallet(Aggregation).global_model()
        rounds.open()
        state = rounds.state
        assert (state.round, rounds.chain.head.header.epoch) == (number, number)
        assert (state.global_model, state.seed) == (before, rounds.chain.pallet(Validators).seed)
        seeds.append(state.seed)
        rounds.steps("propose")
    assert len(set(seeds)) == 3


def test_the_next_seed_is_drawn_from_the_salts_that_were_revealed() -> None:
    def seed_after(changed: str) -> bytes:
        rounds = Scripted(4)
        honest = rounds.salt
        rounds.salt = lambda who, kind: honest(who, kind + "!" * (kind == changed))  # type: ignore[method-assign]
        rounds.play()
        return rounds.chain.pallet(Validators).seed

    seeds = [seed_after(kind) for kind in ("none", *KINDS)]
    assert seeds[0] == seed_after("none")
    assert len(set(seeds)) == 4, "other salts of one kind, same models, same blocks: another seed"


def test_winners_settle_their_transfers_and_the_others_return() -> None:
    rounds = Scripted(4, transfers_per_miner=1)
    chain = rounds.chain
    for amount in (100, 200, 300, 400):
        transfer = CoinCall.Transfer(dest=BOB.public, amount=u128(amount))
        chain.block(chain.sign(ALICE, "coin", "transfer", transfer))
    assert rounds.phase == "TRAIN", "the first block opened round 1, before there was a transfer to deal"
    rounds.steps("propose")
    rounds.open()
    dealt = {a.miner: [(r.start, r.end) for r in a.ranges] for a in rounds.view().assignments.assignments}
    assert dealt == {miner: [(place, place + 1)] for place, miner in enumerate(rounds.accounts)}
    rounds.steps("propose")
    assert needs_block(chain.runtime.bind(chain.state), chain.head.header.timestamp_ms)
    rounds.open()
    settled = chain.events(CoinEvent.TransferSettled)
    assert [(event.index, event.miner) for event in settled] == [
        (0, rounds.accounts[0]),
        (1, rounds.accounts[1]),
    ]
    assert chain.pallet(System).account(BOB.public).free == u128(RICH + 300)
    assert rounds.view().assignments.assignments[0].ranges[0].start == 2, (
        "the oldest that returned comes first"
    )


def test_a_phase_goes_on_to_its_deadline_and_until_two_authors_came_after_it() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.all("propose", but=[3])
    same = rounds.miners[0]
    for _ in range(11):
        rounds.send(author=same)
    assert rounds.state.phase_clock_ms == 12_000
    assert rounds.phase == "TRAIN", "one author alone cannot end the phase"
    assert rounds.refused(rounds.propose(3)) == "", "until it ends, its calls are accepted"
    rounds.send(author=rounds.miners[1])
    assert rounds.phase == "PREDICT"
    (event,) = rounds.chain.events(RoundEvent.PhaseChanged)
    assert not event.early
    assert rounds.state.phase_clock_ms == 0


def test_a_phase_ends_early_in_the_block_of_the_last_delivery() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.all("propose", but=[2])
    assert rounds.phase == "TRAIN"
    rounds.send(rounds.propose(2))
    assert rounds.phase == "PREDICT"
    (event,) = rounds.chain.events(RoundEvent.PhaseChanged)
    assert event.early


def test_an_outage_does_not_eat_a_phase() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.send(after_ms=3_600_000)
    assert rounds.state.phase_clock_ms == 2000, "an hour counts as two heartbeats"
    rounds.send(after_ms=500)
    assert rounds.state.phase_clock_ms == 2500


def test_a_miner_that_did_not_deliver_is_not_waited_for_unless_it_is_ready() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.all("propose", but=[3])
    rounds.wait("PREDICT")
    rounds.steps("commit", but=[3])
    assert rounds.summary(1).outcome == SETTLED
    rounds.open()
    assert list(rounds.state.expected) == rounds.accounts[:3]
    assert rounds.refused(rounds.ready(0)) == "round.AlreadyReady"
    rounds.send(rounds.ready(3))
    assert list(rounds.state.expected) == rounds.accounts
    assert rounds.view().miners[3].ready
    rounds.all("propose", but=[3])
    assert rounds.phase == "TRAIN"
    rounds.send(rounds.propose(3))
    assert rounds.phase == "PREDICT"


def test_train_does_not_end_early_with_fewer_than_f_plus_1_proposals() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.send(rounds.propose(0))
    rounds.wait("PREDICT")
    rounds.steps("commit", but=[1, 2, 3])
    rounds.open()
    assert list(rounds.state.expected) == rounds.accounts[:1]
    rounds.send(rounds.propose(0))
    assert rounds.phase == "TRAIN"
    rounds.send(rounds.propose(2))
    assert rounds.phase == "PREDICT"


def _silence(rounds: Scripted, after: str | None) -> None:
    """Play to the end of a step, then let nobody say anything until the round is over."""
    if after is None:
        rounds.open()
    else:
        rounds.play(after)
    rounds.wait("PHASE_NONE", blocks=60)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (None, "fewer proposals than min_miners"),
        ("propose", "nobody whose records could be had committed predictions"),
        ("commit", "nobody opened its commitments"),
        ("reveal", "nobody cast a ballot"),
        ("cast", "no provisional winner passed the audit"),
        ("audit", "no quorum attested one global model in time"),
    ],
)
def test_a_round_that_gets_stuck_is_void_and_the_next_one_starts(after: str | None, reason: str) -> None:
    rounds = Scripted(4)
    chain = rounds.chain
    _silence(rounds, after)
    (event,) = chain.events(RoundEvent.RoundVoid)
    assert event.reason == reason
    summary = rounds.summary(1)
    assert (summary.outcome, summary.void_reason) == (VOID, reason)
    assert not summary.winners
    assert not summary.rewards
    assert summary.global_model == summary.previous_model == ZERO_HASH
    change = chain.head.header.next_epoch
    assert change.epoch == 2
    assert list(change.leaders) == leader_order(change.seed, rounds.accounts)
    rounds.open()
    assert (rounds.state.round, rounds.phase) == (2, "TRAIN")


def test_a_void_round_settles_no_transfer() -> None:
    rounds = Scripted(4)
    chain = rounds.chain
    transfer = CoinCall.Transfer(dest=BOB.public, amount=u128(100))
    chain.block(chain.sign(ALICE, "coin", "transfer", transfer))
    rounds.steps("propose")
    rounds.open()
    assert rounds.view().assignments.assignments[0].ranges, "it is dealt"
    before = chain.pallet(System).account(BOB.public)
    rounds.wait("PHASE_NONE")
    assert rounds.summary(2).outcome == VOID
    rounds.open()
    assert not chain.pallet(Coin).payouts_pending()
    assert chain.pallet(System).account(BOB.public) == before
    assert rounds.view().assignments.assignments[0].ranges[0].start == 0, "it waits at its old place"


def test_below_min_miners_the_round_is_void() -> None:
    rounds = Scripted(4, min_miners=3)
    rounds.open()
    rounds.send(rounds.propose(0), rounds.propose(1))
    rounds.wait("PHASE_NONE")
    assert rounds.summary(1).void_reason == "fewer proposals than min_miners"
    rounds.open()
    assert list(rounds.state.expected) == rounds.accounts[:2], "who proposed had done its part"


def test_calls_are_refused_out_of_their_phase_round_and_miners() -> None:
    rounds = Scripted(4)
    rounds.open()
    assert rounds.refused(rounds.commit(0, commitment=bytes(32))) == "round.WrongPhase"
    rounds.all("propose")
    assert rounds.refused(rounds.propose(0)) == "round.WrongPhase"
    assert rounds.refused(rounds.ready(0)) == "round.WrongPhase"
    past = rounds.chain.sign(rounds.miners[0], "round", "ready", RoundCall.Ready(), round=0)
    assert rounds.chain.refusal(past).code == "stale"
    foreign = rounds.chain.sign(ALICE, "round", "ready", RoundCall.Ready(), round=1)
    assert rounds.chain.refusal(foreign).code == "not_validator"


def test_the_executives_checks_of_round_and_signer_are_the_rounds_own_too() -> None:
    rounds = Scripted(4)
    rounds.open()
    pallet = rounds.chain.pallet(Round)
    with pytest.raises(WrongRound):
        pallet.require(Origin(rounds.accounts[0], 2), TRAIN)
    with pytest.raises(NotMiner):
        pallet.require(Origin(ALICE.public, 1), TRAIN)


def test_older_rounds_leave_a_digest_of_their_books() -> None:
    rounds = Scripted(4, keep_rounds=2)
    rounds.play()
    kept = rounds.view(1)
    rounds.play()
    assert not rounds.summary(1).digest
    rounds.play()
    old = rounds.view(1)
    assert not old.miners
    assert not old.HasField("tally")
    assert old.HasField("summary")
    for field in ("config", "state", "assignments", "summary", "at_block", "at_block_hash"):
        kept.ClearField(field)
    assert rounds.summary(1).digest == hash256("pocl/books/1", encode(kept))
    assert rounds.view(2).miners[0].HasField("attestation")
    prefix = b"prediction.Reveals:" + (1).to_bytes(8, "big")
    assert not list(rounds.chain.state.iterate(prefix))


def test_the_view_shows_what_everybody_delivered() -> None:
    rounds = Scripted(4)
    assert rounds.view().round == 0
    with pytest.raises(KeyError):
        rounds.view(1)
    rounds.play("commit")
    view = rounds.view()
    assert (view.round, view.state, view.config.winners) == (1, rounds.state, 2)
    assert [miner.miner for miner in view.miners] == rounds.accounts
    assert all(miner.HasField("commit") and not miner.HasField("reveal") for miner in view.miners)
    assert (view.at_block, view.at_block_hash) == (rounds.chain.head.header.number, rounds.chain.head.hash)
    rounds.steps("reveal")
    view = rounds.view()
    assert view.summary == rounds.summary(1)
    assert view.HasField("tally")
    assert list(view.confirmed.winners) == rounds.accounts[:2]
    rounds.open()
    assert not rounds.view(1).HasField("state"), "the state is the current round's"
    assert books(rounds.chain.runtime.bind(rounds.chain.state), 1).tally == view.tally
    with pytest.raises(KeyError):
        rounds.view(3)


def test_a_block_is_due_at_once_when_it_would_do_something() -> None:
    rounds = Scripted(4)

    def due(after_ms: int) -> bool:
        pallets = rounds.chain.runtime.bind(rounds.chain.state)
        return needs_block(pallets, rounds.chain.head.header.timestamp_ms + after_ms)

    assert due(1), "there is a round to open"
    rounds.open()
    assert not due(1000)
    while rounds.state.phase_clock_ms < 9000:
        rounds.send()
    assert not due(999)
    assert due(1000), "the deadline is over"
