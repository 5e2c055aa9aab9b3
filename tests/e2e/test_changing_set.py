"""Real nodes come into the validator set and go: no worker, so that rounds are void, and short."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.chain_spec import load
from node.dev_accounts import dev_name, dev_uri
from node.devnet.processes import NodeProcess, stop_all
from pocl.client import Client
from pocl.keys import Keypair
from tests.e2e.test_restart import Network, until

EVE, DAVE = Keypair.from_uri("//Eve"), Keypair.from_uri("//Dave")


class Changing(Network):
    """Four validators, a fifth key, rounds of about three seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        spec = load(self.spec_file)
        genesis = dataclasses.replace(
            spec.genesis,
            round=dataclasses.replace(spec.genesis.round, train_ms=2500),
            validator_rules=dataclasses.replace(
                spec.genesis.validator_rules, offline_rounds=2, unbonding_epochs=2
            ),
        )
        dataclasses.replace(spec, genesis=genesis).save(self.spec_file)
        self.slash = genesis.validator_rules.slash
        self.eve = NodeProcess(dev_name(4), dev_uri(4), folder / dev_name(4))
        self.nodes.append(self.eve)

    def call(self, who: Keypair, function: str) -> None:
        with Client(self.nodes[0].rpc_address) as client:
            client.submit(client.sign(who, client.call("validators", function)))

    def status(self, who: Keypair) -> str:
        with Client(self.nodes[0].rpc_address) as client:
            entries = {key: record.status for (key,), record in client.entries("validators", "Bonded")}
        names = ("", "waiting", "active", "leaving", "expelled", "out", "unbonding")
        return names[entries.get(who.public, 0)]

    def wrote_lately(self, who: Keypair) -> bool:
        """Return whether one of the last twenty final blocks is this validator's."""
        with Client(self.nodes[0].rpc_address) as client:
            last = client.info().final_number
            blocks = [client.block(number) for number in range(max(1, last - 19), last + 1)]
        return any(view.block.header.author == who.public for view in blocks)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Changing]:
    network = Changing(tmp_path)
    try:
        yield network
    finally:
        stop_all(network.nodes)


@pytest.mark.slow
def test_a_fifth_validator_comes_is_lost_and_comes_back(network: Changing) -> None:
    network.start(*network.nodes)
    until(lambda: network.final(network.eve) >= 5, "a node with a key outside the set follows")
    assert network.status(EVE) == ""
    network.call(EVE, "join")
    until(lambda: network.status(EVE) == "active", "the newcomer is taken in")
    until(lambda: network.wrote_lately(EVE), "the newcomer leads")
    network.kill(network.eve)
    until(lambda: network.status(EVE) == "out", "who is silent is put out")
    network.start(network.eve)
    network.call(EVE, "rejoin")
    until(lambda: network.status(EVE) == "active", "it is taken in again")
    until(lambda: network.wrote_lately(EVE), "it leads again")
    network.call(DAVE, "leave")
    until(lambda: network.status(DAVE) == "unbonding", "a validator leaves")
    until(lambda: network.status(DAVE) == "", "its bond is free")
    number = min(network.final(node) for node in network.nodes)
    assert len(network.hashes(number)) == 1


@pytest.mark.slow
def test_a_second_node_with_one_key_is_found_out(network: Changing, tmp_path: Path) -> None:
    alice, bob, charlie, dave, _ = network.nodes
    network.start(alice, bob, charlie, dave)
    until(lambda: network.final(alice) >= 5, "the network makes blocks")
    # It has no log and abstains at first; then both lead Dave's views, each with a block of its own.
    twin = NodeProcess("twin", dev_uri(3), tmp_path / "twin")
    network.nodes[-1] = twin
    network.start(twin)
    until(lambda: network.status(DAVE) in ("expelled", "out"), "the others report it")
    until(lambda: network.status(DAVE) == "out", "it is put out")
    height = network.final(alice)
    until(lambda: network.final(alice) >= height + 10, "three go on")
    with Client(alice.rpc_address) as client:
        genesis, now = (
            client.storage("coin", "TotalIssuance", number=0),
            client.storage("coin", "TotalIssuance"),
        )
    assert genesis - now == network.slash
