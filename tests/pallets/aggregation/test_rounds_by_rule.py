"""Whole rounds under every aggregation rule, and the server state on the chain: attested, served, lost, given up."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.aggregation import Aggregation
from pallets.aggregation.rules import WinnerModel, aggregate
from pallets.offchain_round import miners_of
from pocl.hashing import ZERO_HASH, blob_name
from pocl.v1.round_pb2 import AGGREGATE, SETTLED
from tests.pallets.aggregation.test_rules import EXAMPLES, FACTS
from tests.pallets.harness import ALICE, BOB, CHARLIE, DAVE, EVE, VALIDATORS
from tests.pallets.round.scripted import Scripted
from tests.round_network import RoundNetwork

FIVE = (*VALIDATORS, EVE)
MOMENTUM = {"aggregation": "fedavgm", "aggregation_parameters": EXAMPLES["fedavgm"]}


def rules_of(rule: str) -> dict[str, Any]:
    return {"aggregation": rule, "aggregation_parameters": EXAMPLES[rule] or None}


@pytest.mark.parametrize("rule", list(EXAMPLES))
def test_rounds_settle_on_what_the_rule_gives(rule: str) -> None:
    network = RoundNetwork(keys=FIVE, winners=5, **rules_of(rule))
    state = b""
    for number in (1, 2):
        summary = network.run_round()
        assert summary.outcome == SETTLED, summary.void_reason
        assert len(summary.attesters) == 5
        assert bool(summary.server_state) == FACTS[rule].keeps_state
        blobs = network.nodes[ALICE].blobs
        miners, old = miners_of(network.view), summary.previous_model
        start = network.learners[ALICE].initial_model() if old == ZERO_HASH else blobs[old].data
        models = [
            WinnerModel(who, blobs[miners[who].reveal.weights_hash].data, miners[who].proposal.sample_count)
            for who in reversed(summary.winners)
        ]
        seed, before = network.view.state.seed, blobs[state].data if state else None
        expected, server_state = aggregate(network.view.config, seed, models, start, before)
        assert summary.global_model == blob_name(expected), f"round {number}"
        assert summary.server_state == (blob_name(server_state) if server_state else b"")
        state = summary.server_state
        assert network.chain.pallet(Aggregation).server_state() == state
    assert network.refused == []
    assert network.nodes[ALICE].errors == []


def attest(rounds: Scripted, who: int, state: bytes, **fields: Any) -> bytes:
    return rounds.attest(
        who, **({"server_state": blob_name(state), "server_state_size": len(state)} | fields)
    )


def test_a_quorum_agrees_on_the_state_too() -> None:
    rounds = Scripted(4, **MOMENTUM)
    rounds.play("audit")
    rounds.send(attest(rounds, 0, b"one"), attest(rounds, 1, b"two"))
    rounds.send(attest(rounds, 2, b"one", server_state_size=4))
    assert rounds.phase == "AGGREGATE", "three attested the same model, but no two the same state"
    rounds.wait("PHASE_NONE")
    assert rounds.chain.pallet(Aggregation).server_state() == b""
    rounds.play("audit")
    rounds.send(attest(rounds, 0, b"one"), attest(rounds, 1, b"two"), attest(rounds, 2, b"one"))
    assert rounds.phase == "AGGREGATE"
    rounds.send(attest(rounds, 3, b"one"))
    summary = rounds.summary(2)
    assert (summary.outcome, summary.server_state) == (SETTLED, blob_name(b"one"))
    assert list(summary.attesters) == [rounds.accounts[who] for who in (0, 2, 3)]
    assert rounds.chain.pallet(Aggregation).server_state() == blob_name(b"one")
    rounds.open()
    assert rounds.state.server_state == blob_name(b"one")


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        ({}, {"server_state": bytes(32), "server_state_size": 5}),
        ({}, {"server_state": bytes(32)}),
        ({}, {"server_state_size": 1}),
        (MOMENTUM, {}),
        (MOMENTUM, {"server_state": bytes(31), "server_state_size": 5}),
        (MOMENTUM, {"server_state": bytes(32)}),
        (MOMENTUM, {"server_state": bytes(32), "server_state_size": 4001}),
    ],
)
def test_a_state_is_attested_just_when_the_rule_keeps_one(
    rules: dict[str, Any], fields: dict[str, Any]
) -> None:
    rounds = Scripted(4, **rules)
    rounds.play("audit")
    assert rounds.refused(rounds.attest(0, **fields)) == "aggregation.InvalidServerState"


def test_a_miner_without_the_state_has_it_from_the_others() -> None:
    network = RoundNetwork(**MOMENTUM)
    state = network.run_round().server_state
    network.nodes[DAVE].blobs.clear()
    summary = network.run_round()
    assert DAVE.public in summary.attesters
    assert state in network.nodes[DAVE].blobs
    assert network.refused == []


def test_a_state_that_all_lost_is_given_up_late_in_the_phase() -> None:
    network = RoundNetwork(**MOMENTUM)
    first = network.run_round()
    for node in network.nodes.values():
        del node.blobs[first.server_state]
    network.run_until(lambda view: view.state.phase == AGGREGATE)
    half = network.view.config.aggregate_cap_ms // 2
    clocks = []
    while not network.view.HasField("summary"):
        clocks.append(network.view.state.phase_clock_ms)
        network.block()
    second = network.view.summary
    assert (second.outcome, second.previous_model) == (SETTLED, first.global_model)
    assert max(clocks) >= half
    # The next round has a state again, and takes no longer than others.
    third = network.run_round()
    assert third.outcome == SETTLED
    assert len({first.server_state, second.server_state, third.server_state}) == 3


def test_a_state_that_one_miner_still_has_is_not_given_up() -> None:
    network = RoundNetwork(**MOMENTUM)
    first = network.run_round()
    for key in (ALICE, BOB, CHARLIE):
        del network.nodes[key].blobs[first.server_state]
    network.run_until(lambda view: view.state.phase == AGGREGATE)
    assert all(first.server_state in network.nodes[key].blobs for key in VALIDATORS)
    summary = network.run_round()
    assert len(summary.attesters) == 4
