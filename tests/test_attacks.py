"""Four miners, one of them dishonest: it is refused with a named error or disqualified with an event, it
never wins, and the round settles without it. The real runtime, the real off-chain halves, one process."""

from __future__ import annotations

import pytest

from pallets.offchain import Miner
from pallets.offchain_round import miners_of
from pocl.v1.aggregation_pb2 import MISMATCH, UNAVAILABLE, AggregationEvent
from pocl.v1.round_pb2 import SETTLED, TRAIN, RoundEvent
from tests import adversaries
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, GRACE
from tests.round_network import Adversary, RoundNetwork
from tests.small_learner import LINEAR, MIRRORED, SmallLearner

HONEST = (ALICE, BOB, DAVE)


def network_with(
    adversary: Adversary, *, kind: str = LINEAR, strong: bool = True, winners: int = 2
) -> RoundNetwork:
    """Return a network in which Charlie is the adversary; `strong`: its model would be the best."""
    learners = {key: SmallLearner(seed, kind=kind, samples=120) for seed, key in enumerate(HONEST)}
    learners[CHARLIE] = SmallLearner(9, kind=kind, samples=1000, steps=200 if strong else 0)
    return RoundNetwork({CHARLIE: adversary}, learners=learners, winners=winners)


def assert_settled_without_charlie(network: RoundNetwork) -> None:
    """Check that the round settled, that Charlie has nothing of it, and that the next round can begin."""
    summary = network.view.summary
    assert summary.outcome == SETTLED, summary.void_reason
    assert summary.winners
    assert CHARLIE.public not in summary.winners
    assert CHARLIE.public not in {reward.miner for reward in summary.rewards}
    assert not [who for who, _ in network.refused if who in HONEST], "an honest miner was refused"
    assert set(summary.attesters) >= {key.public for key in HONEST}
    model = summary.global_model
    network.run_until(lambda view: view.state.phase == TRAIN and view.state.global_model == model)


def refusals(network: RoundNetwork) -> set[str]:
    """Return the errors with which Charlie was refused."""
    return {label for who, label in network.refused if who == CHARLIE}


def paid(network: RoundNetwork, winner: bytes) -> int:
    """Return a winner's reward."""
    rewards = {reward.miner: reward.amount for reward in network.view.summary.rewards}
    return int.from_bytes(rewards[winner], "big")


@pytest.mark.parametrize(
    ("adversary", "error"),
    [
        (adversaries.copier, "prediction.InvalidPredictions"),
        (adversaries.adjusting_copier, "prediction.CommitmentMismatch"),
        (adversaries.other_weights_revealed, "prediction.CommitmentMismatch"),
        (adversaries.false_labels, "vote.LabelsMismatch"),
        (adversaries.false_ballot, "vote.FalseBallot"),
    ],
)
def test_what_is_false_on_its_face_is_refused(adversary, error):
    network = network_with(adversary)
    network.run_round()
    assert refusals(network) == {error}
    assert_settled_without_charlie(network)


def test_a_second_proposal_is_refused_and_the_first_one_stands():
    network = network_with(adversaries.second_proposal, strong=False)
    # Somebody that TRAIN waits for keeps it open long enough to try.
    network.hold(DAVE)
    network.run_until(lambda view: refusals(network) != set())
    first = miners_of(network.view)[CHARLIE.public].proposal
    network.release(DAVE)
    network.run_round()
    assert refusals(network) == {"model_propose.AlreadyProposed"}
    assert miners_of(network.view)[CHARLIE.public].proposal == first
    assert_settled_without_charlie(network)


@pytest.mark.parametrize(
    ("adversary", "kind", "reason"),
    [
        (adversaries.nearest_neighbour, MIRRORED, MISMATCH),
        (adversaries.nan_weights, LINEAR, MISMATCH),
        (adversaries.another_size_promised, LINEAR, MISMATCH),
        (adversaries.weights_for_nobody, LINEAR, UNAVAILABLE),
        (adversaries.other_bytes_for_weights, LINEAR, UNAVAILABLE),
    ],
)
def test_a_model_that_is_not_what_it_seems_falls_to_the_audit(adversary, kind, reason):
    network = network_with(adversary, kind=kind)
    network.run_round()
    # It stood among the first: without the audit it would have won.
    assert CHARLIE.public in network.view.tally.provisional
    assert [
        (event.winner, event.reason) for event in network.events(AggregationEvent.WinnerDisqualified)
    ] == [(CHARLIE.public, reason)]
    assert refusals(network) == set()
    assert_settled_without_charlie(network)


def test_a_nearest_neighbour_cheat_loses_where_training_pays():
    network = network_with(adversaries.nearest_neighbour)
    network.learners[CHARLIE] = SmallLearner(9, samples=120)
    network.restart(CHARLIE)
    network.run_round()
    assert CHARLIE.public not in network.view.tally.provisional
    assert_settled_without_charlie(network)


@pytest.mark.parametrize("adversary", [adversaries.records_for_nobody, adversaries.malformed_records])
def test_an_owner_whose_records_cannot_be_had_is_removed(adversary):
    network = network_with(adversary)
    network.run_round()
    assert [event.owner for event in network.events(RoundEvent.OwnerUnavailable)] == [CHARLIE.public]
    assert_settled_without_charlie(network)


def test_a_winner_that_predicted_nothing_has_nothing_to_show():
    # Not ranked by anybody, it stands in the middle: the third place is its.
    network = network_with(adversaries.deaf, winners=3)
    network.run_round()
    assert not network.events(RoundEvent.OwnerUnavailable), "one mark removes nobody"
    assert CHARLIE.public in network.view.tally.provisional
    (disqualified,) = network.events(AggregationEvent.WinnerDisqualified)
    assert (disqualified.winner, disqualified.reason) == (CHARLIE.public, MISMATCH)
    assert_settled_without_charlie(network)


@pytest.mark.parametrize("adversary", [adversaries.weights_for_one, adversaries.records_for_one])
def test_what_is_served_to_one_is_passed_on_to_all(adversary):
    """Serving to some only cannot split the honest ones: who has a blob serves it, so all come to the same end."""
    network = network_with(adversary)
    summary = network.run_round()
    assert summary.outcome == SETTLED
    assert not network.events(RoundEvent.OwnerUnavailable)
    assert not network.events(AggregationEvent.WinnerDisqualified)
    assert len(summary.attesters) == 4
    assert network.refused == []


def test_a_false_tag_is_named_and_costs_the_reward():
    network = network_with(adversaries.false_tags)
    summary = network.run_round()
    assert [event.auditor for event in network.events(AggregationEvent.FalseTag)] == [CHARLIE.public]
    assert CHARLIE.public in summary.winners
    assert paid(network, CHARLIE.public) == 0
    assert all(paid(network, winner) for winner in summary.winners if winner != CHARLIE.public)


def test_two_of_seven_attack_together():
    network = RoundNetwork(
        {CHARLIE: adversaries.nearest_neighbour, EVE: adversaries.nan_weights},
        keys=(ALICE, BOB, CHARLIE, DAVE, EVE, FERDIE, GRACE),
        winners=3,
    )
    summary = network.run_round()
    assert summary.outcome == SETTLED
    assert not {CHARLIE.public, EVE.public} & set(summary.winners)
    assert len(summary.winners) >= 1


def test_the_same_network_without_an_adversary():
    """Proves the harness: nobody is refused, disqualified or removed, and the strong miner wins."""
    network = network_with(Miner)
    summary = network.run_round()
    assert CHARLIE.public in summary.winners
    assert len(summary.winners) == 2
    assert network.refused == []
    assert all(paid(network, winner) for winner in summary.winners)
