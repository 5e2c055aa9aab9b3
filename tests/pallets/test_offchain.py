"""The off-chain halves: what they do once, what they do again, what they wait for and what they give up."""

from __future__ import annotations

from collections import Counter

import pytest

from pallets.model_propose.offchain import committed, own_proposal
from pallets.offchain import BlobUnavailable, InvalidWeights, Miner
from pallets.offchain_round import RoundWork, miners_of
from pocl.hashing import ZERO_HASH
from pocl.v1.aggregation_pb2 import OK
from pocl.v1.round_pb2 import AGGREGATE, AUDIT, PREDICT, REVEAL, SETTLED, TRAIN, VOTE, RoundEvent
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.worker_service_pb2 import AFTER_REVEAL, AFTER_TRAIN, PUBLIC
from tests import adversaries
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, VALIDATORS
from tests.round_network import RoundNetwork
from tests.small_learner import SmallLearner

RECORDS = 20


class CountingLearner(SmallLearner):
    """Counts its trainings; the first ones fail if told so."""

    def __init__(self, seed: int, *, failures: int = 0) -> None:
        super().__init__(seed)
        self.trainings = 0
        self.failures = failures

    def train(self, *args):
        self.trainings += 1
        if self.trainings <= self.failures:
            raise InvalidWeights("the model diverged")
        return super().train(*args)


def counting() -> dict:
    return {key: CountingLearner(seed) for seed, key in enumerate(VALIDATORS)}


def in_phase(phase: int):
    return lambda view: view.state.phase == phase


def test_a_worker_may_be_restarted_after_every_block():
    undisturbed = RoundNetwork().run_round()
    learners = counting()
    network = RoundNetwork(learners=learners)
    while not network.view.HasField("summary"):
        network.block()
        for key in VALIDATORS:
            network.restart(key)
            network.miners[key].step(network.view)
    summary = network.view.summary
    assert (summary.winners, summary.global_model) == (undisturbed.winners, undisturbed.global_model)
    assert network.refused == []
    assert [learner.trainings for learner in learners.values()] == [1, 1, 1, 1]


def test_nothing_is_computed_twice_in_a_round():
    learners = counting()
    network = RoundNetwork(learners=learners)
    while not network.view.HasField("summary"):
        network.block()
        for miner in network.miners.values():
            miner.step(network.view)  # the same view once more
    winners = list(network.view.tally.provisional)
    for key, learner in learners.items():
        others_that_won = [winner for winner in winners if winner != key.public]
        # The own model on three owners, another winner's on the three that it is not, the starting one: all.
        assert Counter(learner.predict_calls) == Counter(
            [3 * RECORDS] * (1 + len(others_that_won)) + [4 * RECORDS]
        )
        assert learner.trainings == 1


def test_old_views_do_no_harm():
    """A worker that lagged behind tries what is over: it is refused, and nobody is told of an error."""
    network = RoundNetwork()
    seen: list[RoundView] = []
    network.hold(DAVE)
    while not network.view.HasField("summary"):
        network.block()
        seen.append(network.view)
    for view in seen:
        network.miners[DAVE].step(view)
    network.run_until(lambda view: view.round == 2)
    for view in seen:
        network.miners[DAVE].step(view)
    assert {label for _, label in network.refused} == {"round.WrongPhase", "stale"}
    assert network.nodes[DAVE].errors == []


def test_a_miner_that_missed_everything_audits_attests_and_is_back_in_the_next_round():
    network = RoundNetwork()
    network.hold(DAVE)
    network.run_until(in_phase(VOTE))
    network.release(DAVE)
    # It takes two to confirm a winner: Alice and Dave, for the others look away.
    network.hold(BOB)
    network.hold(CHARLIE)
    network.run_until(in_phase(AGGREGATE))
    dave = miners_of(network.view)[DAVE.public]
    assert not dave.HasField("proposal")
    assert [verdict.verdict for verdict in dave.audit.verdicts] == [OK, OK]
    network.release(BOB)
    assert DAVE.public in network.run_round().attesters
    network.release(CHARLIE)
    network.run_until(lambda view: view.round == 2 and view.state.phase == PREDICT)
    assert miners_of(network.view)[DAVE.public].HasField("proposal")
    assert DAVE.public in {event.miner for event in network.events(RoundEvent.MinerReady)}


def test_a_lone_miner_settles_its_rounds():
    network = RoundNetwork(keys=(ALICE,), winners=1, min_miners=1)
    for _ in range(2):
        summary = network.run_round()
        assert summary.outcome == SETTLED, summary.void_reason
        assert list(summary.winners) == [ALICE.public]
    assert network.refused == []


def test_a_miner_whose_files_are_lost_stays_silent_instead_of_opening_wrongly():
    network = RoundNetwork()
    network.run_until(in_phase(PREDICT))
    network.nodes[DAVE].files.clear()
    # Its commit was made in the step on this very view; what cannot be opened any more is not tried.
    summary = network.run_round()
    assert summary.outcome == SETTLED
    assert DAVE.public not in summary.winners
    assert not miners_of(network.view)[DAVE.public].HasField("reveal")
    assert network.refused == []


def test_what_another_machine_with_the_same_key_proposed_is_not_opened_here():
    network = RoundNetwork()
    network.run_until(in_phase(PREDICT))
    node = network.nodes[DAVE]
    own = committed(node, network.view)
    assert own == own_proposal(node, 1)
    # The chain has the proposal of one machine, the files are another's.
    own.proposal.weights_commitment = bytes(32)
    node.keep(1, "proposal", own.proposal.SerializeToString(deterministic=True))
    assert committed(node, network.view) is None


def test_records_and_weights_are_published_each_for_its_phase():
    network = RoundNetwork()
    network.run_until(in_phase(PREDICT))
    for node in network.nodes.values():
        own = own_proposal(node, 1)
        assert node.blobs[own.proposal.records_hash].visibility == AFTER_TRAIN
        assert node.blobs[own.weights_hash].visibility == AFTER_REVEAL


def test_a_global_model_that_is_missing_comes_from_the_others():
    network = RoundNetwork()
    network.run_round()
    network.nodes[DAVE].blobs.clear()
    summary = network.run_round()
    assert summary.previous_model != ZERO_HASH
    assert summary.previous_model in network.nodes[DAVE].blobs
    assert miners_of(network.view)[DAVE.public].HasField("reveal")
    assert network.refused == []


def test_records_are_asked_for_until_half_of_the_phase_is_over_and_then_marked():
    network = RoundNetwork({CHARLIE: adversaries.records_for_nobody})
    asked: list[int] = []
    honest = network.nodes[CHARLIE].answer
    network.nodes[CHARLIE].answer = lambda data, asker: (
        asked.append(network.view.state.phase_clock_ms) or honest(data, asker)
        if asker == ALICE.public and network.view.state.phase == PREDICT
        else honest(data, asker)
    )
    network.run_until(in_phase(PREDICT))
    half = network.view.config.predict_ms // 2
    network.run_until(lambda view: (ALICE, "prediction", "commit", 1) in network.pool)
    assert len(asked) >= 2, "it did not ask again"
    assert max(asked) < half <= network.view.state.phase_clock_ms
    network.run_until(in_phase(REVEAL))
    owners = sorted(key.public for key in VALIDATORS)
    mark = 1 << owners.index(CHARLIE.public)
    assert miners_of(network.view)[ALICE.public].commit.unavailable == bytes([mark])


def test_bytes_that_do_not_have_the_name_are_not_the_blob():
    """The halves check it themselves, whatever the way to the node lets through."""
    network = RoundNetwork()
    honest = network.nodes[DAVE].fetch_blob
    network.nodes[DAVE].fetch_blob = lambda *request: honest(*request) + b"x"
    work = RoundWork(network.nodes[DAVE], network.learners[DAVE])
    name = network.nodes[DAVE].put_blob(b"data", 1, PUBLIC)
    with pytest.raises(BlobUnavailable):
        work.blob(name, 100, b"")
    network.nodes[DAVE].fetch_blob = honest
    assert work.blob(name, 100, b"") == b"data"
    with pytest.raises(BlobUnavailable):
        RoundWork(network.nodes[DAVE], network.learners[DAVE]).blob(name, 3, b"")


def test_measures_are_reported():
    network = RoundNetwork()
    network.run_round()
    for node in network.nodes.values():
        report = node.reports[1]
        assert report["state"] == "idle"
        assert all(report[name] > 0 for name in ("train_ms", "predict_ms", "audit_ms", "aggregate_ms"))
        assert report["global_accuracy"] > 0.9
        assert 0 <= report["local_accuracy"] <= 1
        assert node.errors == []


def test_what_fails_is_reported_and_tried_again():
    learners = counting()
    learners[DAVE] = CountingLearner(3, failures=2)
    network = RoundNetwork(learners=learners)
    summary = network.run_round()
    assert network.nodes[DAVE].errors == ["the model diverged"] * 2
    assert learners[DAVE].trainings == 3
    assert miners_of(network.view)[DAVE.public].HasField("proposal")
    assert summary.outcome == SETTLED


@pytest.mark.parametrize("phase", [TRAIN, PREDICT, REVEAL, VOTE, AUDIT, AGGREGATE])
def test_whoever_disappears_in_a_phase_does_not_stop_the_round(phase):
    network = RoundNetwork()
    network.run_until(in_phase(phase))
    network.pool = {place: data for place, data in network.pool.items() if place[0] != BOB}
    network.hold(BOB)
    summary = network.run_round()
    assert summary.outcome == SETTLED, summary.void_reason
    # Its models and records are still served: from AUDIT on it can win without lifting a finger.
    assert BOB.public not in summary.winners or phase in (AUDIT, AGGREGATE)
    assert [who for who, _ in network.refused if who != BOB] == []


def test_a_miner_outside_the_round_does_nothing():
    network = RoundNetwork()
    network.run_until(in_phase(TRAIN))
    stranger = Miner(network.nodes[ALICE], SmallLearner(7))
    stranger.work.account = bytes(32)
    network.nodes[ALICE].account = bytes(32)
    network.pool.clear()
    stranger.step(network.view)
    assert network.pool == {}
