"""The reward for contributions in whole rounds: what attesters measure, whom it pays, what it costs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pallets.aggregation.fixed_point import fedavg, read_model, write_model
from pallets.aggregation.rewards import contribution
from pallets.offchain_protocols import Trained
from pallets.offchain_round import miners_of
from pocl.extrinsics import u128_int
from pocl.hashing import ZERO_HASH
from pocl.v1.rounds_service_pb2 import RoundView
from tests.pallets.aggregation.test_rules import EXAMPLES
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, VALIDATORS
from tests.round_network import RoundNetwork
from tests.small_learner import CLASSES, DIMENSIONS, SmallLearner

RECORDS = 20


class Inflated(SmallLearner):
    """Trains a single step, just enough for no free ride, and adds noise to look like much work."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, steps=1)

    def train(self, global_model: bytes, round: int, deadline: Callable[[], bool]) -> Trained:
        trained = super().train(global_model, round, deadline)
        tensors = dict(read_model(trained.weights))
        noise = np.random.default_rng(5).normal(scale=1.0, size=(DIMENSIONS, CLASSES))
        tensors["kernel"] = tensors["kernel"] + noise.astype(np.float32)
        return Trained(write_model(tensors), trained.sample_count, trained.local_accuracy)


def correct(network: RoundNetwork, view: RoundView, model: bytes, but: bytes) -> int:
    """Count labels that a model has right on counted owners' records, those of one left out."""
    learner, miners, blobs = network.learners[ALICE], miners_of(view), network.nodes[ALICE].blobs
    return sum(
        given == true
        for owner in view.tally.counted_owners
        if owner != but
        for given, true in zip(
            learner.predict(model, blobs[miners[owner].proposal.records_hash].data),
            miners[owner].ballot.labels,
            strict=True,
        )
    )


@pytest.mark.parametrize("winners", [1, 3])
def test_every_attester_measures_what_the_model_loses_without_each_winner(winners: int) -> None:
    network = RoundNetwork(reward="contribution", winners=winners)
    network.run_round()
    view = network.view
    blobs, miners = network.nodes[ALICE].blobs, miners_of(view)
    weights = {winner: blobs[miners[winner].reveal.weights_hash].data for winner in view.summary.winners}
    assert len(weights) == winners
    expected = []
    for winner in view.summary.winners:
        others = [weights[other] for other in weights if other != winner]
        without = fedavg(others) if others else network.learners[ALICE].initial_model()
        counts = [
            correct(network, view, model, winner) for model in (fedavg(list(weights.values())), without)
        ]
        owners = len(set(view.tally.counted_owners) - {winner})
        expected.append(contribution(*counts, owners * RECORDS))
    assert any(expected)
    for miner in view.miners:
        assert [measure.contribution for measure in miner.attestation.measures] == expected
    assert network.refused == []


def test_noise_that_pays_under_weight_difference_does_not_as_a_contribution() -> None:
    def shares(reward: str) -> tuple[int, list[int]]:
        network = RoundNetwork(
            learners={DAVE: Inflated(3)}, reward=reward, winners=4, base_share_bp=0, voting="borda"
        )
        paid = {share.miner: u128_int(share.amount) for share in network.run_round().rewards}
        return paid.pop(DAVE.public), list(paid.values())

    inflated, honest = shares("weight_difference")
    assert inflated > max(honest)
    inflated, honest = shares("contribution")
    assert inflated < min(honest)


def test_it_costs_one_model_more_than_there_are_winners() -> None:
    def predicted(reward: str) -> int:
        network = RoundNetwork(reward=reward, winners=3)
        network.run_round()
        return max(sum(network.learners[key].predict_calls) for key in VALIDATORS)

    assert predicted("contribution") - predicted("accuracy") <= (3 + 1) * len(VALIDATORS) * RECORDS


def test_contributions_are_those_to_the_chains_own_rule() -> None:
    network = RoundNetwork(
        reward="contribution", winners=3, aggregation="fedavgm", aggregation_parameters=EXAMPLES["fedavgm"]
    )
    for number in (1, 2):
        summary = network.run_round()
        assert summary.previous_model == ZERO_HASH or number == 2
        measured = {
            tuple(measure.contribution for measure in miner.attestation.measures)
            for miner in network.view.miners
        }
        assert len(measured) == 1
    assert all(network.nodes[key].errors == [] for key in (ALICE, BOB, CHARLIE, DAVE))
