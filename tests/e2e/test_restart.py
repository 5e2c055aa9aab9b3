"""Real nodes killed and started again: the others go on, whoever comes back catches up, nothing final is lost."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.chain_spec import load
from node.dev_accounts import dev_name, dev_uri
from node.devnet.processes import NodeProcess, stop_all
from pocl.client import Client

NODES = 4


class Network:
    """Four validators without workers on a chain with a quick heartbeat."""

    def __init__(self, folder: Path) -> None:
        spec = load("local")
        genesis = dataclasses.replace(
            spec.genesis, round=dataclasses.replace(spec.genesis.round, heartbeat_ms=200)
        )
        consensus = dataclasses.replace(
            spec.consensus,
            block_interval_ms=50,
            heartbeat_ms=200,
            leader_timeout_ms=1500,
            view_timeout_ms=3000,
        )
        self.spec_file = folder / "spec.json"
        dataclasses.replace(spec, genesis=genesis, consensus=consensus).save(self.spec_file)
        self.nodes = [NodeProcess(dev_name(i), dev_uri(i), folder / dev_name(i)) for i in range(NODES)]

    def start(self, *nodes: NodeProcess) -> None:
        for node in nodes:
            others = [other for other in self.nodes if other is not node and other.ready]
            flags = [word for other in others for word in ("--bootnodes", other.addresses[0])]
            node.start(self.spec_file, ["--no-worker", *flags])
            node.wait_ready(60)

    def kill(self, *nodes: NodeProcess) -> None:
        for node in nodes:
            assert node.process is not None
            os.killpg(node.process.pid, signal.SIGKILL)
            node.process.wait()
            node.ready = {}

    def final(self, node: NodeProcess) -> int:
        with Client(node.rpc_address) as client:
            return client.info().final_number

    def hashes(self, number: int) -> set[bytes]:
        found = set()
        for node in self.nodes:
            with Client(node.rpc_address) as client:
                found.add(client.block(number).hash)
        return found


def until(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path)
    try:
        yield network
    finally:
        stop_all(network.nodes)


def test_nodes_killed_and_started_again_lose_nothing(network: Network) -> None:
    alice, bob, charlie, dave = network.nodes
    network.start(alice, bob, charlie, dave)
    until(lambda: network.final(alice) >= 5, "the network makes blocks")

    network.kill(bob)
    height = network.final(alice)
    until(lambda: network.final(alice) >= height + 10, "three of four go on")
    network.start(bob)
    until(lambda: network.final(bob) >= height + 10, "the fourth catches up")

    # With two of four down nothing can become final; what is final stays.
    network.kill(bob, charlie)
    height = network.final(alice)
    network.start(bob, charlie)
    until(lambda: all(network.final(node) > height + 5 for node in network.nodes), "the chain goes on")

    height = max(network.final(node) for node in network.nodes)
    with Client(alice.rpc_address) as client:
        last = client.block(height).hash
    network.kill(*network.nodes)
    network.start(*network.nodes)
    until(lambda: all(network.final(node) > height + 5 for node in network.nodes), "all four come back")
    assert network.hashes(height) == {last}
    assert len(network.hashes(height + 5)) == 1
